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
