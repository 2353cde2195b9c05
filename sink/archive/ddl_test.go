package archive_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

var table = archive.Table{
	Name: "security.audit", Location: "s3://bucket/some/prefix", Extension: parquet.Extension,
	Tenants: []string{"acme.example", "emea_1"}, First: time.Date(2024, 5, 6, 23, 0, 0, 0, time.UTC),
}

func TestDDL(t *testing.T) {
	got, err := archive.DDL(table)
	if err != nil {
		t.Fatal(err)
	}
	const want = "CREATE EXTERNAL TABLE IF NOT EXISTS `security`.`audit` (\n" +
		"  `id` bigint,\n" +
		"  `created_at` timestamp,\n" +
		"  `created_at_us` bigint,\n" +
		"  `actor_id` string,\n" +
		"  `actor_name` string,\n" +
		"  `actor_email` string,\n" +
		"  `action` string,\n" +
		"  `fields` string,\n" +
		"  `request_id` string,\n" +
		"  `source_ip_address` string,\n" +
		"  `commit_id` string,\n" +
		"  `status` string\n" +
		")\n" +
		"PARTITIONED BY (`tenant` string, `dt` string)\n" +
		"STORED AS PARQUET\n" +
		"LOCATION 's3://bucket/some/prefix/audit/'\n" +
		"TBLPROPERTIES (\n" +
		"  'projection.enabled' = 'true',\n" +
		"  'projection.tenant.type' = 'enum',\n" +
		"  'projection.tenant.values' = 'acme.example,emea_1',\n" +
		"  'projection.dt.type' = 'date',\n" +
		"  'projection.dt.format' = 'yyyy-MM-dd',\n" +
		"  'projection.dt.range' = '2024-05-06,NOW',\n" +
		"  'projection.dt.interval' = '1',\n" +
		"  'projection.dt.interval.unit' = 'DAYS',\n" +
		"  'storage.location.template' = 's3://bucket/some/prefix/audit/tenant=${tenant}/dt=${dt}/'\n" +
		");\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("DDL (-want +got):\n%s", diff)
	}
}

// TestDDLColumns holds the table's columns to the files' schema: a column that is appended there must be one here.
func TestDDLColumns(t *testing.T) {
	ddl, err := archive.DDL(table)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, c := range parquet.Columns() {
		athena := map[parquet.Type]string{parquet.Int64: "bigint", parquet.Timestamp: "timestamp", parquet.String: "string"}
		want = append(want, fmt.Sprintf("%s %s", c.Name, athena[c.Type]))
	}
	for _, m := range regexp.MustCompile("(?m)^  `(.*)` (.*?),?$").FindAllStringSubmatch(ddl, -1) {
		got = append(got, m[1]+" "+m[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-schema +table):\n%s", diff)
	}
}

func TestDDLForNDJSON(t *testing.T) {
	lines := table
	lines.Extension = ndjson.Extension
	got, err := archive.DDL(lines)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"(\n  `event_id` string,\n  `id` bigint,\n  `created_at` string,\n  `actor_id` string,\n",
		"\n  `status` string\n)\n",
		"\nROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'\nSTORED AS TEXTFILE\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "created_at_us") {
		t.Errorf("lines have no created_at_us:\n%s", got)
	}
	lines.Extension = ndjson.ZstdExtension
	if zstd, err := archive.DDL(lines); err != nil || zstd != got {
		t.Errorf("%v: the compression makes another table:\n%s", err, zstd)
	}
}

func TestDDLQuotes(t *testing.T) {
	odd := table
	odd.Name, odd.Location = "a`b", "s3://bucket/it's/"
	got, err := archive.DDL(odd)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"EXISTS `a``b` (", "LOCATION 's3://bucket/it''s/audit/'", "'s3://bucket/it''s/audit/tenant=${tenant}",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestDDLErrors(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*archive.Table)
		want   string
	}{
		"directory":  {func(t *archive.Table) { t.Location = "file:///var/audit" }, "DuckDB"},
		"web":        {func(t *archive.Table) { t.Location = "https://bucket/prefix" }, "s3://"},
		"no URL":     {func(t *archive.Table) { t.Location = "bucket/prefix" }, "s3://"},
		"no tenant":  {func(t *archive.Table) { t.Tenants = nil }, "tenants"},
		"bad tenant": {func(t *archive.Table) { t.Tenants = []string{"a,b"} }, `"a,b"`},
		"format":     {func(t *archive.Table) { t.Extension = ".csv" }, ".csv"},
	} {
		bad := table
		test.change(&bad)
		if got, err := archive.DDL(bad); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %q, %v; want an error with %q", name, got, err, test.want)
		}
	}
	directory := table
	directory.Location = "file:///var/audit"
	if _, err := archive.DDL(directory); !errors.Is(err, archive.ErrNotS3) {
		t.Errorf("a directory: %v; want %v", err, archive.ErrNotS3)
	}
}

// The module duckdbtest runs the views in a real DuckDB.
func TestDuckDBView(t *testing.T) {
	for location, files := range map[string]string{
		"file:///var/it's": "/var/it''s/audit/*/*/*.parquet",
		"s3://bucket/p/":   "s3://bucket/p/audit/*/*/*.parquet",
	} {
		want := `CREATE OR REPLACE VIEW "security"."audit" AS SELECT * FROM read_parquet('` + files +
			`', hive_partitioning = true);` + "\n"
		local := table
		local.Location = location
		got, err := archive.DuckDBView(local)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", location, err, diff)
		}
	}
}

// TestDDLDays: the table has all days of an archive, also old and future ones.
func TestDDLDays(t *testing.T) {
	store, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if first, last, ok, err := read.Days(t.Context(), store, sinktest.Tenant); ok || err != nil {
		t.Errorf("the days of an empty archive: %v to %v, %t, %v", first, last, ok, err)
	}
	old := table
	for id, at := range []time.Time{
		time.Date(2005, 6, 7, 23, 59, 59, 999999000, time.UTC), time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		w := window.Window{Start: at, End: at.Add(time.Hour), Pass: uint64(id)}
		records := sinktest.Generate(t, int64(id+1), 1, at, time.Second)
		if _, err := sinktest.Write(t.Context(), open(t, store, formats["parquet"]), w, records); err != nil {
			t.Fatal(err)
		}
	}
	var ok bool
	if old.First, old.Last, ok, err = read.Days(t.Context(), store, sinktest.Tenant); !ok || err != nil {
		t.Fatalf("no days: %v", err)
	}
	got, err := archive.DDL(old)
	if want := "'projection.dt.range' = '1999-12-31,2005-06-07',\n"; err != nil || !strings.Contains(got, want) {
		t.Errorf("no %s: %v in\n%s", want, err, got)
	}
}
