package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"houndtrail/exporter/bloodhound"
)

// largeFields is the size from which a value of fields is kept from the library, which would hold it three times: in the
// column, as a page, and compressed. Only fields have what a client sent to the server.
const largeFields = 4 << 20

// A replaced page is one with a large value, which took the place of one with "" that the library wrote.
type replaced struct {
	at                       int64 // where the library's page begins in the file, as the library counts
	compressed, uncompressed int64 // how many bytes more it has, with its header
	value                    int64 // size of the value
}

// large writes a row group of one record with large fields. The library writes it with "" instead, and the value is
// compressed straight into the file in place of that.
func (e *Encoder) large(w io.Writer, r *bloodhound.Record, first int64) error {
	var library bytes.Buffer
	start := e.out.written
	without := *r
	without.Fields = ""
	e.out.Writer = &library
	err := e.group([]bloodhound.Record{without}, first)
	e.out.Writer = w
	if err != nil {
		return err
	}
	group := library.Bytes()
	if start == 0 {
		group = group[len(magic):]
		if _, err := io.WriteString(w, magic); err != nil {
			return err
		}
		start = int64(len(magic))
	}
	old, err := findPage(group, firstText+fieldsText)
	if err != nil {
		return err
	}
	page, err := newLargePage(old.header, group[old.body:][:old.levels()], r.Fields)
	if err != nil {
		return err
	}
	e.replaced = append(e.replaced, replaced{
		at:           start + int64(old.start),
		compressed:   int64(page.size() - (old.end - old.start)),
		uncompressed: int64(page.uncompressed() - (old.body - old.start) - int(old.header.UncompressedPageSize)),
		value:        int64(len(r.Fields)),
	})
	if b, ok := w.(interface{ Grow(n int) }); ok {
		b.Grow(len(group) + page.size()) // a buffer that grows by doubling has it three times meanwhile
	}
	if _, err := w.Write(group[:old.start]); err != nil {
		return err
	}
	if err := page.write(w); err != nil {
		return err
	}
	_, err = w.Write(group[old.end:])
	return err
}

// A place is that of a page in the bytes of a row group.
type place struct {
	header           format.PageHeader
	start, body, end int
}

// levels is the size of what stands in the body in front of the values, and is not compressed.
func (p place) levels() int {
	v2 := p.header.DataPageHeaderV2.V
	return int(v2.RepetitionLevelsByteLength + v2.DefinitionLevelsByteLength)
}

// findPage finds the page of a column in a row group that has one row, and so one page a column.
func findPage(group []byte, column int) (place, error) {
	for at := 0; at < len(group); {
		p := place{start: at}
		reader := new(thrift.CompactProtocol).NewReaderFromBytes(group[at:])
		if err := thrift.NewDecoder(reader).Decode(&p.header); err != nil {
			return place{}, fmt.Errorf("page header: %w", err)
		}
		p.body = at + reader.BytesRead()
		p.end = p.body + int(p.header.CompressedPageSize)
		at = p.end
		if p.header.Type == format.DictionaryPage {
			continue
		}
		if column == 0 {
			return p, nil
		}
		column--
	}
	return place{}, errors.New("a row group has fewer pages than columns")
}

// A largePage is a page of one value.
type largePage struct {
	header, levels []byte
	body           int // size of the compressed value
	value          string
}

// newLargePage makes the header for the value. Since that stands in front, and has the compressed size, the value is
// compressed twice: now, and when it is written.
func newLargePage(header format.PageHeader, levels []byte, value string) (*largePage, error) {
	sum := crc32.NewIEEE()
	_, _ = sum.Write(levels)
	body := counted{Writer: sum}
	if err := compressValue(&body, value); err != nil {
		return nil, err
	}
	header.UncompressedPageSize += int32(len(value))
	header.CompressedPageSize = int32(len(levels) + int(body.written))
	header.CRC = int32(sum.Sum32())
	encoded, err := thrift.Marshal(new(thrift.CompactProtocol), &header)
	if err != nil {
		return nil, fmt.Errorf("page header: %w", err)
	}
	return &largePage{header: encoded, levels: levels, body: int(body.written), value: value}, nil
}

func (p *largePage) size() int { return len(p.header) + len(p.levels) + p.body }

func (p *largePage) uncompressed() int {
	return len(p.header) + len(p.levels) + lengthSize + len(p.value)
}

func (p *largePage) write(w io.Writer) error {
	for _, part := range [][]byte{p.header, p.levels} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return compressValue(w, p.value)
}

// lengthSize is the size of the length that stands in front of a plain value.
const lengthSize = 4

// compressValue writes the compressed value, of which it holds a part at a time.
func compressValue(w io.Writer, value string) error {
	z, err := newZstd()
	if err != nil {
		return err
	}
	z.ResetContentSize(w, int64(lengthSize+len(value)))
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(value)))
	_, err = z.ReadFrom(io.MultiReader(bytes.NewReader(length), strings.NewReader(value)))
	return errors.Join(err, z.Close())
}

// counted is a writer that counts. Its destination may change.
type counted struct {
	io.Writer
	written int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.written += int64(n)
	return n, err
}
