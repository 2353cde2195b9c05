package deploy_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/deploy/athena"
	"github.com/houndtrail/houndtrail/sink/archive/table"
)

// .ci/terraform runs the test below with these files. Without them, the test is skipped.
var (
	terraformOutput = flag.String("terraform", "", "the output of terraform test -json -verbose")
	templateJSON    = flag.String("cloudformation", "", "the template as JSON, each function in its long form")
	made            = flag.String("made", "", "folder to which the policies and the chart's values of each installation are written")
)

// An installation is what one of the two tools makes in a partition, in the same form for both.
type installation struct {
	policies  map[string]any      // by the name of their file in deploy/aws
	attached  map[string][]string // the policies of each role
	trust     map[string]any      // of each role
	table     any                 // Glue's TableInput
	views     map[string]any      // Glue's TableInput, with the definition in plain text
	questions map[string]string
	state     []string // the prefixes whose old versions go after 7 days
	helm      any
}

// A place is a partition with one of its regions.
type place struct{ partition, region, suffix string }

func places() []place {
	return []place{
		{"aws", "eu-central-1", "amazonaws.com"}, {"aws-us-gov", "us-gov-west-1", "amazonaws.com"}, {"aws-cn", "cn-north-1", "amazonaws.com.cn"},
	}
}

// there changes the placeholders in a text that depend on the partition.
func (p place) there(text string) string {
	return strings.NewReplacer(
		"arn:aws:kms:eu-central-1", "arn:"+p.partition+":kms:"+p.region, "arn:aws:athena:eu-central-1", "arn:"+p.partition+":athena:"+p.region,
		"arn:aws:glue:eu-central-1", "arn:"+p.partition+":glue:"+p.region, "arn:aws:", "arn:"+p.partition+":",
		"s3.eu-central-1.amazonaws.com", "s3."+p.region+"."+p.suffix, "example_database", "example_workgroup",
	).Replace(text)
}

// TestRendered: Terraform and CloudFormation make the same, and it is what the files of deploy/ and the commands of Houndtrail say.
func TestRendered(t *testing.T) {
	if *terraformOutput == "" || *templateJSON == "" {
		t.Skip("bash .ci/terraform runs it: it needs Terraform, Python and Node")
	}
	planned := terraformInstallations(t, "partitions") // each run has the name of its partition
	for _, p := range places() {
		byTerraform, ok := planned[p.partition]
		if !ok {
			t.Fatalf("Terraform planned nothing in %s", p.partition)
		}
		byTemplate := templateInstallation(t, p)
		check(t, "terraform-"+p.partition, p, byTerraform)
		check(t, "cloudformation-"+p.partition, p, byTemplate)
		for what, pair := range map[string][2]any{
			"trust": {byTerraform.trust, byTemplate.trust}, "attached": {byTerraform.attached, byTemplate.attached},
			"state": {byTerraform.state, byTemplate.state}, "helm": {byTerraform.helm, byTemplate.helm},
			"views": {byTerraform.views, byTemplate.views}, "questions": {byTerraform.questions, byTemplate.questions},
		} {
			if diff := cmp.Diff(plain(t, pair[0]), plain(t, pair[1])); diff != "" {
				t.Errorf("%s: %s (-terraform +cloudformation):\n%s", p.partition, what, diff)
			}
		}
	}
}

// check compares an installation with the files of deploy/, and with ddl.
func check(t *testing.T, name string, p place, got installation) {
	t.Helper()
	files, err := filepath.Glob("aws/*-policy.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d policies: %v", len(files), err)
	}
	for _, file := range files {
		policy := strings.TrimSuffix(filepath.Base(file), "-policy.json")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decoded(t, p.there(string(text))), plain(t, got.policies[policy])); diff != "" {
			t.Errorf("%s: %s (-file +made):\n%s", name, file, diff)
		}
		keep(t, name, filepath.Base(file), got.policies[policy])
	}
	keep(t, name, "values.json", got.helm)
	call, err := placeholders().Create(table.Glue)
	if err != nil {
		t.Fatal(err)
	}
	want, ok := decoded(t, call).(map[string]any)
	if !ok {
		t.Fatal("ddl prints no object")
	}
	if diff := cmp.Diff(want["TableInput"], plain(t, got.table)); diff != "" {
		t.Errorf("%s: the table (-ddl +made):\n%s", name, diff)
	}
	checkViews(t, name, got)
}

// keep writes a part of an installation into its folder, if the flag names one.
func keep(t *testing.T, name, file string, value any) {
	t.Helper()
	if *made == "" {
		return
	}
	folder := filepath.Join(*made, name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, file), []byte(jsonText(value)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func checkViews(t *testing.T, name string, got installation) {
	t.Helper()
	for _, v := range views(t) {
		var columns, hive []any
		for _, c := range v.Columns {
			columns = append(columns, map[string]any{"name": c.Name, "type": c.Type})
			hive = append(hive, map[string]any{"Name": c.Name, "Type": c.Hive})
		}
		want := map[string]any{
			"Name": v.Name, "TableType": "VIRTUAL_VIEW", "Parameters": map[string]any{"presto_view": "true", "comment": "Presto View"},
			"ViewExpandedText": "/* Presto View */", "StorageDescriptor": map[string]any{"Columns": hive},
			"ViewOriginalText": map[string]any{
				"originalSql": v.SQL, "catalog": "awsdatacatalog", "schema": "example_workgroup", "columns": columns,
			},
		}
		if diff := cmp.Diff(plain(t, want), plain(t, got.views[v.Name])); diff != "" {
			t.Errorf("%s: view %s (-ddl +made):\n%s", name, v.Name, diff)
		}
	}
	questions, err := table.Questions(athena.Files)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, q := range questions {
		if q.Name == "iceberg" {
			continue
		}
		names = append(names, q.Name)
		text, err := athena.Files.ReadFile(q.Name + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		saved := strings.NewReplacer(sampleDays, lastDays, "'Europe/Berlin'", "'UTC'").Replace(string(text))
		if diff := cmp.Diff(strings.TrimSpace(saved), got.questions[q.Name]); diff != "" {
			t.Errorf("%s: question %s (-file +made):\n%s", name, q.Name, diff)
		}
	}
	if saved := slices.Sorted(maps.Keys(got.questions)); !slices.Equal(names, saved) {
		t.Errorf("%s: the questions are %v, want %v", name, saved, names)
	}
}

// decodeView replaces the encoded definition of a view by the definition.
func decodeView(t *testing.T, input map[string]any) map[string]any {
	t.Helper()
	text, _ := input["ViewOriginalText"].(string)
	encoded := strings.TrimSuffix(strings.TrimPrefix(text, "/* Presto View: "), " */")
	body, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(text)-len(encoded) != len("/* Presto View: ")+len(" */") {
		t.Fatalf("Athena cannot read the view %.40q: %v", text, err)
	}
	input["ViewOriginalText"] = decoded(t, string(body))
	return input
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	return single(value)
}

// plain is a value as JSON has it.
func plain(t *testing.T, value any) any {
	t.Helper()
	return decoded(t, jsonText(value))
}

// single replaces each list of one text by the text: IAM reads both alike.
func single(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = single(v[i])
		}
		if text, ok := append(v, nil)[0].(string); ok && len(v) == 1 {
			return text
		}
	case map[string]any:
		for key := range v {
			v[key] = single(v[key])
		}
	}
	return value
}
