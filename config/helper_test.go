package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata" // CRON_TZ, also on a machine that has no zone files

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/config"
)

var update = flag.Bool("update", false, "rewrite golden files, the page of the settings and the example environment")

// minimal has only the settings that every export needs.
func minimal() []string {
	return []string{
		"HOUNDTRAIL_BLOODHOUND_URL=https://tenant.example",
		"HOUNDTRAIL_BLOODHOUND_TOKEN_ID=4c2b6f6e-8a3e-4b51-9b6e-0d6f0f6f1a11",
		"HOUNDTRAIL_BLOODHOUND_TOKEN_KEY=key",
		"HOUNDTRAIL_ARCHIVE_URL=s3://bucket/audit",
	}
}

// with returns an environment with some variables set anew. If an entry has no "=", it removes that variable.
func with(environ []string, entries ...string) []string {
	for _, entry := range entries {
		name, _, set := strings.Cut(entry, "=")
		var rest []string
		for _, e := range environ {
			if !strings.HasPrefix(e, "HOUNDTRAIL_"+name+"=") {
				rest = append(rest, e)
			}
		}
		if environ = rest; set {
			environ = append(environ, "HOUNDTRAIL_"+entry)
		}
	}
	return environ
}

// load returns the result of Load for an environment that is good for an export.
func load(t *testing.T, environ []string) *config.Config {
	t.Helper()
	c, err := config.Load(environ, config.NeedExport)
	if err != nil {
		t.Fatalf("Load(%q):\n%v", environ, err)
	}
	return c
}

// problems returns the text of the *config.Error that Load must return.
func problems(t *testing.T, environ []string, need config.Need) string {
	t.Helper()
	c, err := config.Load(environ, need)
	if err == nil {
		return ""
	}
	bad, ok := errors.AsType[*config.Error](err)
	if !ok || c != nil {
		t.Fatalf("Load(%q) = %v, %T %v; want no config and a *config.Error", environ, c, err, err)
	}
	return bad.Error()
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// golden compares text with a file. With -update, it writes the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale; run go test ./config -update (-file +now):\n%s", name, diff)
	}
}
