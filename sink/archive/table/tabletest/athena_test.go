package tabletest_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/open"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/deploy/athena"
	"github.com/houndtrail/houndtrail/sink/archive/table"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest/engine"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestTrino runs the tables for Trino, Athena and Glue. Athena's engine is Trino with Hive's grammar for CREATE EXTERNAL TABLE,
// and its tables are in Glue. So the test puts exactly the printed statement into the metastore.
func TestTrino(t *testing.T) {
	engine.NeedTrino(t)
	gateway := servers.VersityGW(t)
	servers.CreateBucket(t, gateway, "audit", false)
	t.Setenv("AWS_ACCESS_KEY_ID", gateway.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", gateway.SecretKey)
	server := engine.StartTrino(t, gateway)
	tables := map[string]table.Table{}
	for extension, encoder := range encoders() {
		over := table.Table{
			Name: name, Location: "s3://audit/archive" + extension, Extension: extension,
			Tenants: []string{tabletest.Other, tabletest.Tenant}, First: tabletest.First, Last: tabletest.Last,
		}
		tables[extension] = over
		tabletest.Write(t, store(t, gateway, over.Location), encoder)
	}
	schema := func(d table.Dialect, extension string) engine.Trino {
		return server.Hive(t, string(d)+strings.ReplaceAll(extension, ".", "_"))
	}
	overAthena := func(extension string) func(*testing.T) {
		return func(t *testing.T) {
			e, over := schema(table.Athena, extension), tables[extension]
			create, err := over.Create(table.Athena)
			if err != nil {
				t.Fatal(err)
			}
			registered, made := name, statements(create)
			if extension != parquet.Extension {
				registered += "_lines"
			}
			server.Register(t, e.Schema, registered, engine.ParseAthena(t, made[0]))
			for _, view := range made[1:] {
				e.Exec(t, view)
			}
			checkRows(t, e)
			got := tabletest.Rows(e.Query(t, "SELECT json_extract_scalar(fields, '$.Name'), json_extract_scalar(fields, '$.name') "+
				"FROM "+name+" WHERE tenant = 'acme' AND dt = '2026-02-11' AND commit_id = 'c21'"))
			if diff := cmp.Diff([][]string{{"a", "b"}}, got); diff != "" {
				t.Errorf("keys that differ in case (-want +got):\n%s", diff)
			}
			if extension != ndjson.ZstdExtension { // it differs from the other lines only in the compression
				tabletest.Views(t, e, table.Athena, over)
				tabletest.Questions(t, e, table.Athena, name)
			}
		}
	}
	overTrino := func(extension string) func(*testing.T) {
		return func(t *testing.T) {
			e, over := schema(table.Trino, extension), tables[extension]
			create, err := over.Create(table.Trino)
			execAll(t, e, create, err)
			checkRows(t, e)
			if extension == parquet.Extension { // the SQL of the views and the questions is Athena's
				tabletest.Views(t, e, table.Trino, over)
			}
		}
	}
	t.Run("athena over Parquet", overAthena(parquet.Extension))
	t.Run("one day", func(t *testing.T) { testOneDay(t, server.Hive(t, "one_day"), tables[parquet.Extension]) })
	t.Run("iceberg", func(t *testing.T) { testIceberg(t, server) })
	t.Run("glue", func(t *testing.T) { testGlue(t, server.Hive(t, "glue"), tables[parquet.Extension]) })
	t.Run("views of Glue", func(t *testing.T) { testGlueViews(t, server, tables[parquet.Extension]) })
	t.Run("a later tenant", func(t *testing.T) { testLater(t, server.Hive(t, "later"), tables[parquet.Extension]) })
	t.Run("trino over Parquet", overTrino(parquet.Extension))
	for _, extension := range []string{ndjson.ZstdExtension, ndjson.Extension} {
		t.Run("trino over "+extension, overTrino(extension))
		t.Run("athena over "+extension, overAthena(extension))
	}
}

func store(t *testing.T, gateway servers.S3, location string) bucket.Bucket {
	t.Helper()
	b, err := open.Open(t.Context(), location, open.Options{
		Options: bucket.Options{Log: zap.NewNop()},
		S3:      s3.Options{Endpoint: gateway.Endpoint, Region: gateway.Region, PathStyle: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checkRows(t *testing.T, e engine.Trino) {
	t.Helper()
	got := byTenant(t, e)
	if diff := cmp.Diff(whole(t), got); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	t.Logf("rows by tenant: %v", got)
}

func testGlue(t *testing.T, e engine.Trino, over table.Table) {
	t.Helper()
	text, err := over.Create(table.Glue)
	if err != nil {
		t.Fatal(err)
	}
	called, in := engine.ParseGlue(t, text)
	e.Register(t, e.Schema, called, in)
	if diff := cmp.Diff(whole(t), byTenant(t, e)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// testLater makes the table before the second tenant comes, and then updates it.
func testLater(t *testing.T, e engine.Trino, over table.Table) {
	t.Helper()
	early := over
	early.Tenants, early.First = []string{tabletest.Tenant}, tabletest.First.AddDate(0, 0, 1)
	create, err := early.Create(table.Athena)
	if err != nil {
		t.Fatal(err)
	}
	before := engine.ParseAthena(t, statements(create)[0])
	e.Register(t, e.Schema, name, before)
	if got := byTenant(t, e); len(got) != 1 {
		t.Errorf("before: %v", got)
	}
	alter, err := over.Alter(table.Athena)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(before.Parameters, engine.Properties(alter))
	e.Exec(t, "CREATE SCHEMA hive.later_altered") // the server remembers the table that it read
	e.Register(t, "later_altered", name, before)
	e.Schema = "later_altered"
	if diff := cmp.Diff(whole(t), byTenant(t, e)); diff != "" {
		t.Errorf("after ALTER TABLE (-want +got):\n%s", diff)
	}
}

// testOneDay: a question about one day reads the objects of this day, and at most those of one neighbouring day.
func testOneDay(t *testing.T, e engine.Trino, over table.Table) {
	t.Helper()
	create, err := over.Create(table.Trino)
	execAll(t, e, create, err)
	for _, view := range table.Views() {
		create, err := over.View(table.Trino, view)
		execAll(t, e, create, err)
	}
	const day = "2026-01-27"
	one := int64(0)
	for _, r := range tabletest.Records(t)[tabletest.Tenant] {
		if r.CreatedAt.Format(time.DateOnly) == day {
			one++
		}
	}
	for view, most := range map[string]int64{
		name: 1, "audit_logins": 1, "audit_actors": 1,
		"audit_events": 3, "audit_orphans": 3, // the day twice, and a neighbour once
	} {
		sql := "SELECT count(*), max(actor_id) FROM " + view + " WHERE tenant = 'acme'"
		_, read := e.Run(t, sql+" AND dt = '"+day+"'")
		_, days := e.Run(t, sql+" AND dt BETWEEN '"+day+"' AND '"+day+"'")
		// The saved questions of deploy/terraform name their days in this way.
		_, computed := e.Run(t, sql+" AND dt BETWEEN CAST(date '2026-01-28' - INTERVAL '1' DAY AS varchar) AND CAST(date '"+day+"' AS varchar)")
		_, whole := e.Run(t, sql)
		t.Logf("%-16s one day: %3d splits, %4d rows; as a range: %3d splits, %4d rows; the archive: %3d splits, %5d rows",
			view, read.Splits, read.Rows, days.Splits, days.Rows, whole.Splits, whole.Rows)
		if read.Rows > most*one || days.Rows > most*one || computed.Rows > most*one {
			t.Errorf("%s reads %d, %d and %d rows for a day of %d; want at most %d times as many",
				view, read.Rows, days.Rows, computed.Rows, one, most)
		}
		if read.Splits > 20 || days.Splits > 20 || computed.Splits > 20 {
			t.Errorf("%s has %d, %d and %d splits for a day; want at most 20", view, read.Splits, days.Splits, computed.Splits)
		}
		if whole.Splits < 2*read.Splits {
			t.Errorf("%s has %d splits for the archive, and %d for a day: the test does not see what a query reads",
				view, whole.Splits, read.Splits)
		}
	}
}

// testIceberg makes the Iceberg table of January and February, and then adds the days until March, twice.
func testIceberg(t *testing.T, server engine.TrinoServer) {
	t.Helper()
	e := engine.Trino{TrinoServer: server, Catalog: "iceberg", Schema: "lake"}
	engine.Trino{TrinoServer: server, Catalog: "iceberg", Schema: "default"}.Exec(t, "CREATE SCHEMA iceberg.lake")
	questions, err := table.Questions(athena.Files)
	if err != nil {
		t.Fatal(err)
	}
	var create, refresh string
	ask := func(q table.Question, a table.Answer) string {
		sql, err := q.SQL(table.Trino, a)
		if err != nil {
			t.Fatal(err)
		}
		// Trino has one connector for each of the two tables. Athena has one for both.
		return strings.ReplaceAll(sql, `FROM "bloodhound_audit"`, "FROM hive.athena_parquet.bloodhound_audit")
	}
	for _, q := range questions {
		if q.Name == "iceberg" {
			a := table.Answer{
				Table: name, Tenants: []string{tabletest.Tenant}, Since: tabletest.First, Until: tabletest.Until,
				Place: "s3://audit/iceberg/",
			}
			create = statements(ask(q, a))[0]
			a.Until = tabletest.Last
			refresh = statements(ask(q, a))[1]
		}
	}
	const count = "SELECT count(*), count(DISTINCT id), sum(id), sum(to_unixtime(created_at)) - sum(created_at_us / 1e6) < 1 FROM audit_iceberg"
	e.Exec(t, create)
	var records, until, sum, sumUntil int64
	for _, r := range tabletest.Records(t)[tabletest.Tenant] {
		records++
		sum += r.ID
		if r.CreatedAt.Before(tabletest.Until.AddDate(0, 0, 1)) {
			until++
			sumUntil += r.ID
		}
	}
	holds := func(when string, n, sum int64) {
		t.Helper()
		got := tabletest.Rows(e.Query(t, count))
		if diff := cmp.Diff(tabletest.Rows([][]any{{n, n, sum, true}}), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	holds("made", until, sumUntil)
	for _, when := range []string{"brought up to date", "and again"} {
		e.Exec(t, refresh)
		holds(when, records, sum)
	}
	exact := tabletest.Rows(e.Query(t, "SELECT CAST(created_at AS varchar) FROM audit_iceberg WHERE commit_id = 'c01' ORDER BY created_at"))
	want := [][]string{{"2026-02-02 08:00:00.000001 UTC"}, {"2026-02-02 08:00:00.250001 UTC"}}
	if diff := cmp.Diff(want, exact); diff != "" {
		t.Errorf("instants (-want +got):\n%s", diff)
	}
}
