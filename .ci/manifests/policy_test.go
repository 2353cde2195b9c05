package manifests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const deploy = "../../deploy"

// words is a string or a list of strings: IAM writes either.
type words []string

func (w *words) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(w))
}

type statement struct {
	Sid, Effect      string
	Principal        string
	Action, Resource words
	Condition        map[string]map[string]words
}

// TestPolicies: each role has the rights that docs/s3-and-athena.md explains, and no others. The compactor may delete below
// audit/. A person who removes old days may delete below audit/ and quarantine/. No other role may delete.
func TestPolicies(t *testing.T) {
	kms := []string{"kms:Decrypt"}
	write := []string{
		"s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:AbortMultipartUpload", "s3:PutObjectRetention", "kms:GenerateDataKey", "kms:Decrypt",
	}
	for file, allowed := range map[string][]string{
		"writer-policy.json":    write,
		"compactor-policy.json": append([]string{"s3:DeleteObject"}, write...),
		"forget-policy.json":    append([]string{"s3:DeleteObject", "s3:GetObjectRetention", "s3:GetObjectLegalHold"}, write...),
		"reader-policy.json":    append([]string{"s3:GetObject", "s3:ListBucket"}, kms...),
		"auditor-policy.json": append([]string{
			"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention", "s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning",
			"s3:GetBucketObjectLockConfiguration",
		}, kms...),
		"watch-policy.json":         append([]string{"s3:GetObject", "s3:ListBucket"}, kms...),
		"anchor-reader-policy.json": {"s3:GetObject", "s3:ListBucket"},
	} {
		var given []string
		for _, s := range statements(t, file) {
			given = append(given, s.Action...)
			if s.Effect != "Allow" {
				t.Errorf("%s: %s: effect is %q", file, s.Sid, s.Effect)
			}
			for _, resource := range s.Resource {
				inPrefix := strings.HasSuffix(resource, "/*") && (strings.HasPrefix(resource, "arn:aws:s3:::example-bucket/houndtrail/") ||
					strings.HasPrefix(resource, "arn:aws:s3:::example-bucket-heads/houndtrail/"))
				if !inPrefix && strings.Contains(resource, "*") {
					t.Errorf("%s: %s: %s is neither one prefix of a bucket nor one resource", file, s.Sid, resource)
				}
				mayGo := resource == "arn:aws:s3:::example-bucket/houndtrail/audit/*" ||
					resource == "arn:aws:s3:::example-bucket/houndtrail/quarantine/*" && file == "forget-policy.json"
				if slices.Contains(s.Action, "s3:DeleteObject") && !mayGo {
					t.Errorf("%s: %s may delete %s", file, s.Sid, resource)
				}
			}
		}
		slices.Sort(given)
		slices.Sort(allowed)
		if !slices.Equal(given, allowed) {
			t.Errorf("%s: it allows %v, want %v", file, given, allowed)
		}
	}
}

// TestBucketPoliciesOnlyDeny: they bind every principal, and give no right to any.
func TestBucketPoliciesOnlyDeny(t *testing.T) {
	evidence := []string{"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"}
	for file, actions := range map[string][]string{
		"bucket-policy.json": evidence, "anchor-bucket-policy.json": evidence, "results-bucket-policy.json": {"s3:*"},
	} {
		denied := map[string]words{}
		for _, s := range statements(t, file) {
			if s.Effect != "Deny" || s.Principal != "*" {
				t.Errorf("%s: %s: %s of %s, want a denial for everybody", file, s.Sid, s.Effect, s.Principal)
			}
			for _, action := range s.Action {
				denied[action] = s.Resource
			}
			if slices.Contains(s.Action, "s3:PutObject") && s.Condition["Null"]["s3:if-none-match"][0] != "true" {
				t.Errorf("%s: %s: the condition is %v", file, s.Sid, s.Condition)
			}
		}
		for _, action := range actions {
			if len(denied[action]) == 0 {
				t.Errorf("%s: %s is not denied", file, action)
			}
		}
	}
}

func statements(t *testing.T, file string) []statement {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, "aws", file))
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Version   string
		Statement []statement
	}
	if err := json.Unmarshal(text, &policy); err != nil {
		t.Fatal(err)
	}
	return policy.Statement
}

// TestAnchorsStay: the role that remembers heads may create them. It may neither replace nor delete one.
func TestAnchorsStay(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "aws", "anchor-policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Version   string
		Statement []statement
	}
	if err := json.Unmarshal(text, &policy); err != nil {
		t.Fatal(err)
	}
	given := map[string][]string{}
	for _, s := range policy.Statement {
		given[s.Effect] = append(given[s.Effect], s.Action...)
		if unconditional := s.Condition["Null"]["s3:if-none-match"]; s.Effect == "Deny" && slices.Contains(s.Action, "s3:PutObject") &&
			!slices.Equal(unconditional, words{"true"}) {
			t.Errorf("%s: PutObject is denied if %v", s.Sid, s.Condition)
		}
	}
	if allow := given["Allow"]; !slices.Equal(allow, []string{"s3:ListBucket", "s3:GetObject", "s3:PutObject"}) {
		t.Errorf("the role may %v", allow)
	}
	for _, action := range []string{"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"} {
		if !slices.Contains(given["Deny"], action) {
			t.Errorf("%s is not denied: another policy of the role may allow it", action)
		}
	}
}
