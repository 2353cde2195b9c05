package crashtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/table"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest/engine"
)

const auditTable = "bloodhound_audit"

// ddl is what houndtrail ddl prints for an engine. An engine without S3 reads the folder of the S3 server.
func (y *years) ddl(d table.Dialect, more ...string) string {
	y.t.Helper()
	runs := y.acme.runs
	if d == table.DuckDB || d == table.Spark || d == table.ClickHouse {
		runs = y.acme.with("HOUNDTRAIL_ARCHIVE_URL=file://" + y.place.root + "/archive")
	}
	return runs.output(0, append([]string{"ddl", "--dialect", string(d)}, more...)...)
}

func execAll(tb testing.TB, e tabletest.Engine, sql string) {
	tb.Helper()
	for statement := range strings.SplitSeq(sql, ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			e.Exec(tb, statement)
		}
	}
}

// over makes the table of a dialect in Trino: what Athena and Glue would keep goes into the metastore as it is printed.
func (y *years) over(trino engine.TrinoServer, d table.Dialect, when string) engine.Trino {
	y.t.Helper()
	e, sql := trino.Hive(y.t, string(d)+"_"+when), y.ddl(d)
	switch d {
	case table.Athena:
		trino.Register(y.t, e.Schema, auditTable, engine.ParseAthena(y.t, strings.TrimSuffix(strings.TrimSpace(sql), ";")))
	case table.Glue:
		name, t := engine.ParseGlue(y.t, sql)
		trino.Register(y.t, e.Schema, name, t)
	default:
		execAll(y.t, e, sql)
	}
	return e
}

// readers counts the records by every dialect, and returns the CPU time that count(*) of the busy month takes Trino.
func (y *years) readers(trino engine.TrinoServer, when string) time.Duration {
	y.t.Helper()
	whole := [][]string{}
	for _, c := range y.both() {
		sum := int64(0)
		for i := range c.served {
			sum += c.served[i].ID
		}
		whole = append(whole, []string{c.tenant, fmt.Sprint(len(c.served)), fmt.Sprint(sum)})
	}
	slices.SortFunc(whole, slices.Compare)
	duck := engine.StartPython(y.t, "duckdb")
	execAll(y.t, duck, y.ddl(table.DuckDB))
	engines := map[string]tabletest.Engine{"DuckDB": duck}
	engines["Trino, of athena"] = y.over(trino, table.Athena, when)
	if when == "after" { // many thousand objects take these very long
		for _, d := range []table.Dialect{table.Glue, table.Trino} {
			engines["Trino, of "+string(d)] = y.over(trino, d, when)
		}
		for name, d := range map[string]table.Dialect{"spark": table.Spark, "clickhouse": table.ClickHouse} {
			e := engine.StartPython(y.t, name)
			execAll(y.t, e, y.ddl(d))
			engines[name] = e
		}
	}
	for name, e := range engines {
		y.step("all records, "+when+": "+name, func() {
			got := tabletest.Rows(e.Query(y.t, "SELECT tenant, count(*), sum(id) FROM "+auditTable+" GROUP BY tenant ORDER BY tenant"))
			if diff := cmp.Diff(whole, got); diff != "" {
				y.t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
	if when == "after" {
		for name, d := range map[string]table.Dialect{"spark": table.Spark, "clickhouse": table.ClickHouse} {
			y.views(name, engines[name], d)
		}
	}
	return y.countMonth(trino.Hive(y.t, string(table.Athena)+"_"+when), when)
}

// countMonth measures count(*) of the busy month, the cheapest of three times: the first one compiles.
func (y *years) countMonth(e engine.Trino, when string) time.Duration {
	y.t.Helper()
	last := y.end.AddDate(0, 0, -1)
	sql := fmt.Sprintf("SELECT count(*) FROM %s WHERE tenant = '%s' AND dt BETWEEN '%s' AND '%s'", auditTable, tenant,
		y.month.Format(time.DateOnly), last.Format(time.DateOnly))
	var all []int64
	want := int(y.end.Sub(y.month) / (30 * time.Second))
	var stats engine.Stats
	for range 3 {
		var rows [][]any
		if rows, stats = e.Run(y.t, sql); tabletest.Rows(rows)[0][0] != fmt.Sprint(want) {
			y.t.Errorf("the month has %v records, want %d", rows, want)
		}
		all = append(all, stats.CPUMillis)
	}
	y.figure("count(*) of the month "+when, "%.3f s of Trino's CPU (of 3: %v ms), %d splits", float64(slices.Min(all))/1000, all, stats.Splits)
	return time.Duration(slices.Min(all)) * time.Millisecond
}

// all are the records of both tenants.
func (y *years) all() map[string][]record.Record {
	return map[string][]record.Record{tenant: y.acme.records(), otherTenant: y.other.records()}
}

// views makes each view, and compares its rows by day and by person with those that follow from the records without SQL.
func (y *years) views(name string, e tabletest.Engine, d table.Dialect) {
	y.t.Helper()
	execAll(y.t, e, y.ddl(d, "--view", "all"))
	want := tabletest.ViewsOf(y.all())
	for _, view := range table.Views() {
		columns := strings.Split(want[view].Columns, ", ")
		sum := columns[2]
		if view == "audit_actors" {
			sum = columns[3]
		}
		for _, by := range []string{"dt", "who"} {
			at := slices.Index(columns, by)
			groups := map[[2]string][2]int64{}
			for _, row := range want[view].Rows {
				key := [2]string{row[0], row[at]}
				var n int64
				if _, err := fmt.Sscan(row[slices.Index(columns, sum)], &n); err != nil {
					y.t.Fatal(err)
				}
				groups[key] = [2]int64{groups[key][0] + 1, groups[key][1] + n}
			}
			rows := [][]string{}
			for key, g := range groups {
				rows = append(rows, []string{key[0], key[1], fmt.Sprint(g[0]), fmt.Sprint(g[1])})
			}
			got := tabletest.Rows(e.Query(y.t, fmt.Sprintf("SELECT tenant, %[1]s, count(*), sum(%[2]s) FROM %[3]s GROUP BY tenant, %[1]s",
				by, sum, view)))
			slices.SortFunc(rows, slices.Compare)
			slices.SortFunc(got, slices.Compare)
			if diff := cmp.Diff(rows, got); diff != "" || len(rows) == 0 {
				y.t.Errorf("%s by %s, %s (-want +got):\n%.3000s", view, by, name, diff)
			}
		}
	}
}
