package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// chunkPages reads rows of a column chunk.
type chunkPages struct {
	meta    *format.ColumnMetaData
	span    *span
	pages   *pq.FilePages
	offsets *pq.FileOffsetIndex // nil if it is not believed
}

// chunk is the column of that number in the row group.
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

// each calls set with the values of some rows, in their order. Runs of rows come in ascending order.
func (p *chunkPages) each(run Range, set func(pq.Value)) error {
	if err := p.seek(run); err != nil {
		return err
	}
	for left := run.High - run.Low + 1; left > 0; {
		page, err := p.pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%d values are missing", left)
		}
		if err != nil {
			return err
		}
		if left, err = take(page, left, set); err != nil {
			return err
		}
	}
	return nil
}

// seek goes to the first of some rows.
func (p *chunkPages) seek(run Range) error {
	p.span.want(p.span.end)
	if p.offsets == nil {
		return p.pages.SeekToRow(run.Low)
	}
	first, n := 0, p.offsets.NumPages()
	for first+1 < n && p.offsets.FirstRowIndex(first+1) <= run.Low {
		first++
	}
	last := first
	for last+1 < n && p.offsets.FirstRowIndex(last+1) <= run.High {
		last++
	}
	if last < n {
		p.span.want(p.offsets.Offset(last) + p.offsets.CompressedPageSize(last))
	}
	if first > 0 && p.meta.DictionaryPageOffset != 0 && p.span.dictionary == nil {
		if err := p.span.readDictionary(p.meta.DictionaryPageOffset, p.meta.DataPageOffset); err != nil {
			return err
		}
	}
	return p.pages.SeekToRow(run.Low)
}

// take calls set with the values of a page, as long as any are left to take.
func take(page pq.Page, left int64, set func(pq.Value)) (int64, error) {
	defer pq.Release(page)
	var buffer [256]pq.Value
	for reader := page.Values(); left > 0; {
		n, err := reader.ReadValues(buffer[:min(left, int64(len(buffer)))])
		for _, v := range buffer[:n] {
			set(v)
		}
		left -= int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return left, err
		}
	}
	return left, nil
}

const (
	// readBuffer is how many bytes the library reads at a time.
	readBuffer = 4 << 10
	// mostAhead is how many bytes of a column a span reads at a time.
	mostAhead = 4 << 20
)

// A span reads a column chunk for the library, which asks for a few kilobytes at a time: each of them would be a request. At the
// first byte that it does not hold, a span reads all bytes up to the end of the pages that are wanted.
type span struct {
	from       io.ReaderAt
	wanted     int64 // where the wanted pages end
	end        int64 // of the chunk
	held       []byte
	at         int64  // of the held bytes
	dictionary []byte // with its header
	dictAt     int64
}

// want says that the pages up to there are wanted. The library reads a whole buffer at a time, and so beyond their end.
func (s *span) want(end int64) { s.wanted = min(end+readBuffer, s.end) }

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

// readDictionary reads the dictionary page, and compares it with its checksum. The library does so only if it comes to the page on
// its way to the first page of data.
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

// int64Of is a number of the statistics.
func int64Of(b []byte) (n int64, ok bool) {
	if len(b) != numberSize {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(b)), true
}
