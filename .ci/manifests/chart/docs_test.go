package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedValues: the chart takes each example of values in docs/kubernetes.md. .ci/chart runs the commands there.
func TestDocumentedValues(t *testing.T) {
	text := contentOf(t, repository+"/docs/kubernetes.md")
	examples := regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```$").FindAllStringSubmatch(text, -1)
	if len(examples) < 4 {
		t.Errorf("only %d examples", len(examples))
	}
	for _, example := range examples {
		values := regexp.MustCompile("(?m)^"+example[1]).ReplaceAllString(example[2], "")
		file := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"--values", file}
		if !strings.Contains(values, "ARCHIVE_URL") {
			args = append(args, "--set", "settings.ARCHIVE_URL=s3://example-bucket/houndtrail")
		}
		if !strings.Contains(values, "tenants:") {
			args = append(args, "--set", "tenants[0].name=acme,tenants[0].url=https://tenant.example,tenants[0].existingSecret=bh-acme")
		}
		if rendered := render(t, args...); len(pods(t, rendered)) == 0 {
			t.Errorf("no pods come of:\n%s", values)
		}
	}
}
