package table_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/deploy/athena"
	"github.com/houndtrail/houndtrail/sink/archive/table"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// The real engines run the SQL in package tabletest and in the module duckdbtest. The whole text of each dialect is in
// cmd/houndtrail/testdata/ddl.txtar.

var example = table.Table{
	Name: "security.audit", Location: "s3://bucket/some/prefix", Extension: parquet.Extension,
	Tenants: []string{"acme.example", "emea_1"}, First: time.Date(2024, 5, 6, 23, 0, 0, 0, time.UTC),
}

func create(t *testing.T, over table.Table, d table.Dialect) string {
	t.Helper()
	sql, err := over.Create(d)
	if err != nil {
		t.Fatal(err)
	}
	return sql
}

// TestColumns compares the columns of each dialect with the files' schema. A column that is added there must be added here, with a
// comment for people.
func TestColumns(t *testing.T) {
	var names []string
	for _, c := range parquet.Columns() {
		names = append(names, c.Name)
	}
	partitioned := append(slices.Clone(names), "tenant", "dt")
	for d, column := range map[table.Dialect]string{
		table.Athena: "(?m)^  `(.*)` \\w+ COMMENT '[^']{9,}',?$", table.Spark: "(?m)^  `(.*)` \\w+ COMMENT '[^']{9,}',?$",
		table.Trino: `(?m)^  "(.*)" [\w()]+ COMMENT '[^']{9,}'`, table.Glue: `(?m)"Name": "(\w+)",\s+"Type": "\w+",\s+"Comment": ".{9,}"`,
		table.ClickHouse: `(\w+) (?:Int64|DateTime64\(3, ''UTC''\)|(?:Nullable\()?String\)?)(?:, |')`,
	} {
		var got []string
		for _, m := range regexp.MustCompile(column).FindAllStringSubmatch(create(t, example, d), -1) {
			got = append(got, m[1])
		}
		want := slices.Clone(partitioned)
		if d == table.Glue { // the keys of the partitions come first
			want = append([]string{"tenant", "dt"}, names...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", d, diff)
		}
	}
}

func TestPartitions(t *testing.T) {
	for d, want := range map[table.Dialect][]string{
		table.Athena: {"'projection.tenant.values' = 'acme.example,emea_1'", "'projection.dt.range' = '2024-05-06,NOW'"},
		table.Glue:   {`"projection.tenant.values": "acme.example,emea_1"`, `"projection.dt.range": "2024-05-06,NOW"`, `"DatabaseName": "security"`},
		table.Trino:  {"ARRAY['acme.example', 'emea_1']", "ARRAY['2024-05-06', 'NOW']"},
		table.DuckDB: {"WHERE tenant IN ('acme.example', 'emea_1')"}, table.ClickHouse: {"WHERE tenant IN ('acme.example', 'emea_1')"},
	} {
		for _, part := range want {
			if got := create(t, example, d); !strings.Contains(got, part) {
				t.Errorf("%s: no %s in\n%s", d, part, got)
			}
		}
	}
	future := example
	future.First, future.Last = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(9998, 1, 2, 5, 0, 0, 0, time.UTC)
	for d, want := range map[table.Dialect]string{table.Athena: "'1999-12-31,9998-01-02'", table.Trino: "ARRAY['1999-12-31', '9998-01-02']"} {
		if got := create(t, future, d); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in\n%s", d, want, got)
		}
	}
	if !json.Valid([]byte(create(t, example, table.Glue))) {
		t.Error("the table of Glue is no JSON")
	}
}

// TestLocations: a location reaches the engine unchanged, even with characters that SQL quotes.
func TestLocations(t *testing.T) {
	for _, test := range []struct {
		location, endpoint string
		dialect            table.Dialect
		want               string
	}{
		{"s3://bucket/it's/", "", table.Athena, `LOCATION 's3://bucket/it\'s/audit/'`},
		{"s3://bucket/it's/", "", table.Spark, `LOCATION 's3a://bucket/it\'s/audit/'`},
		{"s3://bucket/it's/", "", table.Trino, "external_location = 's3://bucket/it''s/audit/'"},
		{"s3://bucket", "", table.DuckDB, "'s3://bucket/audit/*/*/*.parquet'"},
		{"file:///var/it's", "", table.DuckDB, "'/var/it''s/audit/*/*/*.parquet'"},
		{"file:///var/it's", "", table.Spark, `LOCATION '/var/it\'s/audit/'`},
		{"file:///var/it's", "", table.ClickHouse, "file('/var/it''s/audit/tenant=*/dt=*/*.parquet'"},
		{"s3://bucket/p", "", table.ClickHouse, "s3('https://bucket.s3.amazonaws.com/p/audit/tenant=*/dt=*/*.parquet'"},
		{"s3://bucket/p", "http://minio:9000/", table.ClickHouse, "s3('http://minio:9000/bucket/p/audit/tenant=*/dt=*/*.parquet'"},
	} {
		over := example
		over.Location, over.Endpoint = test.location, test.endpoint
		if got := create(t, over, test.dialect); !strings.Contains(got, test.want) {
			t.Errorf("%s over %s: no %s in\n%s", test.dialect, test.location, test.want, got)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*table.Table)
		dialect table.Dialect
		want    string
	}{
		"directory":        {func(t *table.Table) { t.Location = "file:///var/audit" }, table.Athena, "duckdb"},
		"web":              {func(t *table.Table) { t.Location = "https://bucket/prefix" }, table.DuckDB, "s3://"},
		"no URL":           {func(t *table.Table) { t.Location = "bucket/prefix" }, table.Trino, "s3://"},
		"no tenant":        {func(t *table.Table) { t.Tenants = nil }, table.Glue, "tenants"},
		"bad tenant":       {func(t *table.Table) { t.Tenants = []string{"a,b"} }, table.Athena, `"a,b"`},
		"format":           {func(t *table.Table) { t.Extension = ".csv" }, table.DuckDB, ".csv"},
		"lines for Spark":  {func(t *table.Table) { t.Extension = ndjson.Extension }, table.Spark, "NDJSON"},
		"another language": {func(*table.Table) {}, "mysql", `"mysql"`},
	} {
		bad := example
		test.change(&bad)
		if got, err := bad.Create(test.dialect); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %q, %v; want an error with %q", name, got, err, test.want)
		}
	}
	directory := example
	directory.Location = "file:///var/audit"
	if _, err := directory.Create(table.Glue); !errors.Is(err, table.ErrNotS3) {
		t.Errorf("a directory: %v; want %v", err, table.ErrNotS3)
	}
	for _, d := range []table.Dialect{table.Trino, table.Glue, table.DuckDB, table.ClickHouse} {
		if got, err := example.Alter(d); err == nil {
			t.Errorf("ALTER for %s: %q", d, got)
		}
	}
}

func questions(t *testing.T) []table.Question {
	t.Helper()
	all, err := table.Questions(athena.Files)
	if err != nil || len(all) < 11 {
		t.Fatalf("%d questions, %v", len(all), err)
	}
	return all
}

// TestQuestionsAreFilled: a filled question has none of the values in the files any more.
func TestQuestionsAreFilled(t *testing.T) {
	a := table.Answer{
		Table: "logs.t", Tenants: []string{"b"}, Since: time.Date(2031, 5, 6, 0, 0, 0, 0, time.UTC), Until: time.Date(2031, 5, 7, 0, 0, 0, 0, time.UTC),
		Request: "r", Zone: "Asia/Tokyo", Place: "s3://place/",
	}
	for _, q := range questions(t) {
		if len(q.Title) > 60 {
			t.Errorf("%s: a title of %d letters: %s", q.Name, len(q.Title), q.Title)
		}
		for _, d := range []table.Dialect{table.Athena, table.Trino, table.DuckDB} {
			got, err := q.SQL(d, a)
			if err != nil {
				if q.Name != "iceberg" || d != table.DuckDB {
					t.Errorf("%s for %s: %v", q.Name, d, err)
				}
				continue
			}
			for _, left := range []string{"2026-", "acme", "Berlin", "00000000-0000-4000", "s3://bucket", "FROM audit_", "FROM bloodhound_audit"} {
				if strings.Contains(got, left) {
					t.Errorf("%s for %s has %s:\n%s", q.Name, d, left, got)
				}
			}
			if !strings.Contains(got, "tenant IN ('b') AND dt BETWEEN '2031-05-06' AND '2031-05-07'") {
				t.Errorf("%s for %s does not name its partitions:\n%s", q.Name, d, got)
			}
		}
	}
	for _, q := range questions(t) {
		if _, err := q.SQL(table.Spark, a); err == nil {
			t.Errorf("%s for Spark", q.Name)
		}
	}
}

// TestQuoted: a request id stays one literal, with any characters.
func TestQuoted(t *testing.T) {
	all := questions(t)
	q := all[slices.IndexFunc(all, func(q table.Question) bool { return q.Name == "one-request" })]
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringN(1, 20, -1).Draw(t, "request")
		sql, err := q.SQL(table.Athena, table.Answer{Table: "t", Request: id})
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(sql, "request_id = '")
		literal, ends := strings.CutSuffix(rest, "'\nORDER BY created_at_us, id;\n")
		if !ends || strings.Contains(strings.ReplaceAll(literal, "''", ""), "'") || strings.ReplaceAll(literal, "''", "'") != id {
			t.Fatalf("request id %q leaves its literal:\n%s", id, sql)
		}
	})
}
