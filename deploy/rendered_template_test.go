package deploy_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A stack resolves the functions of the template for given parameters, as CloudFormation's documentation describes them.
type stack struct {
	t          *testing.T
	template   map[string]any
	parameters map[string]string
}

// templateInstallation is what the template makes in a partition. The parameters have the values of Terraform's test.
func templateInstallation(t *testing.T, p place) installation {
	t.Helper()
	text, err := os.ReadFile(*templateJSON)
	if err != nil {
		t.Fatal(err)
	}
	template, ok := decoded(t, string(text)).(map[string]any)
	if !ok {
		t.Fatal("the template is no object")
	}
	s := stack{t, template, map[string]string{
		"AWS::Partition": p.partition, "AWS::Region": p.region, "AWS::URLSuffix": p.suffix, "AWS::AccountId": "111122223333",
		"Bucket": "example-bucket", "Tenant": "acme", "FirstDay": "2026-01-01", "Name": "example-workgroup", "Database": "example_workgroup",
		"KmsKeyArn": p.there(keyARN), "ClusterName": "example-cluster", "OidcIssuer": "oidc.eks." + p.region + "." + p.suffix + "/id/EXAMPLE",
		// A reference to a bucket is its name.
		"Archive": "example-bucket", "Heads": "example-bucket-heads", "Results": "example-bucket-results",
	}}
	for name, parameter := range object(t, template["Parameters"]) {
		if value, ok := object(t, parameter)["Default"]; ok && s.parameters[name] == "" {
			s.parameters[name] = fmt.Sprint(value)
		}
	}
	return s.installation()
}

func object(t *testing.T, value any) map[string]any {
	t.Helper()
	out, ok := value.(map[string]any)
	if !ok {
		t.Fatalf("no object: %.200v", value)
	}
	return out
}

func (s stack) installation() installation {
	out := installation{
		policies: map[string]any{}, attached: map[string][]string{}, trust: map[string]any{}, views: map[string]any{}, questions: map[string]string{},
	}
	resources := object(s.t, s.template["Resources"])
	roles := map[string]string{} // by their logical name
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		resource := object(s.t, resources[id])
		if condition, ok := resource["Condition"].(string); ok && !s.condition(condition) {
			continue
		}
		properties := object(s.t, s.resolve(resource["Properties"]))
		switch resource["Type"] {
		case "AWS::IAM::Role":
			role := fmt.Sprint(properties["RoleName"])
			roles[id] = strings.TrimPrefix(role, "example-workgroup-")
			out.trust[role] = decoded(s.t, fmt.Sprint(properties["AssumeRolePolicyDocument"]))
			policies, _ := properties["Policies"].([]any)
			for _, policy := range policies {
				name := fmt.Sprint(object(s.t, policy)["PolicyName"])
				out.policies[name] = object(s.t, policy)["PolicyDocument"]
				out.attached[roles[id]] = append(out.attached[roles[id]], name)
			}
		case "AWS::S3::BucketPolicy":
			file := map[string]string{"ArchivePolicy": "bucket", "HeadsPolicy": "anchor-bucket", "ResultsPolicy": "results-bucket"}[id]
			out.policies[file] = properties["PolicyDocument"]
		case "AWS::Glue::Table":
			if input := object(s.t, properties["TableInput"]); input["TableType"] == "VIRTUAL_VIEW" {
				out.views[fmt.Sprint(input["Name"])] = decodeView(s.t, input)
			} else {
				out.table = input
			}
		case "AWS::Athena::NamedQuery":
			out.questions[fmt.Sprint(properties["Name"])] = fmt.Sprint(properties["QueryString"])
		}
	}
	s.shared(out, resources, roles)
	for _, policies := range out.attached {
		slices.Sort(policies)
	}
	rules, _ := object(s.t, object(s.t, object(s.t, resources["Archive"])["Properties"])["LifecycleConfiguration"])["Rules"].([]any)
	for _, r := range rules {
		rule := object(s.t, s.resolve(r))
		if old, ok := rule["NoncurrentVersionExpiration"]; ok && fmt.Sprint(object(s.t, old)["NoncurrentDays"]) == "7" {
			out.state = append(out.state, fmt.Sprint(rule["Prefix"]))
		}
	}
	out.helm = decoded(s.t, fmt.Sprint(s.resolve(object(s.t, object(s.t, s.template["Outputs"])["HelmValues"])["Value"])))
	return out
}

// shared adds the policies that several roles share.
func (s stack) shared(out installation, resources map[string]any, roles map[string]string) {
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		if resource := object(s.t, resources[id]); resource["Type"] == "AWS::IAM::Policy" {
			properties := object(s.t, s.resolve(resource["Properties"]))
			name := fmt.Sprint(properties["PolicyName"])
			out.policies[name] = properties["PolicyDocument"]
			members, _ := properties["Roles"].([]any)
			for _, member := range members {
				role := roles[fmt.Sprint(member)]
				out.attached[role] = append(out.attached[role], name)
			}
		}
	}
}

// condition decides a condition of the template.
func (s stack) condition(name string) bool {
	return s.decide(object(s.t, s.template["Conditions"])[name])
}

func (s stack) decide(value any) bool {
	for function, argument := range object(s.t, value) {
		items, _ := argument.([]any)
		switch function {
		case "Condition":
			return s.condition(fmt.Sprint(argument))
		case "Fn::Equals":
			return s.resolve(items[0]) == s.resolve(items[1])
		case "Fn::Not":
			return !s.decide(items[0])
		case "Fn::And":
			return !slices.ContainsFunc(items, func(item any) bool { return !s.decide(item) })
		case "Fn::Or":
			return slices.ContainsFunc(items, s.decide)
		}
	}
	s.t.Fatalf("no condition: %v", value)
	return false
}

// resolve replaces the functions in a value by their results.
func (s stack) resolve(value any) any {
	switch v := value.(type) {
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, s.resolve(item))
		}
		return out
	case map[string]any:
		if len(v) == 1 {
			for function, argument := range v {
				if function == "Ref" || strings.HasPrefix(function, "Fn::") {
					return s.call(function, argument)
				}
			}
		}
		out := map[string]any{}
		for key, item := range v {
			out[key] = s.resolve(item)
		}
		return out
	default:
		return value
	}
}

func (s stack) call(function string, argument any) any {
	items, _ := argument.([]any)
	switch function {
	case "Ref":
		if value, ok := s.parameters[fmt.Sprint(argument)]; ok {
			return value
		}
		return argument // of a resource: its logical name
	case "Fn::GetAtt":
		return fmt.Sprint(argument)
	case "Fn::If":
		if s.condition(fmt.Sprint(items[0])) {
			return s.resolve(items[1])
		}
		return s.resolve(items[2])
	case "Fn::Base64":
		return base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(s.resolve(argument))))
	case "Fn::Join":
		var texts []string
		parts, _ := items[1].([]any)
		for _, part := range parts {
			texts = append(texts, fmt.Sprint(s.resolve(part)))
		}
		return strings.Join(texts, fmt.Sprint(items[0]))
	case "Fn::Sub":
		return s.sub(argument)
	default:
		s.t.Fatalf("the test does not know %s", function)
		return nil
	}
}

func (s stack) sub(argument any) string {
	own := map[string]any{}
	if items, ok := argument.([]any); ok {
		argument, own = items[0], object(s.t, items[1])
	}
	return regexp.MustCompile(`\$\{([^}]*)\}`).ReplaceAllStringFunc(fmt.Sprint(argument), func(found string) string {
		name := found[2 : len(found)-1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		if value, ok := own[name]; ok {
			return fmt.Sprint(s.resolve(value))
		}
		value, ok := s.parameters[name]
		if !ok {
			s.t.Fatalf("%s is no parameter", found)
		}
		return value
	})
}
