package deploy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// A plan has the parts of Terraform's plan that the test reads.
type plan struct {
	Outputs map[string]struct {
		After any `json:"after"`
	} `json:"output_changes"`
	Resources []struct {
		Type   string `json:"type"`
		Name   string `json:"name"`
		Index  any    `json:"index"` // a name, or a number
		Change struct {
			After map[string]any `json:"after"`
		} `json:"change"`
	} `json:"resource_changes"`
}

// terraformInstallations are the plans of the runs of one file in the output of terraform test, by the names of the runs.
func terraformInstallations(t *testing.T, file string) map[string]installation {
	t.Helper()
	text, err := os.ReadFile(*terraformOutput)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]installation{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			File string `json:"@testfile"`
			Run  string `json:"@testrun"`
			Plan *plan  `json:"test_plan"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Plan != nil && strings.Contains(line.File, file) {
			all[line.Run] = line.Plan.installation(t)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func (p *plan) installation(t *testing.T) installation {
	t.Helper()
	out := installation{
		policies: map[string]any{}, attached: map[string][]string{}, trust: map[string]any{}, views: map[string]any{},
		questions: map[string]string{}, helm: p.Outputs["helm_values"].After,
	}
	for _, r := range p.Resources {
		after := r.Change.After
		index, _ := r.Index.(string)
		text := func(key string) string { s, _ := after[key].(string); return s }
		switch r.Type + "." + r.Name {
		case "aws_iam_role_policy.all":
			role, policy, _ := strings.Cut(index, "/")
			out.policies[policy] = decoded(t, text("policy"))
			out.attached[role] = append(out.attached[role], policy)
		case "aws_iam_role.all":
			out.trust[text("name")] = decoded(t, text("assume_role_policy"))
		case "aws_s3_bucket_policy.archive":
			out.policies["bucket"] = decoded(t, text("policy"))
		case "aws_s3_bucket_policy.results":
			out.policies["results-bucket"] = decoded(t, text("policy"))
		case "aws_s3_bucket_policy.heads":
			out.policies["anchor-bucket"] = denials(t, decoded(t, text("policy")), p.roles())
		case "aws_glue_catalog_table.audit":
			out.table = tableInput(after)
		case "aws_glue_catalog_table.view":
			out.views[index] = decodeView(t, tableInput(after))
		case "aws_athena_named_query.question":
			out.questions[text("name")] = text("query")
		case "aws_s3_bucket_lifecycle_configuration.archive":
			out.state = oldState(t, after["rule"])
		}
	}
	for _, policies := range out.attached {
		slices.Sort(policies)
	}
	return out
}

// roles is the beginning of the names of all roles.
func (p *plan) roles() string {
	for _, r := range p.Resources {
		if name, ok := r.Change.After["name"].(string); ok && r.Type == "aws_iam_role" && r.Index == "writer" {
			return strings.TrimSuffix(name, "writer")
		}
	}
	return "no role"
}

// denials leaves the statements out that allow a role something: only Terraform has these, for a bucket in another account. Each
// must name a role of this installation, and be about the heads.
func denials(t *testing.T, policy any, roles string) any {
	t.Helper()
	document, ok := policy.(map[string]any)
	if !ok {
		t.Fatalf("no policy: %v", policy)
	}
	statements, _ := document["Statement"].([]any)
	document["Statement"] = slices.DeleteFunc(statements, func(s any) bool {
		statement, _ := s.(map[string]any)
		allows, text := statement["Effect"] == "Allow", jsonText(statement)
		if allows && (strings.Contains(text, "Delete") || strings.Contains(text, `"Principal":"*"`) || !strings.Contains(text, ":role/"+roles)) {
			t.Errorf("the bucket of the heads allows %s", text)
		}
		return allows
	})
	return document
}

// tableInput is a table of Terraform in the form of Glue's calls. Terraform has null for each missing value.
func tableInput(after map[string]any) map[string]any {
	names := map[string]string{
		"name": "Name", "description": "Description", "table_type": "TableType", "parameters": "Parameters", "partition_keys": "PartitionKeys",
		"storage_descriptor": "StorageDescriptor", "columns": "Columns", "location": "Location", "input_format": "InputFormat",
		"output_format": "OutputFormat", "ser_de_info": "SerdeInfo", "serialization_library": "SerializationLibrary", "type": "Type",
		"comment": "Comment", "view_original_text": "ViewOriginalText", "view_expanded_text": "ViewExpandedText",
	}
	out := map[string]any{}
	for key, value := range after {
		list, nested := value.([]any)
		if names[key] == "" || value == nil || nested && len(list) == 0 {
			continue
		}
		switch {
		case key == "storage_descriptor" || key == "ser_de_info":
			block, _ := list[0].(map[string]any)
			out[names[key]] = tableInput(block)
		case nested:
			var items []any
			for _, item := range list {
				block, _ := item.(map[string]any)
				items = append(items, tableInput(block))
			}
			out[names[key]] = items
		default:
			out[names[key]] = value
		}
	}
	return out
}

// oldState are the prefixes of the rules that remove old versions after 7 days.
func oldState(t *testing.T, rules any) (prefixes []string) {
	t.Helper()
	var all []struct {
		Filter []struct {
			Prefix string `json:"prefix"`
		} `json:"filter"`
		Old []struct {
			Days int `json:"noncurrent_days"`
		} `json:"noncurrent_version_expiration"`
	}
	if err := json.Unmarshal([]byte(jsonText(rules)), &all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if len(r.Old) == 1 && r.Old[0].Days == 7 {
			prefixes = append(prefixes, r.Filter[0].Prefix)
		}
	}
	return prefixes
}
