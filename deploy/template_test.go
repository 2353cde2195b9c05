package deploy_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/houndtrail/houndtrail/deploy/athena"
	"github.com/houndtrail/houndtrail/sink/archive/table"
)

// The texts in a question that the saved question replaces, and its days: the last 30.
const (
	sampleDays = "dt BETWEEN '2026-01-01' AND '2026-01-31'"
	lastDays   = "dt BETWEEN CAST(current_date - INTERVAL '30' DAY AS varchar) AND CAST(current_date AS varchar)"
)

// keyARN is the placeholder of the key. It is the whole of a value.
const keyARN = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"

// theKey is the ARN of the key.
func theKey() functionCall {
	return when("MakesKey", functionCall{"Fn::GetAtt": "Key.Arn"}, functionCall{"Ref": "KmsKeyArn"})
}

// parameters puts the parameters of the template in the place of the placeholders of deploy/README.md.
func parameters(text string) any {
	if text == keyARN {
		return theKey()
	}
	changed := strings.NewReplacer(
		"${", "${!", // a ${...} that is not CloudFormation's
		"example-bucket-heads", "${Bucket}-heads", "example-bucket-results", "${Bucket}-results", "example-bucket", "${Bucket}",
		"/houndtrail/", "/${Prefix}/", "example-workgroup", "${Name}", "example_database", "${Database}", "arn:aws:", "arn:${AWS::Partition}:",
		"s3.eu-central-1.amazonaws.com", "s3.${AWS::Region}.${AWS::URLSuffix}", "eu-central-1", "${AWS::Region}", "111122223333", "${AWS::AccountId}",
	).Replace(text)
	if after, ok := strings.CutPrefix(changed, "houndtrail/"); ok {
		changed = "${Prefix}/" + after
	}
	if changed == text {
		return text
	}
	return sub(changed)
}

// overParameters replaces the placeholders in every text of a document.
func overParameters(value any) any {
	switch v := value.(type) {
	case string:
		return parameters(v)
	case []any:
		for i := range v {
			v[i] = overParameters(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = overParameters(v[key])
		}
	}
	return value
}

// A part is a view or a question in the template.
type part struct{ ID, Name, Input, SQL string }

func logical(name string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '_' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// TestTemplate: the CloudFormation template has the policies, the table, the views and the questions of this folder.
func TestTemplate(t *testing.T) {
	parsed, err := template.New("houndtrail.yaml.tmpl").Funcs(template.FuncMap{
		"key": func() string { return yaml(theKey(), 0) },
		"private": func() string {
			return "{BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}"
		},
		"states": states,
		"policy": func(indent int, name string) string {
			return below(overParameters(document(t, "aws/"+name+"-policy.json")), indent)
		},
		"table": func(indent int) string { return below(templateTable(t), indent) },
		"views": func() []part { return templateViews(t) }, "questions": func() []part { return templateQuestions(t) }, "roles": templateRoles,
	}).ParseFiles("cloudformation/houndtrail.yaml.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := parsed.Execute(&b, nil); err != nil {
		t.Fatal(err)
	}
	// A request may have so many bytes of a template.
	if most := 51_200; b.Len() > most {
		t.Errorf("the template has %d bytes: more than %d, so the commands of docs/aws.md need --s3-bucket", b.Len(), most)
	}
	generated(t, "cloudformation/houndtrail.yaml", b.String())
}

func document(t *testing.T, path string) (value map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// states are the folders whose objects Houndtrail rewrites: with the chart, and without it.
func states() (all []string) {
	for _, tenant := range []string{"", "${Tenant}/"} {
		for _, stream := range []string{"archive", "archive-backfill", "webhook", "webhook-backfill"} {
			all = append(all, "${Prefix}/checkpoints/"+tenant+stream+"/state/")
		}
	}
	return all
}

func templateTable(t *testing.T) any {
	t.Helper()
	input, ok := overParameters(document(t, "athena/table.json")["TableInput"]).(map[string]any)
	if !ok {
		t.Fatal("athena/table.json has no TableInput")
	}
	properties, ok := input["Parameters"].(map[string]any)
	if !ok {
		t.Fatal("the table has no properties")
	}
	properties["projection.tenant.values"], properties["projection.dt.range"] = sub("${Tenant}"), sub("${FirstDay},NOW")
	return input
}

func templateViews(t *testing.T) (all []part) {
	t.Helper()
	for _, v := range views(t) {
		presto := []map[string]string{}
		var hive []any
		for _, c := range v.Columns {
			presto = append(presto, map[string]string{"name": c.Name, "type": c.Type})
			hive = append(hive, map[string]any{"Name": c.Name, "Type": c.Hive})
		}
		text := jsonText(map[string]any{"originalSql": v.SQL, "catalog": "awsdatacatalog", "schema": "${Database}", "columns": presto})
		encoded := map[string]any{"Fn::Join": []any{"", []any{"/* Presto View: ", map[string]any{"Fn::Base64": sub(text)}, " */"}}}
		all = append(all, part{ID: logical(v.Name), Input: below(map[string]any{
			"Name": v.Name, "TableType": "VIRTUAL_VIEW", "Parameters": map[string]any{"presto_view": "true", "comment": "Presto View"},
			"ViewExpandedText": "/* Presto View */", "ViewOriginalText": encoded, "StorageDescriptor": map[string]any{"Columns": hive},
		}, 8)})
	}
	return all
}

func templateQuestions(t *testing.T) (all []part) {
	t.Helper()
	questions, err := table.Questions(athena.Files)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range questions {
		if q.Name == "iceberg" {
			continue
		}
		sql, err := athena.Files.ReadFile(q.Name + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		saved := strings.NewReplacer("'acme'", "'${Tenant}'", sampleDays, lastDays, "'Europe/Berlin'", "'${TimeZone}'").Replace(string(sql))
		all = append(all, part{ID: "Question" + logical(q.Name), Name: q.Name, SQL: yaml(sub(saved), 8)})
	}
	return all
}
