package tabletest

import (
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/deploy/athena"
	"github.com/houndtrail/houndtrail/sink/archive/table"
)

// null stands for a NULL in a row.
const null = "NULL"

//go:embed testdata/*.json
var testdata embed.FS

var update = flag.String("table.update", "", "folder to which the rows of the questions are written anew")

// An Engine runs SQL.
type Engine interface {
	// Exec runs one statement.
	Exec(tb testing.TB, sql string)
	// Query returns the rows. A value is nil, a string, a number or, for a date or a time, a [time.Time].
	Query(tb testing.TB, sql string) [][]any
}

// Views makes each view in the engine. It compares all of its rows, and then the rows of one day.
func Views(t *testing.T, e Engine, d table.Dialect, over table.Table) {
	t.Helper()
	for name, want := range ViewsOf(Records(t)) {
		t.Run(name, func(t *testing.T) {
			sql, err := over.View(d, name)
			if err != nil {
				t.Fatal(err)
			}
			e.Exec(t, strings.TrimSuffix(strings.TrimSpace(sql), ";"))
			for _, day := range []string{"", "2026-01-27", "2026-02-11", "2026-02-12"} {
				where := ""
				if day != "" {
					where = " WHERE tenant = '" + Tenant + "' AND dt = '" + day + "'"
				}
				rows := [][]string{}
				for _, row := range want.Rows {
					if day == "" || row[0] == Tenant && row[1] == day {
						rows = append(rows, row)
					}
				}
				got := Rows(e.Query(t, "SELECT "+want.Columns+" FROM "+name+where))
				slices.SortFunc(got, slices.Compare)
				slices.SortFunc(rows, slices.Compare)
				if diff := cmp.Diff(rows, got); diff != "" || len(rows) == 0 && day == "" {
					t.Errorf("%s%s (-want +got):\n%.3000s", name, where, diff)
				}
			}
		})
	}
}

// Questions asks each question, and compares the rows. The engine must already have the views.
func Questions(t *testing.T, e Engine, d table.Dialect, name string) {
	t.Helper()
	questions, err := table.Questions(athena.Files)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, q := range questions {
		if q.Name == "iceberg" { // it is not a question
			continue
		}
		asked++
		t.Run(q.Name, func(t *testing.T) {
			sql, err := q.SQL(d, table.Answer{
				Table: name, Tenants: []string{Tenant}, Since: Since, Until: Until, Request: request, Zone: "Europe/Berlin",
			})
			if err != nil {
				t.Fatal(err)
			}
			got := Rows(e.Query(t, strings.TrimSuffix(strings.TrimSpace(sql), ";")))
			if *update != "" {
				if err := os.WriteFile(filepath.Join(*update, q.Name+".json"), encode(t, got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			var want [][]string
			body, err := testdata.ReadFile("testdata/" + q.Name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(body, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
				t.Errorf("%s (-want +got):\n%s", sql, diff)
			}
		})
	}
	if asked < 10 {
		t.Errorf("%d questions; want at least 10", asked)
	}
}

// encode writes a row on a line.
func encode(tb testing.TB, rows [][]string) []byte {
	tb.Helper()
	lines := make([]string, len(rows))
	for i, row := range rows {
		line, err := json.Marshal(row)
		if err != nil {
			tb.Fatal(err)
		}
		lines[i] = "  " + string(line)
	}
	return []byte("[\n" + strings.Join(lines, ",\n") + "\n]\n")
}

// Rows writes values as texts that are the same for every engine.
func Rows(rows [][]any) [][]string {
	out := make([][]string, len(rows))
	for i, row := range rows {
		out[i] = make([]string, len(row))
		for j, value := range row {
			out[i][j] = text(value)
		}
	}
	return out
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func text(value any) string {
	switch v := value.(type) {
	case nil:
		return null
	case time.Time:
		return strings.TrimSuffix(v.UTC().Format("2006-01-02 15:04:05.000"), " 00:00:00.000")
	case float64:
		return number(v)
	default:
		return fmt.Sprint(v)
	}
}
