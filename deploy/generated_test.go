// Package deploy_test holds the parts of deploy/ equal that say the same: the table and the views for Glue, the CloudFormation
// template, and the values that the Terraform module makes. What a program can write is generated:
//
//	go test ./deploy -update
package deploy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/sink/archive/table"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

var update = flag.Bool("update", false, "write the generated files anew")

// A viewFile is a view in deploy/athena/views.json.
type viewFile struct {
	Name    string       `json:"name"`
	SQL     string       `json:"sql"` // the SELECT alone
	Columns []viewColumn `json:"columns"`
}

// A viewColumn is a column of a view: its type for Athena's engine, and its type for Glue.
type viewColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Hive string `json:"hive"`
}

// viewColumns are the columns of each view. TestTrino compares them with the engine's description of the view. A column without a
// type is a varchar.
func viewColumns() map[string]string {
	const behind = ", actor_id, actor_name, actor_email, fields, request_id, source_ip_address, commit_id, tenant, dt"
	return map[string]string{
		"audit_events": "id bigint, created_at timestamp(3), created_at_us bigint, action, status, who, client_address, peer_address, " +
			"duration_ms double" + behind,
		"audit_orphans": "id bigint, created_at timestamp(3), created_at_us bigint, action, reason, who, client_address, peer_address" + behind,
		"audit_logins":  "id bigint, created_at timestamp(3), created_at_us bigint, status, who, auth_type, client_address, peer_address" + behind,
		"audit_actors": "tenant, dt, actor_id, who, actor_email, actions bigint, failures bigint, kinds bigint, client_addresses bigint, " +
			"first_at timestamp(3), last_at timestamp(3)",
	}
}

// placeholders is the table over the placeholders that deploy/README.md names.
func placeholders() table.Table {
	return table.Table{
		Name: "example_database.bloodhound_audit", Location: "s3://example-bucket/houndtrail", Extension: parquet.Extension,
		Tenants: []string{"acme"}, First: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// generated compares a file with its text, or writes it.
func generated(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is stale: go test ./deploy -update (-want +got):\n%s", path, diff)
	}
}

// TestTable: the table that Terraform and CloudFormation make is the one that "houndtrail ddl --dialect glue" prints.
func TestTable(t *testing.T) {
	text, err := placeholders().Create(table.Glue)
	if err != nil {
		t.Fatal(err)
	}
	generated(t, "athena/table.json", text)
}

// TestViews: the views are those of "houndtrail ddl --view all".
func TestViews(t *testing.T) {
	generated(t, "athena/views.json", indented(t, views(t)))
}

func views(t *testing.T) (all []viewFile) {
	t.Helper()
	over := placeholders()
	over.Name = "bloodhound_audit" // a view names no database, so it reads the table beside it
	for _, name := range table.Views() {
		statement, err := over.View(table.Athena, name)
		if err != nil {
			t.Fatal(err)
		}
		sql := selectOf(t, statement)
		v := viewFile{Name: name, SQL: sql}
		for field := range strings.SplitSeq(viewColumns()[name], ", ") {
			column, kind, _ := strings.Cut(field, " ")
			if kind == "" {
				kind = "varchar"
			}
			hive := map[string]string{"varchar": "string", "timestamp(3)": "timestamp"}[kind]
			if hive == "" {
				hive = kind
			}
			v.Columns = append(v.Columns, viewColumn{column, kind, hive})
		}
		all = append(all, v)
	}
	return all
}

// selectOf is the query in the statement that makes a view, without the comments before it.
func selectOf(t *testing.T, statement string) string {
	t.Helper()
	parts := regexp.MustCompile(`(?s)^(?:--[^\n]*\n)*CREATE OR REPLACE VIEW "\w+" AS\n(.*);\n$`).FindStringSubmatch(statement)
	if parts == nil {
		t.Fatalf("no view:\n%s", statement)
	}
	return parts[1]
}

func indented(t *testing.T, value any) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
