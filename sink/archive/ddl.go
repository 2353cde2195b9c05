package archive

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// ErrNotS3 says that Athena cannot read the archive, because it is not in S3.
var ErrNotS3 = errors.New("Athena reads s3:// only") //nolint:staticcheck // a proper name

// A Table has the facts for the SQL about an archive.
type Table struct {
	Name      string    // table or database.table
	Location  string    // the archive's URL: s3://bucket/prefix or file:///dir
	Extension string    // the format: [parquet.Extension], [ndjson.Extension] or [ndjson.ZstdExtension]
	Tenants   []string  // the tenants with records in the archive
	First     time.Time // the first day with records
	// Last is the last day with records, if that is later than today. Else it is zero, and the table always ends at the day of
	// the query.
	Last time.Time
}

// column is one column of the table, in both dialects.
type column struct{ name, athena, duckdb string }

// columns are the columns of the objects, in order, without those of the partitions.
//
// In lines of JSON created_at is the server's text. Its zone and digits vary: Athena reads it with from_iso8601_timestamp. The
// exact instant is the last part of event_id.
func columns(extension string) ([]column, error) {
	switch extension {
	case parquet.Extension:
		var out []column
		for _, c := range parquet.Columns() {
			types := map[parquet.Type]column{
				parquet.Int64:     {c.Name, "bigint", "BIGINT"},
				parquet.Timestamp: {c.Name, "timestamp", "TIMESTAMP WITH TIME ZONE"},
				parquet.String:    {c.Name, "string", "VARCHAR"},
			}
			out = append(out, types[c.Type])
		}
		return out, nil
	case ndjson.Extension, ndjson.ZstdExtension:
		out := []column{{"event_id", "string", "VARCHAR"}, {"id", "bigint", "BIGINT"}, {"created_at", "string", "VARCHAR"}}
		for _, c := range record.Columns() {
			duckdb := "VARCHAR"
			if c.Kind == record.JSON {
				duckdb = "JSON"
			}
			out = append(out, column{c.Name, "string", duckdb})
		}
		return out, nil
	default:
		return nil, fmt.Errorf("no SQL for objects that end in %q: only for %s, %s and %s",
			extension, parquet.Extension, ndjson.Extension, ndjson.ZstdExtension)
	}
}

// DDL is the Athena statement that makes the archive a table. Athena projects partitions from the tenants and the days
// since First, so new days need no crawler and no repair. No query finds a record of any other day.
func DDL(t Table) (string, error) {
	columns, err := columns(t.Extension)
	if err != nil {
		return "", err
	}
	location, err := url.Parse(t.Location)
	if err != nil || location.Scheme != "s3" || location.Host == "" {
		return "", fmt.Errorf("no Athena table over %q: %w; copy the archive to a bucket, or query it with DuckDB",
			t.Location, ErrNotS3)
	}
	if len(t.Tenants) == 0 {
		return "", errors.New("no Athena table without the tenants that are in the archive")
	}
	for _, tenant := range t.Tenants {
		if err := read.CheckTenant(tenant); err != nil {
			return "", err
		}
	}
	base := "s3://" + location.Host + path.Join("/", location.Path, read.Root) + "/"

	var b strings.Builder
	fmt.Fprintf(&b, "CREATE EXTERNAL TABLE IF NOT EXISTS %s (\n", identifiers(t.Name, "`"))
	for i, c := range columns {
		comma := ","
		if i == len(columns)-1 {
			comma = ""
		}
		fmt.Fprintf(&b, "  %s %s%s\n", identifier(c.name, "`"), c.athena, comma)
	}
	// dt is a string in the form of a date: dt >= '2026-03-01'.
	b.WriteString(")\nPARTITIONED BY (`tenant` string, `dt` string)\n")
	if t.Extension == parquet.Extension {
		b.WriteString("STORED AS PARQUET\n")
	} else {
		b.WriteString("ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'\nSTORED AS TEXTFILE\n")
	}
	fmt.Fprintf(&b, "LOCATION %s\nTBLPROPERTIES (\n", literal(base))
	for _, p := range [][2]string{
		{"projection.enabled", "true"},
		{"projection.tenant.type", "enum"},
		{"projection.tenant.values", strings.Join(t.Tenants, ",")},
		{"projection.dt.type", "date"},
		{"projection.dt.format", "yyyy-MM-dd"},
		{"projection.dt.range", t.days()},
		{"projection.dt.interval", "1"},
		{"projection.dt.interval.unit", "DAYS"},
	} {
		fmt.Fprintf(&b, "  %s = %s,\n", literal(p[0]), literal(p[1]))
	}
	fmt.Fprintf(&b, "  'storage.location.template' = %s\n);\n", literal(base+"tenant=${tenant}/dt=${dt}/"))
	return b.String(), nil
}

// days is the range of the partitions by day.
func (t Table) days() string {
	last := "NOW"
	if !t.Last.IsZero() {
		last = t.Last.UTC().Format(time.DateOnly)
	}
	return t.First.UTC().Format(time.DateOnly) + "," + last
}

// DuckDBView is the DuckDB statement that makes the archive a view, wherever it is; for s3:// DuckDB needs its httpfs
// extension. The view has the partitions' columns too: tenant, and dt as a DATE.
func DuckDBView(t Table) (string, error) {
	columns, err := columns(t.Extension)
	if err != nil {
		return "", err
	}
	location, err := url.Parse(t.Location)
	if err != nil {
		return "", fmt.Errorf("no DuckDB view over %q: %w", t.Location, err)
	}
	base := t.Location
	if location.Scheme == "file" {
		base = location.Path
	}
	files := literal(strings.TrimRight(base, "/") + "/" + read.Root + "/*/*/*" + t.Extension)
	source := fmt.Sprintf("read_parquet(%s, hive_partitioning = true)", files)
	if t.Extension != parquet.Extension {
		types := make([]string, len(columns))
		for i, c := range columns {
			types[i] = identifier(c.name, `"`) + ": " + literal(c.duckdb)
		}
		source = fmt.Sprintf("read_json(%s, hive_partitioning = true, format = 'newline_delimited',\n  columns = {%s})",
			files, strings.Join(types, ", "))
	}
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT * FROM %s;\n", identifiers(t.Name, `"`), source), nil
}

// identifiers quotes a name, and the database before it, if there is one.
func identifiers(name, quote string) string {
	parts := strings.SplitN(name, ".", 2)
	for i := range parts {
		parts[i] = identifier(parts[i], quote)
	}
	return strings.Join(parts, ".")
}

func identifier(name, quote string) string {
	return quote + strings.ReplaceAll(name, quote, quote+quote) + quote
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
