package tabletest_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/sink/archive/table"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest/engine"
)

// A glueView is a view in deploy/athena/views.json, from which deploy/terraform and deploy/cloudformation make it in Glue.
type glueView struct {
	Name    string `json:"name"`
	SQL     string `json:"sql"`
	Columns []struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Hive string `json:"hive"`
	} `json:"columns"`
}

// A registered engine has all views already.
type registered struct{ engine.Trino }

// Exec would make a view.
func (registered) Exec(testing.TB, string) {}

// testGlueViews puts the views into the metastore as Terraform puts them into Glue, and no engine has made them. Each view has the
// rows of the one that ddl prints, and the types that the engine finds itself.
func testGlueViews(t *testing.T, server engine.TrinoServer, over table.Table) {
	t.Helper()
	text, err := os.ReadFile("../../../../deploy/athena/views.json")
	if err != nil {
		t.Fatal(err)
	}
	var views []glueView
	if err := json.Unmarshal(text, &views); err != nil {
		t.Fatal(err)
	}
	create, err := over.Create(table.Glue)
	if err != nil {
		t.Fatal(err)
	}
	kept, made := server.Hive(t, "glue_views"), server.Hive(t, "made_views")
	for _, e := range []engine.Trino{kept, made} {
		called, in := engine.ParseGlue(t, create)
		server.Register(t, e.Schema, called, in)
	}
	for _, v := range views {
		columns, hive := []map[string]string{}, []engine.GlueColumn{}
		for _, c := range v.Columns {
			columns = append(columns, map[string]string{"name": c.Name, "type": c.Type})
			hive = append(hive, engine.GlueColumn{Name: c.Name, Type: c.Hive})
		}
		// The catalog of Glue has the name awsdatacatalog in Athena, and hive in the test.
		definition, err := json.Marshal(map[string]any{"originalSql": v.SQL, "catalog": "hive", "schema": kept.Schema, "columns": columns})
		if err != nil {
			t.Fatal(err)
		}
		server.Register(t, kept.Schema, v.Name, engine.GlueTable{
			Columns: hive, Parameters: map[string]string{"presto_view": "true", "comment": "Presto View"},
			View: "/* Presto View: " + base64.StdEncoding.EncodeToString(definition) + " */",
		})
		statement, err := over.View(table.Athena, v.Name)
		execAll(t, made, statement, err)
		if diff := cmp.Diff(described(t, made, v.Name), described(t, kept, v.Name)); diff != "" {
			t.Errorf("the columns of %s (-the engine's +views.json):\n%s", v.Name, diff)
		}
	}
	tabletest.Views(t, registered{kept}, table.Athena, over)
}

// described are the columns of a view with their types. The length of a text is no part of its type here.
func described(t *testing.T, e engine.Trino, view string) [][]string {
	t.Helper()
	rows := tabletest.Rows(e.Query(t, "DESCRIBE "+view))
	for i := range rows {
		rows[i] = []string{rows[i][0], regexp.MustCompile(`^varchar\(\d+\)$`).ReplaceAllString(rows[i][1], "varchar")}
	}
	return rows
}
