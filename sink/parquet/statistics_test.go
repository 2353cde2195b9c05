package parquet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// footerLimit is the size that the footer and the page index stay below. Dremio opens no footer of more than 16 MiB.
const footerLimit = 64 << 10

// TestStatistics compares the statistics of difficult files with the records: of every page and every column chunk, all figures
// by which readers leave out rows.
func TestStatistics(t *testing.T) {
	files := sinktest.Files(t, epoch)
	files["bytes that are no characters"] = invalid(t)
	files["none"] = nil
	files["corners"] = sinktest.Corners(t)
	e := NewEncoder(meta)
	for name, records := range files {
		t.Run(name, func(t *testing.T) {
			file := open(t, encode(t, e, records))
			for _, group := range file.RowGroups() {
				rows := records[:group.NumRows()]
				records = records[len(rows):]
				for i, column := range record.Columns() {
					chunk, _ := group.ColumnChunks()[firstText+i].(*pq.FileColumnChunk)
					checkChunk(t, column, chunk, rows)
				}
			}
			if len(records) > 0 {
				t.Errorf("%d records are in no row group", len(records))
			}
		})
	}
}

// invalid are records with bytes that are no character, at the place of the cut or in the whole string.
func invalid(t *testing.T) []record.Record {
	t.Helper()
	records := sinktest.Generate(t, 1, 3000, epoch, time.Second)
	for i := range records {
		for j, c := range record.Columns() {
			*c.Value(&records[i]) = strings.Repeat("a", 55+(i+j)%12) + strings.Repeat("\xff", 50)
		}
		records[i].RequestID = strings.Repeat("\xff", 200) // there is no short string after it
	}
	return records
}

// checkChunk compares the bounds of a chunk of strings, and of its pages, with the values.
func checkChunk(t *testing.T, column record.Column, chunk *pq.FileColumnChunk, rows []record.Record) {
	t.Helper()
	values := make([]*string, len(rows))
	some, bounded := false, column.Kind != record.JSON
	for i := range rows {
		if values[i] = columnOf(column.Name).value(&rows[i]); values[i] != nil {
			some = true
			bounded = bounded && !strings.HasPrefix(*values[i], "\xff")
		}
	}
	check := func(place string, low, high pq.Value, values []*string) {
		for _, v := range values {
			if v != nil && (low.String() > *v || high.String() < *v) {
				t.Fatalf("%s of %s: %.100q does not lie between %.100q and %.100q", place, column.Name, *v, low.String(), high.String())
			}
		}
	}
	low, high, ok := chunk.Bounds()
	if ok != (bounded && some) {
		t.Errorf("the column chunk of %s has bounds: %t", column.Name, ok)
	}
	if ok {
		check("column chunk", low, high, values)
	}
	offsets, err := chunk.OffsetIndex()
	if err != nil {
		t.Fatal(err)
	}
	index, err := chunk.ColumnIndex()
	if !bounded && errors.Is(err, pq.ErrMissingColumnIndex) {
		return
	}
	if !bounded || err != nil {
		t.Fatalf("column index of %s: %v", column.Name, err)
	}
	for i := range offsets.NumPages() {
		page := values[offsets.FirstRowIndex(i):]
		if i+1 < offsets.NumPages() {
			page = page[:offsets.FirstRowIndex(i+1)-offsets.FirstRowIndex(i)]
		}
		if !index.NullPage(i) {
			check("page", index.MinValue(i), index.MaxValue(i), page)
		} else if slices.ContainsFunc(page, func(v *string) bool { return v != nil }) {
			t.Errorf("page %d of %s is not NULL", i, column.Name)
		}
	}
}

// TestLargeRecords: the footer of large records is small, whichever of their strings is large.
func TestLargeRecords(t *testing.T) {
	text := strings.Repeat("a record of many bytes ", 10<<20/23)
	fields := sinktest.Generate(t, 1, 24, epoch, time.Second)
	for i := range fields {
		fields[i].Fields = text
	}
	others := sinktest.Generate(t, 1, 3, epoch, time.Second)
	for _, c := range record.Columns() {
		*c.Value(&others[1]) = text[:1<<20]
	}
	for name, test := range map[string]struct {
		records []record.Record
		limit   int
	}{"24 of 10 MiB": {fields, footerLimit}, "1 MiB in each column": {others, 8 << 10}} {
		body := encode(t, NewEncoder(meta), test.records)
		size := len(body) - int(open(t, body).Metadata().RowGroups[0].Columns[0].ColumnIndexOffset)
		if t.Logf("%s: %d bytes", name, size); size >= test.limit {
			t.Errorf("%s: footer and page index take %d bytes, want less than %d", name, size, test.limit)
		}
	}
}

// TestPagesInOrder: the bounds of a chunk's pages are true of each page, and the index says an order only if the pages have one.
func TestPagesInOrder(t *testing.T) {
	const inPage = pageBytes / indexSize
	records := make([]record.Record, 2*inPage+1)
	for i := range records {
		records[i] = record.Record{
			ID: int64(i*7919%len(records) + 1), CreatedAt: epoch.Add(time.Duration(i) * time.Millisecond),
			Action: fmt.Sprint("of page ", i%rowGroupRows/inPage), Absent: ^record.Of("action"),
		}
	}
	for i, group := range open(t, encode(t, NewEncoder(meta), records)).RowGroups() {
		for _, column := range group.ColumnChunks() {
			index, err := column.ColumnIndex()
			if errors.Is(err, pq.ErrMissingColumnIndex) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			switch name := columns[column.Column()].Name; name {
			case "id", "created_at", "created_at_us":
				if sorted := name != "id" || index.NumPages() == 1; index.IsAscending() != sorted {
					t.Errorf("row group %d: the %d pages of %s are sorted: %t", i, index.NumPages(), name, index.IsAscending())
				}
			case "action":
				for page := range index.NumPages() {
					want := fmt.Sprint("of page ", page)
					if low, high := index.MinValue(page).String(), index.MaxValue(page).String(); low != want || high != want {
						t.Errorf("row group %d: page %d of actions is from %q to %q", i, page, low, high)
					}
				}
			}
		}
	}
}
