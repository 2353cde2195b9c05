package manifests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// words is what IAM writes as a string or as a list of them.
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
	Action, Resource words
	Condition        map[string]map[string]words
}

func TestWriterMayNotDelete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "aws", "writer-policy.json"))
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
	// Whatever else turns up here has to be argued for in docs/s3-and-athena.md first.
	allowed := []string{
		"s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:AbortMultipartUpload", "s3:PutObjectRetention",
		"kms:GenerateDataKey", "kms:Decrypt",
	}
	var given []string
	for _, s := range policy.Statement {
		given = append(given, s.Action...)
		if s.Effect != "Allow" {
			t.Errorf("%s: effect is %q", s.Sid, s.Effect)
		}
		for _, resource := range s.Resource {
			inPrefix := strings.HasPrefix(resource, "arn:aws:s3:::") && strings.HasSuffix(resource, "/houndtrail/*")
			bounded := len(s.Condition) > 0 && !strings.Contains(resource, "*")
			if !inPrefix && !bounded {
				t.Errorf("%s: %s is neither one prefix of a bucket nor bounded by a condition", s.Sid, resource)
			}
		}
	}
	slices.Sort(given)
	slices.Sort(allowed)
	if !slices.Equal(given, allowed) {
		t.Errorf("the writer may %v, want %v", given, allowed)
	}
}

// TestAnchorsStay: the role that remembers heads may create them, and neither replace nor delete one.
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
