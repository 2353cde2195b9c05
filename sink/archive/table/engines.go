package table

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// trino is the table of Trino's Hive connector. The catalog needs hive.partition-projection-enabled=true.
func (t Table) trino() (string, error) {
	name, declared, format := t.Name, columns(), "PARQUET"
	if t.lines() {
		name, declared, format = t.Name+rawSuffix, []column{rawLine()}, "TEXTFILE"
	}
	var lines []string
	for _, c := range declared {
		lines = append(lines, fmt.Sprintf("  %s %s COMMENT %s", identifier(c.name, `"`), c.trino, literal(c.comment)))
	}
	first, last := t.days()
	projected := map[string]string{
		tenantColumn: fmt.Sprintf("partition_projection_type = 'ENUM',\n    partition_projection_values = ARRAY[%s]", literals(t.Tenants)),
		dayColumn: fmt.Sprintf("partition_projection_type = 'DATE', partition_projection_format = 'yyyy-MM-dd',\n"+
			"    partition_projection_range = ARRAY[%s],\n"+
			"    partition_projection_interval = 1, partition_projection_interval_unit = 'DAYS'", literals([]string{first, last})),
	}
	for _, c := range partitions() {
		lines = append(lines, fmt.Sprintf("  %s %s COMMENT %s WITH (\n    %s\n  )",
			identifier(c.name, `"`), c.trino, literal(c.comment), projected[c.name]))
	}
	sql := "-- The catalog needs hive.partition-projection-enabled=true. Without it, the table stays empty.\n" +
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n%s\n)\nWITH (\n", identifiers(name, `"`), strings.Join(lines, ",\n")) +
		fmt.Sprintf("  external_location = %s,\n  format = %s,\n", literal(t.root("s3")), literal(format)) +
		"  partitioned_by = ARRAY['tenant', 'dt'],\n  partition_projection_enabled = true,\n" +
		fmt.Sprintf("  partition_projection_location_template = %s\n);\n", literal(t.root("s3")+"tenant=${tenant}/dt=${dt}/"))
	if !t.lines() {
		return sql, nil
	}
	view, err := t.linesView(Trino)
	return sql + "\n" + view, err
}

// spark is a table. Spark needs to be told its partitions. Spark accepts Athena's statement but ignores its projection: then it
// reads no row, and reports no error.
func (t Table) spark() string {
	name := identifiers(t.Name, "`")
	return "-- Spark knows no partition projection: with Athena's statement it reads 0 rows, and reports no error.\n" +
		"-- So repeat MSCK REPAIR TABLE after each new day. Until then, Spark does not see the day.\n" +
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n%s\n)\nUSING PARQUET\nPARTITIONED BY (`tenant`, `dt`)\nLOCATION %s;\n",
			name, hiveColumns(append(columns(), partitions()...)), hiveLiteral(t.root("s3a"))) +
		"MSCK REPAIR TABLE " + name + ";\n"
}

// duckdb is a view, over S3 or a directory. It has the partitions' columns too: tenant, and dt as a DATE.
func (t Table) duckdb() (string, error) {
	hint := ""
	if strings.HasPrefix(t.root("s3"), "s3:") {
		hint = "-- DuckDB needs a login for S3, for example: CREATE SECRET (TYPE s3, PROVIDER credential_chain);\n"
	}
	if t.lines() {
		view, err := t.linesView(DuckDB)
		return hint + view, err
	}
	return hint + fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT * FROM read_parquet(%s,\n  %s)%s;\n",
		identifiers(t.Name, `"`), t.files(), duckdbPartitions, t.only()), nil
}

// duckdbPartitions keep a tenant of digits a text.
const duckdbPartitions = "hive_partitioning = true, hive_types = {'tenant': VARCHAR, 'dt': DATE}"

// files are all objects, as a pattern for DuckDB.
func (t Table) files() string { return literal(t.root("s3") + "*/*/*" + t.Extension) }

// only leaves the tenants that were asked for, in a dialect that finds all of them.
func (t Table) only() string {
	if len(t.Tenants) == 0 {
		return ""
	}
	return "\nWHERE tenant IN (" + literals(t.Tenants) + ")"
}

// rawSuffix is behind the name of the table of raw lines.
const rawSuffix = "_lines"

// rawLine is the column of that table. The SerDe splits a line at a character that no JSON has as it is, so a row has the whole line.
func rawLine() column {
	return column{name: "line", comment: "the record as one line of JSON", hive: "string", trino: "varchar"}
}

// lineSource has the raw lines in the column line.
func (t Table) lineSource(d Dialect) string {
	if d == DuckDB {
		const longest = 256 << 20 // bytes in a line
		return fmt.Sprintf("(SELECT json AS line, tenant, dt FROM read_json_objects(%s,\n    format = 'newline_delimited', "+
			"maximum_object_size = %d,\n    %s)) AS objects", t.files(), longest, duckdbPartitions)
	}
	return identifiers(t.Name+rawSuffix, functionsOf(d).quote)
}

// clickhouse is a view over the objects. It finds tenants and days in their names. The view declares them as texts: by itself,
// ClickHouse takes a tenant of digits for a number, and then fails on the next tenant.
func (t Table) clickhouse() string {
	var types, names []string
	for _, c := range slices.Concat(columns(), partitions()) {
		types, names = append(types, c.name+" "+c.clickhouse), append(names, c.name)
	}
	hint, objects := "", "/tenant=*/dt=*/*"+t.Extension
	source := "file(" + literal(strings.TrimSuffix(t.root("s3"), "/")+objects)
	if location, err := url.Parse(t.Location); err == nil && location.Scheme == "s3" {
		base := "https://" + location.Host + ".s3.amazonaws.com"
		if t.Endpoint != "" {
			base = strings.TrimRight(t.Endpoint, "/") + "/" + location.Host
		}
		source = "s3(" + literal(base+path.Join("/", location.Path, read.Root)+objects)
		hint = "-- ClickHouse needs a login for S3: in its configuration, or as two arguments behind the address.\n"
	}
	return hint + fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT %s\nFROM %s, 'Parquet',\n  %s)%s;\n",
		identifiers(t.Name, "`"), strings.Join(names, ", "), source, literal(strings.Join(types, ", ")), t.only())
}
