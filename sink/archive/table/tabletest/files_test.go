package tabletest_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest/engine"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// writers are the two writers of the archive's Parquet files: an export, and a compaction.
func writers() map[string]*parquet.Encoder {
	meta := parquet.Metadata{Tenant: tabletest.Tenant, Version: "1.2.3"}
	return map[string]*parquet.Encoder{"an export's": parquet.NewEncoder(meta), "a compaction's": parquet.NewDenseEncoder(meta)}
}

// A fileReader is an engine that reads one file.
type fileReader interface {
	// Rows returns all rows by (created_at_us, id). A row has the id, created_at in milliseconds, created_at_us, and the MD5 of each
	// other column.
	Rows(t *testing.T, path string) [][]any
	// Count returns the number of rows with a value in a column. An engine may skip rows by the file's statistics and bloom filters.
	Count(t *testing.T, path, column, value string) string
}

// testFiles lets a reader read every value of every kind of file. It compares digests, because some values are large.
func testFiles(t *testing.T, reader fileReader) {
	t.Helper()
	for kind, records := range sinktest.Files(t, tabletest.First) {
		for by, writer := range writers() {
			t.Run(kind+", "+by, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file.parquet")
				var file bytes.Buffer
				if err := writer.Encode(&file, window.Window{Start: tabletest.First, End: tabletest.Last}, records); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(digests(records), tabletest.Rows(reader.Rows(t, path))); diff != "" {
					t.Errorf("rows (-want +got):\n%.3000s", diff)
				}
				judgeCounts(t, reader, path, records)
			})
		}
	}
}

// digests returns the rows that a reader must find.
func digests(records []record.Record) [][]string {
	rows := make([][]string, len(records))
	for i := range records {
		r := &records[i]
		rows[i] = []string{fmt.Sprint(r.ID), fmt.Sprint(r.CreatedAt.UnixMilli()), fmt.Sprint(r.CreatedAt.UnixMicro())}
		for _, c := range record.Columns() {
			if r.Absent.Has(record.Of(c.Name)) {
				rows[i] = append(rows[i], "NULL")
				continue
			}
			sum := md5.Sum([]byte(*c.Value(r)))
			rows[i] = append(rows[i], hex.EncodeToString(sum[:]))
		}
	}
	return rows
}

// judgeCounts asks for the ids of some records, which have a bloom filter and statistics, and for an id that no record has.
func judgeCounts(t *testing.T, reader fileReader, path string, records []record.Record) {
	t.Helper()
	for _, c := range record.Columns() {
		if c.Kind != record.Unique {
			continue
		}
		asked := map[string]int{"of no record": 0}
		for i := 0; i < len(records); i += max(1, len(records)/3) {
			if value := *c.Value(&records[i]); isPlain(value) {
				asked[value] = 0
			}
		}
		for i := range records {
			if value := *c.Value(&records[i]); !records[i].Absent.Has(record.Of(c.Name)) {
				if _, is := asked[value]; is {
					asked[value]++
				}
			}
		}
		for value, want := range asked {
			if got := reader.Count(t, path, c.Name, value); got != fmt.Sprint(want) {
				t.Errorf("%s = %q: %s rows, want %d", c.Name, value, got, want)
			}
		}
	}
}

// isPlain tells whether every dialect writes a text in the same way.
func isPlain(value string) bool {
	return value != "" && strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_ ,") == ""
}

// An sqlReader is an engine with SQL.
type sqlReader struct {
	tabletest.Engine

	from          func(t *testing.T, path string) string // a table expression
	digest, milli string                                 // expressions with %s for the column
}

func (r sqlReader) Rows(t *testing.T, path string) [][]any {
	t.Helper()
	columns := []string{"id", fmt.Sprintf(r.milli, "created_at"), "created_at_us"}
	for _, c := range record.Columns() {
		columns = append(columns, fmt.Sprintf(r.digest, c.Name))
	}
	return r.Query(t, "SELECT "+strings.Join(columns, ", ")+" FROM "+r.from(t, path)+" ORDER BY created_at_us, id")
}

func (r sqlReader) Count(t *testing.T, path, column, value string) string {
	t.Helper()
	rows := r.Query(t, "SELECT count(*) FROM "+r.from(t, path)+" WHERE "+column+" = '"+value+"'")
	return tabletest.Rows(rows)[0][0]
}

func TestFilesSpark(t *testing.T) {
	e := engine.StartPython(t, "spark")
	for _, vectorized := range []string{"true", "false"} {
		t.Run("vectorized "+vectorized, func(t *testing.T) {
			e.Exec(t, "SET spark.sql.parquet.enableVectorizedReader="+vectorized)
			testFiles(t, sqlReader{
				Engine: e, digest: "md5(%s)", milli: "unix_millis(%s)",
				from: func(_ *testing.T, path string) string { return "parquet.`" + path + "`" },
			})
		})
	}
}

func TestFilesClickHouse(t *testing.T) {
	testFiles(t, sqlReader{
		Engine: engine.StartPython(t, "clickhouse"), digest: "lower(hex(MD5(%s)))", milli: "toUnixTimestamp64Milli(%s)",
		from: func(_ *testing.T, path string) string { return "file('" + path + "', Parquet)" },
	})
}

// A pyArrow reads in file order, without a sort.
type pyArrow struct{ *engine.Python }

func (r pyArrow) Rows(t *testing.T, path string) [][]any {
	t.Helper()
	return r.Run(t, "query", path)
}

func (r pyArrow) Count(t *testing.T, path, column, value string) string {
	t.Helper()
	return tabletest.Rows(r.Run(t, "query", path+"\n"+column+"\n"+value))[0][0]
}

func TestFilesPyArrow(t *testing.T) {
	testFiles(t, pyArrow{engine.StartPython(t, "pyarrow")})
}

func TestFilesTrino(t *testing.T) {
	engine.NeedTrino(t)
	gateway := servers.VersityGW(t)
	servers.CreateBucket(t, gateway, "audit", false)
	t.Setenv("AWS_ACCESS_KEY_ID", gateway.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", gateway.SecretKey)
	e := engine.StartTrino(t, gateway).Hive(t, "files")
	columns := []string{"id bigint", "created_at timestamp(3)", "created_at_us bigint"}
	for _, c := range record.Columns() {
		columns = append(columns, c.Name+" varchar")
	}
	tables := map[string]string{}
	testFiles(t, sqlReader{
		Engine: e, digest: "lower(to_hex(md5(to_utf8(%s))))", milli: "CAST(round(to_unixtime(%s) * 1000) AS bigint)",
		from: func(t *testing.T, path string) string {
			t.Helper()
			if tables[path] == "" {
				tables[path] = fmt.Sprintf("file_%d", len(tables))
				location := "s3://audit/files/" + tables[path]
				file, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := store(t, gateway, location).Put(t.Context(), "file.parquet", file, ""); err != nil {
					t.Fatal(err)
				}
				e.Exec(t, "CREATE TABLE "+tables[path]+" ("+strings.Join(columns, ", ")+") WITH (external_location = '"+location+
					"', format = 'PARQUET')")
			}
			return tables[path]
		},
	})
}
