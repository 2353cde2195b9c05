package duckdbtest

import (
	"bytes"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the driver
	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/table"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

var (
	day  = time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	win  = window.Window{Start: day, End: day.Add(time.Hour)}
	meta = parquet.Metadata{Tenant: sinktest.Tenant, Version: "1.2.3"}
)

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // so that SET holds for every query
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	run(t, db, "SET TimeZone = 'UTC'")
	return db
}

func run(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// query returns the rows as text, NULL as "NULL".
func query(t *testing.T, db *sql.DB, text string, args ...any) [][]string {
	t.Helper()
	var out [][]string
	for _, values := range rows(t, db, text, args...) {
		line := make([]string, len(values))
		for i, v := range values {
			if line[i] = fmt.Sprint(v); v == nil {
				line[i] = "NULL"
			}
		}
		out = append(out, line)
	}
	return out
}

// rows returns the rows as the driver has them.
func rows(tb testing.TB, db *sql.DB, text string, args ...any) (out [][]any) {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), text, args...)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	defer func() { _ = rows.Close() }() // Err tells
	names, err := rows.Columns()
	if err != nil {
		tb.Fatal(err)
	}
	for rows.Next() {
		values, targets := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			tb.Fatal(err)
		}
		out = append(out, values)
	}
	if err := rows.Err(); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return out
}

// write makes a file of the records, as the second file of its encoder: if the encoder forgets a part, that shows from there on.
func write(t *testing.T, e *parquet.Encoder, records []record.Record) string {
	t.Helper()
	var file bytes.Buffer
	for range 2 {
		file.Reset()
		if err := e.Encode(&file, win, records); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// values are all the values of a table with the archive's columns, as records.
func values(t *testing.T, db *sql.DB, from string, args ...any) []record.Record {
	t.Helper()
	names := make([]string, len(record.Columns()))
	for i, c := range record.Columns() {
		names[i] = c.Name
	}
	rows, err := db.QueryContext(t.Context(),
		"SELECT id, created_at_us, epoch_ms(created_at), "+strings.Join(names, ", ")+" FROM "+from+" ORDER BY created_at_us, id", args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // Err tells
	var records []record.Record
	for rows.Next() {
		var r record.Record
		var us, ms int64
		texts := make([]sql.NullString, len(names))
		targets := []any{&r.ID, &us, &ms}
		for i := range texts {
			targets = append(targets, &texts[i])
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		r.CreatedAt = time.UnixMicro(us).UTC()
		if floor := int64(math.Floor(float64(us) / 1000)); ms != floor {
			t.Errorf("id %d: created_at is %d ms for %d us", r.ID, ms, us)
		}
		for i, c := range record.Columns() {
			if *c.Value(&r) = texts[i].String; !texts[i].Valid {
				r.Absent |= record.Of(c.Name)
			}
		}
		records = append(records, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

func TestValues(t *testing.T) {
	db := open(t)
	for name, records := range map[string][]record.Record{
		"corners":  sinktest.Corners(t),
		"ordinary": sinktest.Generate(t, 1, 2000, day, 1234567*time.Microsecond),
	} {
		got := values(t, db, "read_parquet(?)", write(t, parquet.NewEncoder(meta), records))
		if diff := cmp.Diff(sinktest.WithoutRaw(records), got); diff != "" {
			t.Errorf("%s (-want +got):\n%.3000s", name, diff)
		}
	}
}

func TestTypes(t *testing.T) {
	var got []string
	for _, row := range query(t, open(t), "DESCRIBE SELECT * FROM read_parquet(?)", write(t, parquet.NewEncoder(meta), sinktest.Corners(t))) {
		got = append(got, row[0]+" "+row[1])
	}
	want := []string{"id BIGINT", "created_at TIMESTAMP WITH TIME ZONE", "created_at_us BIGINT"}
	for _, c := range record.Columns() {
		want = append(want, c.Name+" VARCHAR")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
}

func TestMetadata(t *testing.T) {
	db := open(t)
	const n = 100_123
	records := make([]record.Record, n)
	for i := range records {
		records[i] = record.Record{
			ID: int64(i + 1), CreatedAt: day.Add(time.Duration(i) * time.Second), Action: "A", Fields: "{}",
			RequestID: fmt.Sprintf("request-%d", i), CommitID: fmt.Sprintf("commit-%d", i),
		}
	}
	path := write(t, parquet.NewEncoder(meta), records)

	columns := []string{"id", "created_at", "created_at_us"}
	for _, c := range record.Columns() {
		columns = append(columns, c.Name)
	}
	var want [][]string
	for group, rows := range []string{"100000", "123"} {
		for _, c := range columns {
			bloom := fmt.Sprint(c == "request_id" || c == "commit_id")
			want = append(want, []string{fmt.Sprint(group), rows, c, "ZSTD", bloom})
		}
	}
	got := query(t, db, `SELECT row_group_id, row_group_num_rows, path_in_schema, compression, bloom_filter_offset IS NOT NULL
		FROM parquet_metadata(?) ORDER BY row_group_id, column_id`, path)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("column chunks (-want +got):\n%s", diff)
	}

	got = query(t, db, "SELECT decode(key), decode(value) FROM parquet_kv_metadata(?) ORDER BY 1", path)
	if diff := cmp.Diff([][]string{
		{"houndtrail.tenant", sinktest.Tenant},
		{"houndtrail.version", "1.2.3"},
		{"houndtrail.window_end", "2026-03-10T01:00:00Z"},
		{"houndtrail.window_start", "2026-03-10T00:00:00Z"},
	}, got); diff != "" {
		t.Errorf("key-value metadata (-want +got):\n%s", diff)
	}
	got = query(t, db, "SELECT created_by, num_rows, num_row_groups FROM parquet_file_metadata(?)", path)
	if diff := cmp.Diff([][]string{{"houndtrail version 1.2.3", fmt.Sprint(n), "2"}}, got); diff != "" {
		t.Errorf("file metadata (-want +got):\n%s", diff)
	}

	// The bloom filters rule out every row group except the one with the value.
	got = query(t, db, "SELECT row_group_id, bloom_filter_excludes FROM parquet_bloom_probe(?, 'request_id', 'request-7') ORDER BY 1", path)
	if diff := cmp.Diff([][]string{{"0", "false"}, {"1", "true"}}, got); diff != "" {
		t.Errorf("bloom probe (-want +got):\n%s", diff)
	}
	got = query(t, db, "SELECT id FROM read_parquet(?) WHERE commit_id = 'commit-100100' AND created_at >= TIMESTAMPTZ '2026-03-11 00:00:00Z'", path)
	if diff := cmp.Diff([][]string{{"100101"}}, got); diff != "" {
		t.Errorf("filtered query (-want +got):\n%s", diff)
	}
}

// TestArchive queries an archive directory through the view that the ddl command prints, in all formats.
func TestArchive(t *testing.T) {
	for extension, encoder := range map[string]func() archive.Encoder{
		parquet.Extension:    func() archive.Encoder { return parquet.NewEncoder(meta) },
		ndjson.Extension:     func() archive.Encoder { return ndjson.NewEncoder(sinktest.Tenant, ndjson.Gzip) },
		ndjson.ZstdExtension: func() archive.Encoder { return ndjson.NewEncoder(sinktest.Tenant, ndjson.Zstd) },
	} {
		t.Run(extension, func(t *testing.T) {
			store, err := dir.Open(filepath.Join(t.TempDir(), "it's an archive"))
			if err != nil {
				t.Fatal(err)
			}
			a, err := archive.New(store, sinktest.Tenant, encoder)
			if err != nil {
				t.Fatal(err)
			}
			corners, records := sinktest.Corners(t), sinktest.Generate(t, 100, 96, day, 30*time.Minute) // two days
			for i, rs := range [][]record.Record{corners, records} {
				w := window.Window{Start: day.Add(time.Duration(i) * time.Hour), End: day.Add(48 * time.Hour)}
				if _, err := sinktest.Write(t.Context(), a, w, rs); err != nil {
					t.Fatal(err)
				}
			}
			view, err := table.Table{Name: "audit", Location: store.String(), Extension: extension}.Create(table.DuckDB)
			if err != nil {
				t.Fatal(err)
			}
			db := open(t)
			run(t, db, view)

			if extension == parquet.Extension {
				all := slices.Concat(corners, records)
				if diff := cmp.Diff(sinktest.WithoutRaw(all), values(t, db, "audit")); diff != "" {
					t.Errorf("all values (-want +got):\n%.3000s", diff)
				}
			}
			got := query(t, db, "SELECT tenant, dt, count(*), min(id), max(id) FROM audit WHERE dt >= DATE '2026-03-11' GROUP BY ALL")
			want := [][]string{{sinktest.Tenant, "2026-03-11 00:00:00 +0000 UTC", "48", "148", "195"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("one day (-want +got):\n%s", diff)
			}
			got = query(t, db, "SELECT count(*), count(DISTINCT id), sum(id) FROM audit")
			sum := int64(0)
			for _, r := range slices.Concat(corners, records) {
				sum += r.ID
			}
			if diff := cmp.Diff([][]string{{"107", "107", fmt.Sprint(sum)}}, got); diff != "" {
				t.Errorf("count (-want +got):\n%s", diff)
			}
			got = query(t, db, "SELECT fields->>'$.auth_type' FROM audit WHERE id = 3 AND action = 'LoginAttempt'")
			if diff := cmp.Diff([][]string{{"secret"}}, got); diff != "" {
				t.Errorf("a value inside fields (-want +got):\n%s", diff)
			}
		})
	}
}
