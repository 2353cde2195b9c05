package parquet

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/parquet-go/parquet-go/bloom"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/houndtrail/houndtrail/exporter/window"
)

// magic is the beginning and the end of a file.
const magic = "PAR1"

// formatVersion is the version of the format. It has data pages of version 2.
const formatVersion = 2

// A file is a file in progress. After its row groups come the column indexes, the offset indexes and the footer.
type file struct {
	counted

	groups                       []*group
	rows                         int64
	columnIndexes, offsetIndexes []byte
}

// A group is a row group in the footer.
type group struct {
	format.RowGroup

	filters []bloom.SplitBlockFilter // the filters of the columns that have one; they come after the columns
}

// begin begins a row group.
func (f *file) begin(rows int) *group {
	g := &group{RowGroup: format.RowGroup{
		NumRows: int64(rows), SortingColumns: sorting, FileOffset: f.written, Ordinal: int16(len(f.groups)),
	}}
	f.groups = append(f.groups, g)
	f.rows += int64(rows)
	return g
}

func newChunk(f *file, s *scratch, c *column) *chunk {
	kind := format.Int64
	if c.Type == String {
		kind = format.ByteArray
	}
	return &chunk{file: f, scratch: s, column: c, meta: format.ColumnMetaData{
		Type: kind, PathInSchema: []string{c.Name}, Codec: format.Zstd,
	}}
}

// end adds a chunk to the footer and the page index. Until finish, the offsets of the page index count from the index's own
// beginning.
func (f *file) end(g *group, c *chunk) error {
	c.meta.NumValues, c.meta.Statistics.NullCount = c.rows, c.nulls
	for _, s := range c.meta.EncodingStats {
		c.meta.Encoding = append(c.meta.Encoding, s.Encoding)
	}
	if !c.Required {
		c.meta.Encoding = append(c.meta.Encoding, format.RLE) // the encodings of the levels
		c.meta.SizeStatistics.DefinitionLevelHistogram = []int64{c.nulls, c.rows - c.nulls}
		if low, high, ok := c.bounds.cut(); ok {
			c.meta.Statistics.MinValue, c.meta.Statistics.MaxValue = low, high
		}
	}
	m := format.ColumnChunk{MetaData: c.meta}
	protocol := new(thrift.CompactProtocol)
	if !c.unbounded && c.ranged() {
		index, err := thrift.Marshal(protocol, &c.index)
		if err != nil {
			return err
		}
		m.ColumnIndexOffset, m.ColumnIndexLength = int64(len(f.columnIndexes)), int32(len(index))
		f.columnIndexes = append(f.columnIndexes, index...)
	}
	offsets, err := thrift.Marshal(protocol, &c.offsets)
	if err != nil {
		return err
	}
	m.OffsetIndexOffset, m.OffsetIndexLength = int64(len(f.offsetIndexes)), int32(len(offsets))
	f.offsetIndexes = append(f.offsetIndexes, offsets...)
	g.Columns = append(g.Columns, m)
	g.TotalByteSize += c.meta.TotalUncompressedSize
	g.TotalCompressedSize += c.meta.TotalCompressedSize
	return nil
}

// filters writes the bloom filters of a row group.
func (f *file) filters(g *group) error {
	next := 0
	for i := range columns {
		if !columns[i].bloom() {
			continue
		}
		bits := g.filters[next].Bytes()
		next++
		header := format.BloomFilterHeader{NumBytes: int32(len(bits))}
		header.Algorithm.Value = &format.SplitBlockAlgorithm{}
		header.Hash.Value = &format.XxHash{}
		header.Compression.Value = &format.BloomFilterUncompressed{}
		encoded, err := thrift.Marshal(new(thrift.CompactProtocol), &header)
		if err != nil {
			return err
		}
		m := &g.Columns[i].MetaData
		m.BloomFilterOffset, m.BloomFilterLength = f.written, int32(len(encoded)+len(bits))
		for _, part := range [][]byte{encoded, bits} {
			if _, err := f.Write(part); err != nil {
				return err
			}
		}
	}
	g.filters = nil // the next row group uses their memory again
	return nil
}

// finish writes the page index and the footer after the row groups.
func (f *file) finish(meta Metadata, win window.Window) error {
	footer := format.FileMetaData{
		Version: formatVersion, NumRows: f.rows, CreatedBy: "houndtrail version " + meta.Version,
		KeyValueMetadata: []format.KeyValue{
			{Key: keyTenant, Value: meta.Tenant},
			{Key: keyVersion, Value: meta.Version},
			{Key: keyWindowEnd, Value: win.End.UTC().Format(time.RFC3339Nano)},
			{Key: keyWindowStart, Value: win.Start.UTC().Format(time.RFC3339Nano)},
		},
		Schema: []format.SchemaElement{{Name: "row", NumChildren: thrift.New(int32(len(columns)))}},
	}
	for i := range columns {
		footer.Schema = append(footer.Schema, columns[i].element())
		footer.ColumnOrders = append(footer.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	offsetIndexes := f.written + int64(len(f.columnIndexes))
	for _, g := range f.groups {
		for i := range g.Columns {
			if c := &g.Columns[i]; c.ColumnIndexLength > 0 {
				c.ColumnIndexOffset += f.written
			}
			g.Columns[i].OffsetIndexOffset += offsetIndexes
		}
		footer.RowGroups = append(footer.RowGroups, g.RowGroup)
	}
	encoded, err := thrift.Marshal(new(thrift.CompactProtocol), &footer)
	if err != nil {
		return err
	}
	encoded = append(binary.LittleEndian.AppendUint32(encoded, uint32(len(encoded))), magic...)
	for _, part := range [][]byte{f.columnIndexes, f.offsetIndexes, encoded} {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// counted is a writer that counts its bytes.
type counted struct {
	io.Writer

	written int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.written += int64(n)
	return n, err
}
