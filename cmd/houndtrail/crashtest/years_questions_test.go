package crashtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/deploy/athena"
	"github.com/houndtrail/houndtrail/sink/archive/table"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest/engine"
)

const zone = "Europe/Berlin"

// query asks all questions by Trino and by DuckDB, about a time in which the database was restored. Both have to give the same rows,
// and as many as follow from the records without SQL.
func (y *years) query(trino engine.TrinoServer) {
	y.t.Helper()
	athenas, duck := trino.Hive(y.t, string(table.Athena)+"_after"), engine.StartPython(y.t, "duckdb")
	execAll(y.t, duck, y.ddl(table.DuckDB))
	y.step("views by Trino", func() { y.views("Trino", athenas, table.Athena) })
	y.step("views by DuckDB", func() { y.views("DuckDB", duck, table.DuckDB) })
	questions, err := table.Questions(athena.Files)
	if err != nil {
		y.t.Fatal(err)
	}
	middle := y.first.Add(y.month.Sub(y.first) / 2).Truncate(oneDay)
	since, until := middle.Add(-20*oneDay), middle.Add(20*oneDay)
	request := y.acme.served[len(y.acme.served)/2].RequestID
	want := y.answers(since, until, request)
	asked := 0
	y.step("questions by both", func() {
		for _, q := range questions {
			if q.Name == "iceberg" { // it is no question
				continue
			}
			asked++
			ask := func(d table.Dialect, e tabletest.Engine) [][]string {
				sql := y.acme.output(0, "query", q.Name, "--dialect", string(d), "--since", since.Format(time.DateOnly),
					"--until", until.Format(time.DateOnly), "--request", request, "--zone", zone)
				rows := tabletest.Rows(e.Query(y.t, strings.TrimSuffix(strings.TrimSpace(sql), ";")))
				slices.SortFunc(rows, slices.Compare)
				return rows
			}
			one, other := ask(table.Athena, athenas), ask(table.DuckDB, duck)
			if diff := cmp.Diff(one, other); diff != "" {
				y.t.Errorf("%s: Trino and DuckDB differ (-Trino +DuckDB):\n%.3000s", q.Name, diff)
			}
			if n, is := want[q.Name]; !is || n != len(one) || n == 0 {
				y.t.Errorf("%s has %d rows, want %d", q.Name, len(one), n)
			}
		}
	})
	if asked != len(want) {
		y.t.Errorf("%d questions, and the test knows %d", asked, len(want))
	}
	y.figure("questions", "%d, each by Trino and DuckDB, about %d days", asked, int(until.Sub(since)/oneDay)+1)
}

// answers is how many rows each question has.
func (y *years) answers(since, until time.Time, request string) map[string]int {
	berlin, err := time.LoadLocation(zone)
	if err != nil {
		y.t.Fatal(err)
	}
	views := tabletest.ViewsOf(y.all())
	// rows are the distinct values of some columns in the rows of a view that are asked for.
	rows := func(view string, asked func(of map[string]string) bool, columns ...string) int {
		seen := map[string]bool{}
		names := strings.Split(views[view].Columns, ", ")
		for _, row := range views[view].Rows {
			of := map[string]string{}
			for i, name := range names {
				of[name] = row[i]
			}
			if of["tenant"] != tenant || of["dt"] < since.Format(time.DateOnly) || of["dt"] > until.Format(time.DateOnly) || !asked(of) {
				continue
			}
			key := ""
			for _, name := range columns {
				key += of[name] + "\x00"
			}
			seen[key] = true
		}
		return len(seen)
	}
	is := func(actions ...string) func(map[string]string) bool {
		return func(of map[string]string) bool { return slices.Contains(actions, of["action"]) }
	}
	all := func(map[string]string) bool { return true }
	single := []string{"id", "created_at_us"}
	wipes := is("DeleteBloodhoundData", "DeleteAllAuthTokens")
	requests, actors := 0, 0
	for _, row := range views["audit_actors"].Rows {
		if row[0] == tenant && row[1] >= since.Format(time.DateOnly) && row[1] <= until.Format(time.DateOnly) {
			actors++
		}
	}
	for i := range y.acme.served {
		if r := &y.acme.served[i]; r.RequestID == request && !r.CreatedAt.Before(since) && r.CreatedAt.Before(until.Add(oneDay)) {
			requests++
		}
	}
	return map[string]int{
		"activity":         actors,
		"cypher-mutations": rows("audit_events", is("MutateGraph"), single...),
		"data-wipes":       rows("audit_events", wipes, single...) + rows("audit_orphans", wipes, single...),
		"exports":          rows("audit_events", func(of map[string]string) bool { return strings.HasPrefix(of["action"], "Export") }, single...),
		"failed-logins": rows("audit_logins", func(of map[string]string) bool { return of["status"] == "failure" },
			"who", "client_address", "peer_address"),
		"new-api-tokens": rows("audit_events", func(of map[string]string) bool {
			return of["action"] == "CreateAuthToken" && of["status"] == "success"
		}, single...),
		"one-request":    requests,
		"orphan-intents": rows("audit_orphans", all, single...),
		"out-of-hours": rows("audit_events", func(of map[string]string) bool {
			var micros int64
			_, _ = fmt.Sscan(of["created_at_us"], &micros)
			at := time.UnixMicro(micros).In(berlin)
			return at.Hour() < 7 || at.Hour() > 18 || at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
		}, single...),
		"user-changes": rows("audit_events", is("CreateUser", "UpdateUser", "DeleteUser"), single...),
	}
}
