package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// TestLargeFields looks at a file's figures of pages with large values, and of the pages beside them.
func TestLargeFields(t *testing.T) {
	text := hexadecimal(3 * largeFields)
	e := NewEncoder(meta)
	for _, large := range [][]int{{0}, {5}, {9}, {0, 1}, {0, 4, 9}, {}} { // the last one after large ones, by the same encoder
		t.Run(fmt.Sprint(large), func(t *testing.T) {
			records := sinktest.Generate(t, 1, 10, epoch, time.Second)
			for i, n := range large {
				records[n].Fields = text[i*1000 : i*1000+largeFields+i*largeFields/2]
			}
			body := encode(t, e, records)
			if diff := cmp.Diff(sinktest.WithoutRaw(records), sinktest.ReadParquet(t, body)); diff != "" {
				t.Errorf("(-want +got):\n%.1000s", diff)
			}
			file := open(t, body)
			end := int64(len(magic))
			for i, group := range file.RowGroups() {
				columns := file.Metadata().RowGroups[i].Columns
				for j, column := range group.ColumnChunks() {
					end = judgeChunk(t, column, &columns[j].MetaData, body, end)
				}
				for _, j := range []int{8, 10} { // those with bloom filters
					judgeBloom(t, group.ColumnChunks()[j], i)
					end += int64(columns[j].MetaData.BloomFilterLength)
				}
			}
			judgeTotals(t, body)
		})
	}
}

// judgeChunk reads a chunk that begins at the end of the previous one, and each of its pages by its place in the offset index.
// It returns the end of the chunk.
func judgeChunk(t *testing.T, column pq.ColumnChunk, m *format.ColumnMetaData, body []byte, begin int64) int64 {
	t.Helper()
	name, at := m.PathInSchema[0], m.DataPageOffset
	if m.DictionaryPageOffset > 0 {
		at = m.DictionaryPageOffset
	}
	if at != begin {
		t.Errorf("%s begins at %d, want %d", name, at, begin)
	}
	offsets, err := column.OffsetIndex()
	if err != nil {
		t.Fatal(err)
	}
	end, unencoded := m.DataPageOffset, int64(0)
	for i := range offsets.NumPages() {
		if offsets.Offset(i) != end {
			t.Errorf("%s: page %d is at %d, want %d", name, i, offsets.Offset(i), end)
		}
		end += offsets.CompressedPageSize(i)
		page := body[offsets.Offset(i):][:offsets.CompressedPageSize(i)]
		header, size := headOf(t, page)
		if got := int64(size) + int64(header.CompressedPageSize); got != offsets.CompressedPageSize(i) {
			t.Errorf("%s: page %d has %d bytes, want %d", name, i, got, offsets.CompressedPageSize(i))
		}
		if sum := crc32.ChecksumIEEE(page[size:]); sum != uint32(header.CRC) {
			t.Errorf("%s: page %d has the sum %d, want %d", name, i, header.CRC, sum)
		}
		unencoded += int64(header.UncompressedPageSize) + int64(size)
	}
	if end != at+m.TotalCompressedSize {
		t.Errorf("%s ends at %d, want %d", name, end, at+m.TotalCompressedSize)
	}
	if m.DictionaryPageOffset == 0 && unencoded != m.TotalUncompressedSize {
		t.Errorf("%s has %d bytes before compression, want %d", name, m.TotalUncompressedSize, unencoded)
	}
	return end
}

// judgeBloom asks the bloom filter of a chunk for the chunk's own values.
func judgeBloom(t *testing.T, column pq.ColumnChunk, group int) {
	t.Helper()
	values := make([]pq.Value, 1)
	pages := column.Pages()
	defer pages.Close()
	page, err := pages.ReadPage()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := page.Values().ReadValues(values); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if found, err := column.BloomFilter().Check(values[0]); !values[0].IsNull() && (!found || err != nil) {
		t.Errorf("row group %d: the bloom filter denies %v: %v", group, values[0], err)
	}
}

// judgeTotals compares a footer's figures of its row groups with those of their columns and values.
func judgeTotals(t *testing.T, body []byte) {
	t.Helper()
	records := sinktest.ReadParquet(t, body)
	for i, group := range open(t, body).Metadata().RowGroups {
		compressed, uncompressed := int64(0), int64(0)
		for _, c := range group.Columns {
			compressed, uncompressed = compressed+c.MetaData.TotalCompressedSize, uncompressed+c.MetaData.TotalUncompressedSize
		}
		if group.TotalCompressedSize != compressed || group.TotalByteSize != uncompressed {
			t.Errorf("row group %d: %d and %d bytes, want %d and %d", i, group.TotalCompressedSize, group.TotalByteSize, compressed, uncompressed)
		}
		values := int64(0)
		for _, r := range records[:group.NumRows] {
			values += int64(len(r.Fields))
		}
		if got := group.Columns[fieldsColumn].MetaData.SizeStatistics.UnencodedByteArrayDataBytes; got != values {
			t.Errorf("row group %d: values of %d bytes, want %d", i, got, values)
		}
		records = records[group.NumRows:]
	}
}

// TestLargeFieldsAreNotCopied: the value goes from the record into the file.
func TestLargeFieldsAreNotCopied(t *testing.T) {
	records := sinktest.Generate(t, 1, 1, epoch, time.Second)
	records[0].Fields = strings.Repeat("x", 8*largeFields)
	e := NewEncoder(meta)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := e.Encode(io.Discard, win, records); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4*largeFields {
		t.Errorf("%d bytes were allocated for a value of %d", n, len(records[0].Fields))
	}
}

// If the destination fails, Encode returns the error, at any byte of the file.
func TestLargeFieldsToAFullDisk(t *testing.T) {
	records := sinktest.Generate(t, 1, 2, epoch, time.Second)
	records[1].Fields = hexadecimal(largeFields)
	e := NewEncoder(meta)
	whole := encode(t, e, records)
	for _, room := range []int{0, 100, len(whole) / 2, len(whole) - 100} {
		if err := e.Encode(&limited{room: room}, win, records); err == nil {
			t.Errorf("%d bytes of %d were enough", room, len(whole))
		}
		if again := encode(t, e, records); !bytes.Equal(again, whole) {
			t.Errorf("the file after a failure is another one")
		}
	}
}

type limited struct{ room int }

func (l *limited) Write(p []byte) (int, error) {
	if l.room -= len(p); l.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// headOf reads the header in front of a page, and returns its size.
func headOf(t *testing.T, page []byte) (header format.PageHeader, size int) {
	t.Helper()
	reader := new(thrift.CompactProtocol).NewReaderFromBytes(page)
	if err := thrift.NewDecoder(reader).Decode(&header); err != nil {
		t.Fatal(err)
	}
	return header, reader.BytesRead()
}
