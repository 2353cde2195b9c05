package table

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// ErrNotS3 says that an engine cannot read the archive, because it is not in S3.
var ErrNotS3 = errors.New("it reads s3:// only")

// A Dialect is the SQL of one engine.
type Dialect string

// The dialects.
const (
	Athena     Dialect = "athena"
	Trino      Dialect = "trino"
	Spark      Dialect = "spark"
	Glue       Dialect = "glue" // no SQL: the input of the call CreateTable, in JSON
	DuckDB     Dialect = "duckdb"
	ClickHouse Dialect = "clickhouse"
)

// Dialects are all dialects, the default first.
func Dialects() []string {
	return []string{string(Athena), string(Trino), string(Spark), string(Glue), string(DuckDB), string(ClickHouse)}
}

// Projects tells that the table itself names its tenants and its days, so the engine lists no partitions.
func (d Dialect) Projects() bool { return d == Athena || d == Trino || d == Glue }

// A Table has the facts for the SQL about an archive.
type Table struct {
	Name      string    // table or database.table
	Location  string    // the archive's URL: s3://bucket/prefix or file:///dir
	Endpoint  string    // of an S3 server that is not AWS; ClickHouse needs it
	Extension string    // the format: [parquet.Extension], [ndjson.Extension] or [ndjson.ZstdExtension]
	Tenants   []string  // the tenants with records in the archive; without them, DuckDB and ClickHouse find the tenants
	First     time.Time // the first day with records
	// Last is the last day with records, if that is later than today. If not, it is zero: then the table always ends at the day of
	// the query.
	Last time.Time
}

// Create returns the SQL that makes a table of the archive. In some dialects, NDJSON has a table of raw lines, whose name ends
// in _lines. Then the table itself is a view over it.
func (t Table) Create(d Dialect) (string, error) {
	if err := t.checkAll(d); err != nil {
		return "", err
	}
	switch d {
	case Athena:
		return t.athena()
	case Trino:
		return t.trino()
	case Spark:
		return t.spark(), nil
	case Glue:
		return t.glue()
	case DuckDB:
		return t.duckdb()
	case ClickHouse:
		return t.clickhouse(), nil
	default:
		return "", fmt.Errorf("no SQL for %q: only for %s", d, strings.Join(Dialects(), ", "))
	}
}

// Alter returns the statement that updates an existing table after a user added a tenant, or an earlier day appeared.
func (t Table) Alter(d Dialect) (string, error) {
	if err := t.checkAll(d); err != nil {
		return "", err
	}
	switch d {
	case Athena:
		return t.alterAthena(), nil
	case Spark:
		return "MSCK REPAIR TABLE " + identifiers(t.Name, "`") + ";\n", nil
	case Glue:
		return "", errors.New("no ALTER TABLE for Glue: pass the printed TableInput to the call UpdateTable")
	case Trino:
		return "", errors.New("no ALTER TABLE for Trino, which cannot change partition projection: drop the table and make it " +
			"again, which leaves the archive's objects alone")
	default:
		return "", fmt.Errorf("no ALTER TABLE for %s: it finds new tenants and days by itself", d)
	}
}

// Check refuses a table that the dialect cannot have, whatever its partitions are.
func (t Table) Check(d Dialect) error {
	switch t.Extension {
	case parquet.Extension:
	case ndjson.Extension, ndjson.ZstdExtension:
		if d == Spark || d == ClickHouse || d == Glue {
			return fmt.Errorf("no table for %s over NDJSON objects: use athena, trino or duckdb, or archive as Parquet", d)
		}
	default:
		return fmt.Errorf("no SQL for objects that end in %q: only for %s, %s and %s",
			t.Extension, parquet.Extension, ndjson.Extension, ndjson.ZstdExtension)
	}
	location, err := url.Parse(t.Location)
	switch s3 := err == nil && location.Scheme == "s3" && location.Host != ""; {
	case err != nil:
		return fmt.Errorf("no table over %q: %w", t.Location, err)
	case !s3 && d.Projects():
		return fmt.Errorf("no table for %s over %q: %w; copy the archive to a bucket, or use --dialect duckdb", d, t.Location, ErrNotS3)
	case !s3 && location.Scheme != "file":
		return fmt.Errorf("no table over %q: only over s3:// and file://", t.Location)
	}
	for _, tenant := range t.Tenants {
		if err := read.CheckTenant(tenant); err != nil {
			return err
		}
	}
	return nil
}

// checkAll refuses a table without its partitions, too.
func (t Table) checkAll(d Dialect) error {
	if d.Projects() && len(t.Tenants) == 0 {
		return fmt.Errorf("no table for %s without the tenants that are in the archive", d)
	}
	return t.Check(d)
}

// root is the folder with the partitions, as an engine names it: scheme is that of its S3 client.
func (t Table) root(scheme string) string {
	location, err := url.Parse(t.Location)
	if err != nil { // Check has refused it
		return t.Location
	}
	if location.Scheme == "file" {
		return path.Join("/", location.Path, read.Root) + "/"
	}
	return scheme + "://" + location.Host + path.Join("/", location.Path, read.Root) + "/"
}

// days is the range of the partitions by day.
func (t Table) days() (first, last string) {
	last = "NOW"
	if !t.Last.IsZero() {
		last = t.Last.UTC().Format(time.DateOnly)
	}
	return t.First.UTC().Format(time.DateOnly), last
}

// lines tells that the objects have lines of JSON.
func (t Table) lines() bool { return t.Extension != parquet.Extension }

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

// literals are the texts as a list.
func literals(texts []string) string {
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = literal(s)
	}
	return strings.Join(quoted, ", ")
}
