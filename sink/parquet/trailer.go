package parquet

import (
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// magic is what a file begins and ends with.
const magic = "PAR1"

// A trailer is what stands in a file behind its row groups: column indexes, offset indexes, and the footer. The library
// keeps the bounds of strings uncut, and a column of which it keeps none has "" for all its bounds. So it keeps none, and
// its trailer is written anew with bounds that were taken of the rows.
type trailer struct {
	library  []byte // its own trailer
	start    int64  // where that begins in the file, as the library counts
	metadata *format.FileMetaData
	replaced []replaced // pages, in the order of the file
	out      []byte
}

// newTrailer takes the library's trailer. There must be row groups.
func newTrailer(library []byte, metadata *format.FileMetaData, pages []replaced) *trailer {
	return &trailer{
		library: library, start: metadata.RowGroups[0].Columns[0].ColumnIndexOffset, metadata: metadata, replaced: pages,
	}
}

// rewrite returns the trailer of a file that was written in these batches.
func (t *trailer) rewrite(batches []batch) ([]byte, error) {
	groups, first := t.metadata.RowGroups, int64(0)
	for i := range groups {
		next := first + groups[i].NumRows
		n := sort.Search(len(batches), func(i int) bool { return batches[i].first >= next })
		for j := range groups[i].Columns {
			chunk := &groups[i].Columns[j]
			index := t.at(chunk.ColumnIndexOffset, chunk.ColumnIndexLength)
			if j >= firstText { // before them are whole numbers, whose bounds are the library's
				var err error
				if index, err = t.columnIndex(chunk, index, batches[:n], j-firstText); err != nil {
					return nil, fmt.Errorf("column index of %s: %w", chunk.MetaData.PathInSchema[0], err)
				}
			}
			chunk.ColumnIndexOffset, chunk.ColumnIndexLength = t.append(index)
		}
		first, batches = next, batches[n:]
	}
	for i := range groups {
		groups[i].FileOffset = t.moved(groups[i].FileOffset)
		for j := range groups[i].Columns {
			chunk := &groups[i].Columns[j]
			index, err := t.move(&groups[i], chunk)
			if err != nil {
				return nil, fmt.Errorf("offset index of %s: %w", chunk.MetaData.PathInSchema[0], err)
			}
			chunk.OffsetIndexOffset, chunk.OffsetIndexLength = t.append(index)
		}
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), t.metadata)
	if err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	_, length := t.append(footer)
	t.out = binary.LittleEndian.AppendUint32(t.out, uint32(length))
	return append(t.out, magic...), nil
}

// columnIndex returns the column index of a chunk of strings, which lies in these batches, and puts the bounds into the
// chunk's statistics. There is no index if a page has a bound that cannot be cut, or none at all: readers then look at
// every page.
func (t *trailer) columnIndex(chunk *format.ColumnChunk, library []byte, batches []batch, column int) ([]byte, error) {
	if column == fieldsText {
		return nil, nil
	}
	var index format.ColumnIndex
	var offsets format.OffsetIndex
	protocol := new(thrift.CompactProtocol)
	if err := thrift.Unmarshal(protocol, library, &index); err != nil {
		return nil, err
	}
	if err := thrift.Unmarshal(protocol, t.at(chunk.OffsetIndexOffset, chunk.OffsetIndexLength), &offsets); err != nil {
		return nil, err
	}
	var all bounds
	pages := make([]bounds, len(offsets.PageLocations))
	page := 0
	for i := range batches {
		for page+1 < len(pages) && batches[i].first-batches[0].first >= offsets.PageLocations[page+1].FirstRowIndex {
			page++
		}
		pages[page].merge(batches[i].texts[column])
		all.merge(batches[i].texts[column])
	}
	statistics := &chunk.MetaData.Statistics
	if low, high, ok := all.cut(); ok {
		statistics.MinValue, statistics.MaxValue = low, high
	}
	for i := range pages {
		var ok bool
		if index.MinValues[i], index.MaxValues[i], ok = pages[i].cut(); !ok {
			return nil, nil
		}
	}
	index.BoundaryOrder = format.Unordered
	return thrift.Marshal(protocol, &index)
}

// move corrects what is said of a chunk by the pages that were replaced in and before it, and returns its offset index.
func (t *trailer) move(group *format.RowGroup, chunk *format.ColumnChunk) ([]byte, error) {
	library := t.at(chunk.OffsetIndexOffset, chunk.OffsetIndexLength)
	if len(t.replaced) == 0 {
		return library, nil
	}
	var index format.OffsetIndex
	protocol := new(thrift.CompactProtocol)
	if err := thrift.Unmarshal(protocol, library, &index); err != nil {
		return nil, err
	}
	m := &chunk.MetaData
	for i := range index.PageLocations {
		page := &index.PageLocations[i]
		if n := t.find(page.Offset); n < len(t.replaced) && t.replaced[n].at == page.Offset {
			r := &t.replaced[n]
			page.CompressedPageSize += int32(r.compressed)
			m.TotalCompressedSize += r.compressed
			m.TotalUncompressedSize += r.uncompressed
			m.SizeStatistics.UnencodedByteArrayDataBytes += r.value
			group.TotalCompressedSize += r.compressed
			group.TotalByteSize += r.uncompressed
			if len(index.UnencodedByteArrayDataBytes) > 0 {
				index.UnencodedByteArrayDataBytes[i] += r.value
			}
		}
		page.Offset = t.moved(page.Offset)
	}
	m.DictionaryPageOffset, m.DataPageOffset = t.moved(m.DictionaryPageOffset), t.moved(m.DataPageOffset)
	m.BloomFilterOffset = t.moved(m.BloomFilterOffset)
	return thrift.Marshal(protocol, &index)
}

// find is the index of the first page that was replaced at a place or behind it, as the library counts.
func (t *trailer) find(place int64) int {
	return sort.Search(len(t.replaced), func(i int) bool { return t.replaced[i].at >= place })
}

// moved is where that stands in the file which the library takes for being at a place.
func (t *trailer) moved(place int64) int64 {
	to := place
	for _, r := range t.replaced[:t.find(place)] {
		to += r.compressed
	}
	return to
}

// at is a part of the library's trailer, by its place in the file.
func (t *trailer) at(offset int64, length int32) []byte {
	return t.library[offset-t.start:][:length]
}

// append adds a part, and returns its place in the file: none for none.
func (t *trailer) append(part []byte) (offset int64, length int32) {
	if len(part) == 0 {
		return 0, 0
	}
	offset = t.moved(t.start) + int64(len(t.out))
	t.out = append(t.out, part...)
	return offset, int32(len(part))
}
