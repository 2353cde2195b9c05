package duckdbtest

import (
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// TestFiles reads every value of the files that readers have failed on, as digests, since some values are large.
func TestFiles(t *testing.T) {
	db := open(t)
	for name, records := range sinktest.Files(t, day) {
		t.Run(name, func(t *testing.T) {
			columns, want := []string{"CAST(id AS VARCHAR)"}, make([][]string, len(records))
			for i := range records {
				want[i] = []string{fmt.Sprint(records[i].ID)}
			}
			for _, c := range record.Columns() {
				columns = append(columns, "md5("+c.Name+")")
				for i := range records {
					want[i] = append(want[i], digest(&records[i], c))
				}
			}
			for by, encoder := range encoders() {
				path := write(t, encoder, records)
				got := query(t, db, "SELECT "+strings.Join(columns, ", ")+" FROM read_parquet(?) ORDER BY created_at_us, id", path)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%.3000s", by, diff)
				}
			}
		})
	}
}

// encoders are the two that the archive's files are from.
func encoders() map[string]*parquet.Encoder {
	return map[string]*parquet.Encoder{"an export's": parquet.NewEncoder(meta), "a compaction's": parquet.NewDenseEncoder(meta)}
}

func digest(r *record.Record, c record.Column) string {
	if r.Absent.Has(record.Of(c.Name)) {
		return "NULL"
	}
	sum := md5.Sum([]byte(*c.Value(r)))
	return hex.EncodeToString(sum[:])
}

// TestFilters asks for strings by value and by range: the rows that DuckDB leaves out by the statistics must not match.
func TestFilters(t *testing.T) {
	db := open(t)
	for name, records := range sinktest.Files(t, day) {
		for by, encoder := range encoders() {
			t.Run(name+", "+by, func(t *testing.T) {
				path := write(t, encoder, records)
				for _, c := range record.Columns() {
					judgeFilters(t, db, path, c, records)
				}
			})
		}
	}
}

func judgeFilters(t *testing.T, db *sql.DB, path string, c record.Column, records []record.Record) {
	t.Helper()
	for i := 0; i < len(records); i += max(1, len(records)/7) {
		value := *c.Value(&records[i])
		for _, operator := range []string{"=", "<", "<=", ">", ">="} {
			want := 0
			for j := range records {
				if !records[j].Absent.Has(record.Of(c.Name)) && holds(strings.Compare(*c.Value(&records[j]), value), operator) {
					want++
				}
			}
			got := query(t, db, "SELECT count(*) FROM read_parquet(?) WHERE "+c.Name+" "+operator+" ?", path, value)
			if got[0][0] != fmt.Sprint(want) {
				t.Errorf("%s %s %.100q: %s rows, want %d", c.Name, operator, value, got[0][0], want)
			}
		}
	}
	least, greatest := extremes(records, c)
	got := query(t, db, "SELECT min("+c.Name+"), max("+c.Name+") FROM read_parquet(?)", path)
	if diff := cmp.Diff([]string{least, greatest}, got[0]); diff != "" {
		t.Errorf("min and max of %s (-want +got):\n%.1000s", c.Name, diff)
	}
}

func holds(compared int, operator string) bool {
	switch {
	case compared == 0:
		return strings.Contains(operator, "=")
	case compared < 0:
		return operator[0] == '<'
	default:
		return operator[0] == '>'
	}
}

// extremes are the least and the greatest value of a column, "NULL" if there is none.
func extremes(records []record.Record, c record.Column) (least, greatest string) {
	some := false
	for i := range records {
		if records[i].Absent.Has(record.Of(c.Name)) {
			continue
		}
		value := *c.Value(&records[i])
		if !some {
			least, greatest, some = value, value, true
		}
		least, greatest = min(least, value), max(greatest, value)
	}
	if !some {
		return "NULL", "NULL"
	}
	return least, greatest
}
