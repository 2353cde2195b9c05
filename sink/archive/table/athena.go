package table

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A property is one of a table's TBLPROPERTIES.
type property struct{ name, value string }

// properties make Athena and Glue compute the partitions from the tenants and the days. So new days need no crawler and no
// repair. A query finds no record of any other tenant or day.
func (t Table) properties() []property {
	first, last := t.days()
	kind := []property{{"classification", "parquet"}, {"parquet.compression", "ZSTD"}}
	if t.lines() {
		kind = []property{{"classification", "json"}}
	}
	return append(kind,
		property{"projection.enabled", "true"},
		property{"projection.tenant.type", "enum"},
		property{"projection.tenant.values", strings.Join(t.Tenants, ",")},
		property{"projection.dt.type", "date"},
		property{"projection.dt.format", "yyyy-MM-dd"},
		property{"projection.dt.range", first + "," + last},
		property{"projection.dt.interval", "1"},
		property{"projection.dt.interval.unit", "DAYS"},
		property{"storage.location.template", t.root("s3") + "tenant=${tenant}/dt=${dt}/"},
	)
}

// tableProperties returns the named properties as SQL. Without names, it returns all.
func (t Table) tableProperties(names ...string) string {
	var lines []string
	for _, p := range t.properties() {
		if len(names) == 0 || strings.Contains(strings.Join(names, " "), p.name) {
			lines = append(lines, "  "+hiveLiteral(p.name)+" = "+hiveLiteral(p.value))
		}
	}
	return strings.Join(lines, ",\n")
}

func (t Table) athena() (string, error) {
	name, declared, stored := t.Name, hiveColumns(columns()), "STORED AS PARQUET"
	if t.lines() {
		name, declared = t.Name+rawSuffix, hiveColumns([]column{rawLine()})
		stored = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe'\nSTORED AS TEXTFILE"
	}
	sql := fmt.Sprintf("CREATE EXTERNAL TABLE IF NOT EXISTS %s (\n%s\n)\nPARTITIONED BY (\n%s\n)\n%s\nLOCATION %s\nTBLPROPERTIES (\n%s\n);\n",
		identifiers(name, "`"), declared, hiveColumns(partitions()), stored, hiveLiteral(t.root("s3")), t.tableProperties())
	if !t.lines() {
		return sql, nil
	}
	view, err := t.linesView(Athena)
	return sql + "\n" + view, err
}

func (t Table) alterAthena() string {
	name := t.Name
	if t.lines() {
		name += rawSuffix
	}
	return fmt.Sprintf("ALTER TABLE %s SET TBLPROPERTIES (\n%s\n);\n",
		identifiers(name, "`"), t.tableProperties("projection.tenant.values", "projection.dt.range"))
}

// partitions are the columns of the partitions.
func partitions() []column {
	return []column{
		{name: tenantColumn, comment: comment(tenantColumn), hive: "string", trino: "varchar", clickhouse: "String"},
		{name: dayColumn, comment: comment(dayColumn), hive: "string", trino: "varchar", clickhouse: "String"},
	}
}

// hiveColumns declares columns as Athena and Spark do.
func hiveColumns(columns []column) string {
	lines := make([]string, len(columns))
	for i, c := range columns {
		lines[i] = fmt.Sprintf("  %s %s COMMENT %s", identifier(c.name, "`"), c.hive, hiveLiteral(c.comment))
	}
	return strings.Join(lines, ",\n")
}

// hiveLiteral is a text in a statement of Athena or Spark, whose grammar is Hive's. It knows a backslash before a quote, and no
// doubled quote.
func hiveLiteral(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// glueColumn is a column of Glue's call CreateTable.
type glueColumn struct {
	Name    string `json:"Name"`
	Type    string `json:"Type"`
	Comment string `json:"Comment"`
}

// glueCall is the input of Glue's call CreateTable.
type glueCall struct {
	DatabaseName string    `json:"DatabaseName"`
	TableInput   glueTable `json:"TableInput"`
}

type glueTable struct {
	Name              string            `json:"Name"`
	Description       string            `json:"Description"`
	TableType         string            `json:"TableType"`
	Parameters        map[string]string `json:"Parameters"`
	PartitionKeys     []glueColumn      `json:"PartitionKeys"`
	StorageDescriptor glueStorage       `json:"StorageDescriptor"`
}

type glueStorage struct {
	Columns      []glueColumn      `json:"Columns"`
	Location     string            `json:"Location"`
	InputFormat  string            `json:"InputFormat"`
	OutputFormat string            `json:"OutputFormat"`
	SerdeInfo    map[string]string `json:"SerdeInfo"`
}

// glue is the input of Glue's call CreateTable, for aws glue create-table --cli-input-json.
func (t Table) glue() (string, error) {
	database, name, qualified := strings.Cut(t.Name, ".")
	if !qualified {
		database, name = "default", t.Name
	}
	parameters := map[string]string{"EXTERNAL": "TRUE"}
	for _, p := range t.properties() {
		parameters[p.name] = p.value
	}
	body, err := json.MarshalIndent(glueCall{database, glueTable{
		Name: name, Description: "the BloodHound audit log", TableType: "EXTERNAL_TABLE", Parameters: parameters,
		PartitionKeys: glueColumns(partitions()),
		StorageDescriptor: glueStorage{
			Columns: glueColumns(columns()), Location: t.root("s3"),
			InputFormat:  "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
			OutputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
			SerdeInfo:    map[string]string{"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
		},
	}}, "", "  ")
	return string(body) + "\n", err
}

func glueColumns(columns []column) []glueColumn {
	out := make([]glueColumn, len(columns))
	for i, c := range columns {
		out[i] = glueColumn{c.name, c.hive, c.comment}
	}
	return out
}
