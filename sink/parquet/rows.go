package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// chunkPages reads rows of a column chunk.
type chunkPages struct {
	meta    *format.ColumnMetaData
	span    *span
	pages   *pq.FilePages
	offsets *pq.FileOffsetIndex // nil if the search does not believe it

	page     pq.Page // the present page; nil before the first one
	values   pq.ValueReader
	row, end int64 // the next row, and the end of the page's rows
}

// chunk returns the column of that number in the row group.
func (g *searched) chunk(i int) (*pq.FileColumnChunk, error) {
	chunk, ok := g.group.ColumnChunks()[i].(*pq.FileColumnChunk)
	if !ok {
		return nil, errors.New("it is no chunk of a file")
	}
	return chunk, nil
}

// open opens the column of that number in the row group.
func (g *searched) open(i int) (*chunkPages, error) {
	chunk, err := g.chunk(i)
	if err != nil {
		return nil, err
	}
	meta := &g.meta.Columns[i].MetaData
	p := &chunkPages{meta: meta}
	start := meta.DataPageOffset
	if meta.DictionaryPageOffset != 0 {
		start = meta.DictionaryPageOffset
	}
	p.span = &span{from: g.at, end: start + meta.TotalCompressedSize}
	if !g.query.Whole {
		if p.offsets, err = chunk.OffsetIndexFrom(g.at); err != nil && !errors.Is(err, pq.ErrMissingOffsetIndex) {
			return nil, err
		}
	}
	p.pages = chunk.PagesFrom(p.span)
	return p, nil
}

// close gives the pages back.
func (p *chunkPages) close() {
	pq.Release(p.page)
	_ = p.pages.Close() // Close only returns buffers
}

// each calls set with the values of some rows, in their order. The runs of rows come in ascending order.
func (p *chunkPages) each(runs []Range, set func(row int64, v pq.Value)) error {
	var buffer [256]pq.Value
	for i, run := range runs {
		if err := p.seek(runs[i:]); err != nil {
			return err
		}
		for p.row <= run.High {
			from, to := max(run.Low, p.row), min(run.High+1, p.end)
			if p.row < run.Low { // the rows before the first wanted row
				to = min(run.Low, p.end)
			}
			if p.row == p.end {
				if err := p.next(); err != nil {
					return err
				}
				continue
			}
			n, err := p.values.ReadValues(buffer[:min(to-p.row, int64(len(buffer)))])
			for j, v := range buffer[:n] {
				if row := p.row + int64(j); row >= from {
					set(row, v)
				}
			}
			if p.row += int64(n); n == 0 {
				return fmt.Errorf("a page lacks values: %w", err)
			}
		}
	}
	return nil
}

// next reads the next page.
func (p *chunkPages) next() error {
	pq.Release(p.page)
	p.page = nil
	page, err := p.pages.ReadPage()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("row %d and those behind it are missing", p.row)
	}
	if err != nil {
		return err
	}
	p.page, p.values = page, page.Values()
	p.end = p.row + page.NumRows()
	return nil
}

// pageOf is the number of the page that has a row.
func (p *chunkPages) pageOf(row int64) int {
	return sort.Search(p.offsets.NumPages(), func(i int) bool { return p.offsets.FirstRowIndex(i) > row }) - 1
}

// seek goes to the page of the first run's first row, unless that is the present page or the next one. It makes the span read
// the pages of the runs with one request, as long as each page between them has a wanted row.
func (p *chunkPages) seek(runs []Range) error {
	first := runs[0].Low
	if p.offsets == nil || p.offsets.NumPages() == 0 {
		p.span.want(p.span.end)
		return nil
	}
	target := p.pageOf(first)
	if target < 0 {
		return fmt.Errorf("no page has row %d", first)
	}
	if p.page != nil && (first < p.end || p.offsets.FirstRowIndex(target) == p.end && p.span.covers(p.offsets.Offset(target))) {
		return nil
	}
	last := target
	for _, run := range runs {
		if p.pageOf(run.Low) > last+1 {
			break
		}
		last = p.pageOf(run.High)
	}
	p.span.want(p.offsets.Offset(last) + p.offsets.CompressedPageSize(last))
	if target > 0 && p.meta.DictionaryPageOffset != 0 && p.span.dictionary == nil {
		if err := p.span.readDictionary(p.meta.DictionaryPageOffset, p.meta.DataPageOffset); err != nil {
			return err
		}
	}
	pq.Release(p.page)
	p.page, p.row, p.end = nil, first, first
	return p.pages.SeekToRow(first)
}

const (
	// readBuffer is how many bytes the library reads at a time.
	readBuffer = 4 << 10
	// mostAhead is how many bytes of a column a span reads at a time.
	mostAhead = 4 << 20
)

// A span reads a column chunk for the library. The library asks for a few kilobytes at a time, and each of these would be a
// request. When the library asks for a byte that the span does not hold, the span reads all bytes up to the end of the wanted
// pages.
type span struct {
	from       io.ReaderAt
	wanted     int64 // the end of the wanted pages
	end        int64 // the end of the chunk
	held       []byte
	at         int64  // the place of the held bytes
	dictionary []byte // the first page, with its header
	dictAt     int64
}

// want says that all pages up to that place are wanted. The library reads a whole buffer at a time, so it may read beyond that
// place.
func (s *span) want(end int64) { s.wanted = min(end+readBuffer, s.end) }

// covers tells whether the byte at that place is one of the wanted ones.
func (s *span) covers(off int64) bool { return off < s.wanted-readBuffer }

func (s *span) ReadAt(p []byte, off int64) (n int, err error) {
	if i := off - s.dictAt; i >= 0 && i+int64(len(p)) <= int64(len(s.dictionary)) {
		return copy(p, s.dictionary[i:]), nil
	}
	for n < len(p) {
		i := off + int64(n) - s.at
		if i >= 0 && i < int64(len(s.held)) {
			n += copy(p[n:], s.held[i:])
			continue
		}
		s.at += i
		if rest := p[n:]; len(rest) >= mostAhead {
			s.held = nil
			read, err := s.from.ReadAt(rest, s.at)
			return n + read, err
		}
		size := max(min(s.wanted-s.at, mostAhead), int64(len(p)-n))
		s.held = make([]byte, size)
		read, err := s.from.ReadAt(s.held, s.at)
		if s.held = s.held[:read]; err != nil && (!errors.Is(err, io.EOF) || read == 0) {
			s.held = nil
			return n, err
		}
	}
	return n, nil
}

// readDictionary reads the dictionary page, and compares it with its checksum. The library compares it only if it reads this
// page on its way to the first page of data.
func (s *span) readDictionary(start, end int64) error {
	b := make([]byte, end-start)
	if _, err := s.from.ReadAt(b, start); err != nil {
		return err
	}
	var header format.PageHeader
	r := new(thrift.CompactProtocol).NewReaderFromBytes(b)
	if err := thrift.NewDecoder(r).Decode(&header); err != nil {
		return fmt.Errorf("the header of the dictionary: %w", err)
	}
	body := b[r.BytesRead():]
	if int(header.CompressedPageSize) != len(body) || uint32(header.CRC) != crc32.ChecksumIEEE(body) {
		return errors.New("the dictionary is not the one of its checksum")
	}
	s.dictionary, s.dictAt = b, start
	return nil
}

// int64Of reads a number of the statistics.
func int64Of(b []byte) (n int64, ok bool) {
	if len(b) != numberSize {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(b)), true
}
