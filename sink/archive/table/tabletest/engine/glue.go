package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Register puts a table or a view into the metastore of the Hive catalog, in the form in which Glue has it.
func (s TrinoServer) Register(tb testing.TB, schema, name string, t GlueTable) {
	tb.Helper()
	type column struct {
		Name       string            `json:"name"`
		Type       string            `json:"type"`
		Comment    string            `json:"comment,omitempty"`
		Properties map[string]string `json:"properties"`
	}
	columns := func(all []GlueColumn) []column {
		out := []column{} // Trino does not read null
		for _, c := range all {
			out = append(out, column{c.Name, c.Type, c.Comment, map[string]string{}})
		}
		return out
	}
	file := map[string]any{
		"writerVersion": "476", "owner": "test", "parameters": t.Parameters, "dataColumns": columns(t.Columns),
		"partitionColumns": columns(t.Partitions), "serdeParameters": map[string]string{}, "columnStatistics": map[string]any{},
	}
	if t.View != "" {
		file["tableType"], file["viewOriginalText"], file["viewExpandedText"] = "VIRTUAL_VIEW", t.View, "/* Presto View */"
	} else {
		t.Parameters["EXTERNAL"] = "TRUE"
		file["tableType"], file["storageFormat"], file["externalLocation"] = "EXTERNAL_TABLE", t.Format, t.Location
	}
	body, err := json.Marshal(file)
	if err != nil {
		tb.Fatal(err)
	}
	folder := filepath.Join(s.metastore, schema, name)
	if err := os.MkdirAll(filepath.Join(folder, ".trinoPermissions"), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, ".trinoSchema"), body, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// A GlueTable is a table in Glue.
type GlueTable struct {
	Columns, Partitions []GlueColumn
	Parameters          map[string]string
	Location            string
	Format              string // the one of Hive: PARQUET or TEXTFILE
	View                string // of a view: ViewOriginalText
}

// A GlueColumn is a column of such a table.
type GlueColumn struct {
	Name    string `json:"Name"`
	Type    string `json:"Type"`
	Comment string `json:"Comment"`
}

var (
	athenaParts  = regexp.MustCompile("(?s)^CREATE EXTERNAL TABLE IF NOT EXISTS `.*?` \\(\n(.*?)\n\\)\nPARTITIONED BY \\(\n(.*?)\n\\)\n(.*?)\nLOCATION '(.*?)'\nTBLPROPERTIES \\(\n(.*)\n\\)$")
	athenaColumn = regexp.MustCompile("(?m)^  `(.*?)` (\\w+) COMMENT '((?:[^'\\\\]|\\\\.)*)',?$")
	athenaValue  = regexp.MustCompile(`(?m)^  '(.*?)' = '(.*?)',?$`)
)

// ParseAthena returns the table that Athena makes from its statement. The test with Spark shows that the grammar is right.
func ParseAthena(tb testing.TB, sql string) GlueTable {
	tb.Helper()
	parts := athenaParts.FindStringSubmatch(sql)
	if parts == nil {
		tb.Fatalf("no table of Athena:\n%s", sql)
	}
	columns := func(text string) (out []GlueColumn) {
		for _, m := range athenaColumn.FindAllStringSubmatch(text, -1) {
			out = append(out, GlueColumn{m[1], m[2], strings.ReplaceAll(m[3], `\'`, "'")})
		}
		if len(out) != strings.Count(text, "\n")+1 {
			tb.Fatalf("%d columns in\n%s", len(out), text)
		}
		return out
	}
	format := "PARQUET"
	if strings.Contains(parts[3], "LazySimpleSerDe") {
		format = "TEXTFILE"
	}
	return GlueTable{Columns: columns(parts[1]), Partitions: columns(parts[2]), Parameters: Properties(parts[5]), Location: parts[4], Format: format}
}

// Properties returns the properties in a statement of Athena.
func Properties(text string) map[string]string {
	all := map[string]string{}
	for _, m := range athenaValue.FindAllStringSubmatch(text, -1) {
		all[m[1]] = m[2]
	}
	return all
}

// ParseGlue returns the name and the table in a call of Glue's CreateTable.
func ParseGlue(tb testing.TB, text string) (name string, t GlueTable) {
	tb.Helper()
	var call struct {
		Input struct {
			Name       string            `json:"Name"`
			Parameters map[string]string `json:"Parameters"`
			Partitions []GlueColumn      `json:"PartitionKeys"`
			Stored     struct {
				Columns  []GlueColumn `json:"Columns"`
				Location string       `json:"Location"`
			} `json:"StorageDescriptor"`
		} `json:"TableInput"`
	}
	if err := json.Unmarshal([]byte(text), &call); err != nil {
		tb.Fatal(err)
	}
	in := call.Input
	return in.Name, GlueTable{
		Columns: in.Stored.Columns, Partitions: in.Partitions, Parameters: in.Parameters, Location: in.Stored.Location, Format: "PARQUET",
	}
}
