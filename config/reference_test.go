package config_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/config"
)

const (
	tableBegin = "<!-- config:begin -->\n"
	tableEnd   = "<!-- config:end -->"
)

// TestConfigPage compares the page of the settings with the tree.
func TestConfigPage(t *testing.T) {
	t.Parallel()
	const name = "../docs/configuration.md"
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s has no %s ... %s", name, strings.TrimSpace(tableBegin), tableEnd)
	}
	golden(t, name, before+tableBegin+"\n"+config.Reference()+"\n"+tableEnd+after)
}

const exampleFile = "../deploy/houndtrail.env.example"

func TestExampleFile(t *testing.T) {
	t.Parallel()
	golden(t, exampleFile, config.Example())
}

// TestExampleIsValid: the example works as it is, and each line that is commented out works by itself.
func TestExampleIsValid(t *testing.T) {
	t.Parallel()
	var first, rest []string
	for line := range strings.SplitSeq(config.Example(), "\n") {
		switch {
		case strings.HasPrefix(line, config.Prefix):
			first = append(first, line)
		case strings.HasPrefix(line, "#"+config.Prefix):
			rest = append(rest, strings.TrimPrefix(line, "#"+config.Prefix))
		}
	}
	load(t, first)
	// These need another variable as well, or a file that this machine does not have.
	const oauth = "WEBHOOK_OAUTH_TOKEN_URL=https://a.example|WEBHOOK_OAUTH_CLIENT_ID=c|WEBHOOK_OAUTH_CLIENT_SECRET=s"
	partners := map[string]string{
		"WEBHOOK_OAUTH_TOKEN_URL": oauth, "WEBHOOK_OAUTH_CLIENT_ID": oauth, "WEBHOOK_OAUTH_CLIENT_SECRET": oauth,
		"WEBHOOK_OAUTH_SCOPE": oauth, "WEBHOOK_SIGNING_SECRETS": "WEBHOOK_URL=https://siem.example",
		"S3_KMS_KEY_ID": "S3_SSE=aws:kms", "S3_OBJECT_LOCK_MODE": "S3_OBJECT_LOCK_DAYS=1",
		"S3_OBJECT_LOCK_DAYS":   "S3_OBJECT_LOCK_MODE=GOVERNANCE",
		"WEBHOOK_AUTHORIZATION": "WEBHOOK_URL=https://siem.example", "WEBHOOK_HEADERS": "WEBHOOK_URL=https://siem.example",
	}
	files := []string{
		"BLOODHOUND_CA_FILE", "WEBHOOK_CA_FILE", "VERIFY_KEY_FILE", "WEBHOOK_CLIENT_CERT_FILE", "WEBHOOK_CLIENT_KEY_FILE",
	}
	for _, line := range rest {
		name, value, _ := strings.Cut(line, "=")
		if value == "" || slices.Contains(files, name) {
			continue // the user fills this line in
		}
		environ := with(first, line)
		if partner := partners[name]; partner != "" {
			environ = with(first, append(strings.Split(partner, "|"), line)...)
		}
		if got := problems(t, environ, config.NeedExport); got != "" {
			t.Errorf("%s: %s", line, got)
		}
	}
	if len(first) < 4 || len(rest) < 30 {
		t.Errorf("%d and %d variables in the example", len(first), len(rest))
	}
}
