package parquet

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// The places of columns.
const (
	firstText    = 3
	fieldsColumn = 7
)

func open(t *testing.T, file []byte) *pq.File {
	t.Helper()
	f, err := pq.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSchema pins the columns, which may only be appended to.
func TestSchema(t *testing.T) {
	const want = `message row {
	required int64 id (INT(64,true));
	required int64 created_at (TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS));
	required int64 created_at_us (INT(64,true));
	optional binary actor_id (STRING);
	optional binary actor_name (STRING);
	optional binary actor_email (STRING);
	optional binary action (STRING);
	optional binary fields (STRING);
	optional binary request_id (STRING);
	optional binary source_ip_address (STRING);
	optional binary commit_id (STRING);
	optional binary status (STRING);
}`
	got := open(t, encode(t, NewEncoder(meta), sinktest.Corners(t))).Schema().String()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
	var columns []string
	for _, c := range Columns() {
		columns = append(columns, fmt.Sprint(c.Name, " ", []string{"bigint", "timestamp", "string"}[c.Type], " ", c.Required))
	}
	if diff := cmp.Diff([]string{
		"id bigint true", "created_at timestamp true", "created_at_us bigint true", "actor_id string false",
		"actor_name string false", "actor_email string false", "action string false", "fields string false",
		"request_id string false", "source_ip_address string false", "commit_id string false", "status string false",
	}, columns); diff != "" {
		t.Errorf("Columns() (-want +got):\n%s", diff)
	}
}

// TestFooter looks at several files of one encoder: if the encoder forgets a part, that shows from the second file on.
func TestFooter(t *testing.T) {
	repeating := []string{"actor_id", "actor_name", "actor_email", "action", "source_ip_address", "status"}
	records := sinktest.Generate(t, 1, 200, epoch, time.Second)
	e := NewEncoder(meta)
	for i := range 3 {
		f := open(t, encode(t, e, records[i*50:]))
		m := f.Metadata()
		if want := "houndtrail version 1.2.3"; m.CreatedBy != want {
			t.Errorf("file %d: created by %q, want %q", i, m.CreatedBy, want)
		}
		if diff := cmp.Diff([]format.KeyValue{
			{Key: "houndtrail.tenant", Value: "acme.example"},
			{Key: "houndtrail.version", Value: "1.2.3"},
			{Key: "houndtrail.window_end", Value: "2026-03-01T01:00:00Z"},
			{Key: "houndtrail.window_start", Value: "2026-03-01T00:00:00Z"},
		}, []format.KeyValue(m.KeyValueMetadata)); diff != "" {
			t.Errorf("file %d: metadata (-want +got):\n%s", i, diff)
		}
		group := m.RowGroups[0]
		sorting := []format.SortingColumn{{ColumnIdx: 2}, {ColumnIdx: 0}}
		if diff := cmp.Diff(sorting, []format.SortingColumn(group.SortingColumns)); diff != "" {
			t.Errorf("file %d: sorting columns (-want +got):\n%s", i, diff)
		}
		for j, column := range Columns() {
			c := group.Columns[j].MetaData
			if !slices.Equal([]string{column.Name}, c.PathInSchema) {
				t.Errorf("file %d: column %d is named %q, want %q", i, j, c.PathInSchema, column.Name)
			}
			if c.Codec != format.Zstd {
				t.Errorf("file %d: %s has the codec %s", i, column.Name, c.Codec)
			}
			dictionary := slices.Contains(repeating, column.Name)
			if got := slices.Contains(c.Encoding, format.RLEDictionary); got != dictionary {
				t.Errorf("file %d: %s has a dictionary: %t", i, column.Name, got)
			}
			// Spark up to 3.5.6 and 4.0.0 fails on lengths that are delta-encoded.
			if column.Type == String && !dictionary && !slices.Equal(c.Encoding, []format.Encoding{format.Plain, format.RLE}) {
				t.Errorf("file %d: %s is encoded as %v", i, column.Name, c.Encoding)
			}
			bloom := column.Name == "request_id" || column.Name == "commit_id"
			if got := c.BloomFilterOffset > 0; got != bloom {
				t.Errorf("file %d: %s has a bloom filter: %t", i, column.Name, got)
			}
		}
	}
}

// TestRowGroups writes more rows than a row group takes. It looks at the figures by which readers skip row groups and pages.
func TestRowGroups(t *testing.T) {
	const n = 2*rowGroupRows + 1234
	records := make([]record.Record, n)
	for i := range records {
		records[i] = record.Record{
			ID: int64(i + 1), CreatedAt: epoch.Add(time.Duration(i) * time.Microsecond),
			RequestID: fmt.Sprintf("request-%d", i/2), Absent: ^record.Of("request_id"),
		}
	}
	f := open(t, encode(t, NewEncoder(meta), records))
	row := int64(0)
	for i, group := range f.RowGroups() {
		if group.NumRows() > rowGroupRows {
			t.Errorf("row group %d has %d rows", i, group.NumRows())
		}
		chunk, ok := group.ColumnChunks()[0].(*pq.FileColumnChunk)
		if !ok {
			t.Fatalf("column chunk is a %T", group.ColumnChunks()[0])
		}
		lowest, highest, _ := chunk.Bounds()
		if lowest.Int64() != row+1 || highest.Int64() != row+group.NumRows() {
			t.Errorf("row group %d: ids %v to %v, want %d to %d", i, lowest, highest, row+1, row+group.NumRows())
		}
		index, err := chunk.ColumnIndex()
		if err != nil {
			t.Fatal(err)
		}
		offsets, err := chunk.OffsetIndex()
		if err != nil {
			t.Fatal(err)
		}
		for page := range index.NumPages() {
			if first, want := index.MinValue(page).Int64(), row+offsets.FirstRowIndex(page)+1; first != want {
				t.Errorf("row group %d, page %d: first id %d, want %d", i, page, first, want)
			}
		}
		bloom := group.ColumnChunks()[8].BloomFilter()
		for j := row; j < row+group.NumRows(); j++ {
			if ok, err := bloom.Check(pq.ValueOf(records[j].RequestID)); !ok || err != nil {
				t.Fatalf("row group %d: the bloom filter denies %s: %v", i, records[j].RequestID, err)
			}
		}
		wrong := 0
		for j := range 1000 {
			if ok, _ := bloom.Check(pq.ValueOf(fmt.Sprintf("other-%d", j))); ok {
				wrong++
			}
		}
		if wrong > 50 {
			t.Errorf("row group %d: the bloom filter admits %d of 1000 strangers", i, wrong)
		}
		row += group.NumRows()
	}
	if row != n || len(f.RowGroups()) != 3 {
		t.Errorf("%d rows in %d row groups, want %d in 3", row, len(f.RowGroups()), n)
	}
}

// TestSizes holds row groups and pages to their bytes, which bound the memory of the encoder. Only a record that alone is larger
// may exceed them.
func TestSizes(t *testing.T) {
	files := sinktest.Files(t, epoch)
	text := strings.Repeat("a record of many bytes ", 2*rowGroupBytes/23)
	mixed := sinktest.Generate(t, 1, 10, epoch, time.Second)
	for i := range mixed {
		mixed[i].Fields = text[:[]int{20_000, 10 << 20, 300, rowGroupBytes - 1000, len(text)}[i%5]]
	}
	files["mixed"] = mixed
	e := NewEncoder(meta)
	for name, records := range files {
		file := open(t, encode(t, e, records))
		for i, group := range file.RowGroups() {
			rows := records[:group.NumRows()]
			records = records[len(rows):]
			if n := bytesOf(rows); n > rowGroupBytes && len(rows) > 1 {
				t.Errorf("%s: row group %d has %d rows of %d bytes", name, i, len(rows), n)
			}
			if large(rows) && len(rows) > 1 {
				t.Errorf("%s: row group %d has %d rows, with large fields", name, i, len(rows))
			}
			if len(records) > 0 && len(rows) < rowGroupRows && bytesOf(rows)+size(&records[0]) <= rowGroupBytes &&
				!large(rows) && !large(records[:1]) {
				t.Errorf("%s: row group %d ends after %d rows of %d bytes", name, i, len(rows), bytesOf(rows))
			}
			chunk, _ := group.ColumnChunks()[fieldsColumn].(*pq.FileColumnChunk)
			offsets, err := chunk.OffsetIndex()
			if err != nil {
				t.Fatal(err)
			}
			for page := range offsets.NumPages() {
				end := len(rows)
				if page+1 < offsets.NumPages() {
					end = int(offsets.FirstRowIndex(page + 1))
				}
				total, largest := 0, 0
				for _, r := range rows[offsets.FirstRowIndex(page):end] {
					total, largest = total+len(r.Fields), max(largest, len(r.Fields))
				}
				if total > pageBytes+max(pageBytes, largest) {
					t.Errorf("%s: page %d of row group %d has %d bytes, the largest value %d", name, page, i, total, largest)
				}
			}
		}
		if len(records) > 0 {
			t.Errorf("%s: %d records are in no row group", name, len(records))
		}
	}
}

// TestDictionaries: if a column's dictionary would be too large in a row group, the column has none there. Some readers read
// wrong values from a column that has a dictionary for a part of its pages.
func TestDictionaries(t *testing.T) {
	records := sinktest.Files(t, epoch)["10 KB in names"]
	small := sinktest.Generate(t, 1000, 10, epoch.Add(time.Hour), time.Second)
	e := NewEncoder(meta)
	for _, rows := range [][]record.Record{records, small} {
		body := encode(t, e, rows)
		if diff := cmp.Diff(sinktest.WithoutRaw(rows), sinktest.ReadParquet(t, body)); diff != "" {
			t.Errorf("(-want +got):\n%.1000s", diff)
		}
		for i, group := range open(t, body).Metadata().RowGroups {
			for _, column := range group.Columns[firstText:] {
				m := column.MetaData
				large := len(rows) == len(records) && slices.Contains([]string{"actor_name", "source_ip_address"}, m.PathInSchema[0])
				dictionary := slices.Contains(m.Encoding, format.RLEDictionary)
				if repeats := columnOf(m.PathInSchema[0]).repeats(); dictionary != (repeats && !large) || dictionary != (m.DictionaryPageOffset > 0) {
					t.Errorf("row group %d: %s is encoded as %v", i, m.PathInSchema, m.Encoding)
				}
			}
		}
	}
}

func columnOf(name string) *column {
	return &columns[slices.IndexFunc(columns[:], func(c column) bool { return c.Name == name })]
}

func large(records []record.Record) bool {
	return slices.ContainsFunc(records, func(r record.Record) bool { return len(r.Fields) >= largeFields })
}

func bytesOf(records []record.Record) (n int) {
	for i := range records {
		n += size(&records[i])
	}
	return n
}
