package deploy_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

const page = "../docs/aws.md"

// TestVariables: docs/aws.md has the variables of the module, with their descriptions.
func TestVariables(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	place := regexp.MustCompile(`(?s)(<!-- variables:begin -->\n).*(<!-- variables:end -->)`)
	if !place.Match(text) {
		t.Fatalf("%s has no block variables", page)
	}
	generated(t, page, place.ReplaceAllString(string(text), "${1}\n"+strings.ReplaceAll(variables(t), "$", "$$")+"\n${2}"))
}

func variables(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("terraform/variables.tf")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n| --- | --- | --- |\n")
	found := 0
	for _, block := range regexp.MustCompile(`(?ms)^variable "(\w+)" \{\n(.*?)^\}`).FindAllStringSubmatch(string(text), -1) {
		field := func(name string) string {
			if m := regexp.MustCompile(`(?m)^  ` + name + ` +=( .*)$`).FindStringSubmatch(block[2]); m != nil {
				return strings.TrimSpace(m[1])
			}
			return ""
		}
		value := "required"
		if given := field("default"); given != "" {
			value = "`" + given + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", block[1], value, strings.Trim(field("description"), `"`))
		found++
	}
	if found != strings.Count(string(text), "\nvariable ")+1 {
		t.Errorf("%d variables were found: the test does not read the file", found)
	}
	return b.String()
}

// TestWalk: the commands of docs/aws.md name parameters, outputs and files that exist.
func TestWalk(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	commands := strings.Join(regexp.MustCompile("(?ms)^ *```sh\n.*?^ *```$").FindAllString(string(text), -1), "\n")
	read := func(path string) string {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for _, test := range []struct{ command, file, declared string }{
		{`terraform output -json (\w+)`, "terraform/outputs.tf", `output "%s" {`},
		{`jq -r \.(\w+)`, "terraform/roles.tf", "\n      %s "},
		{` (\w+)=[a-z0-9-]+(?:$| )`, "cloudformation/houndtrail.yaml", "\n  %s:\n"},
		{`OutputKey=='(\w+)'`, "cloudformation/houndtrail.yaml", "\n  %s:\n"},
		{`--template-file (\S+)`, "cloudformation/houndtrail.yaml", "AWSTemplateFormatVersion"},
		{`houndtrail query ([\w-]+)`, "athena/%s.sql", "-- "},
		{`--capabilities (\w+)`, "cloudformation/houndtrail.yaml", "RoleName"},
	} {
		found := regexp.MustCompile(`(?m)`+test.command).FindAllStringSubmatch(commands, -1)
		if len(found) == 0 {
			t.Errorf("no command matches %s", test.command)
		}
		for _, m := range found {
			file, declared := strings.ReplaceAll(test.file, "%s", m[1]), strings.ReplaceAll(test.declared, "%s", m[1])
			if !strings.Contains(read(file), declared) {
				t.Errorf("%s: %s has no %q", m[0], file, declared)
			}
		}
	}
}
