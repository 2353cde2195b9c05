package main

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"houndtrail/exporter/bloodhound/bloodhoundtest"
	"houndtrail/sink/sinktest/servers"
)

// TestStalls: a store or an API that begins an answer and never ends it is tried again, told in the log, and then ends the
// command, with the name of what could not be read.
func TestStalls(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKSTUB", "AWS_SECRET_ACCESS_KEY": "stub-secret", "AWS_CONFIG_FILE": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
	const head = "HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 1000\r\n"
	store := servers.Stalling(t, map[string]string{
		"GET": head + "Last-Modified: Mon, 02 Jan 2006 15:00:00 GMT\r\nETag: \"e\"\r\nContent-Type: application/xml\r\n\r\n<ListBucke",
	})
	api := servers.Stalling(t, map[string]string{"GET": head + "Content-Type: application/json\r\n\r\n{\"count\":10"})
	sound := httptest.NewServer(bloodhoundtest.New(bloodhoundtest.Options{Tokens: map[string]string{tokenID: tokenKey}}))
	t.Cleanup(sound.Close)
	for name, test := range map[string]struct {
		args  []string
		api   string
		store string
		code  int
		wants []string
	}{
		"run, store": {
			[]string{"run", "--once"}, sound.URL, "s3://bucket", exitSink,
			[]string{"s3://bucket/checkpoints/archive/", "no byte of a body came for 50ms", `"level":"warn"`},
		},
		"status, store": {
			[]string{"status"}, sound.URL, "s3://bucket", exitSink,
			[]string{"s3://bucket/checkpoints/archive/", "no byte of a body came for 50ms", `"level":"warn"`},
		},
		"history, store": {
			[]string{"history"}, sound.URL, "s3://bucket", exitSink,
			[]string{"s3://bucket/checkpoints/archive/", "no byte of a body came for 50ms", `"level":"warn"`},
		},
		"run, API": {
			[]string{"run", "--once"}, api.URL, "file://" + t.TempDir(), exitSource,
			[]string{"/api/v2/audit", "no byte of a body came for 50ms", "trying again"},
		},
		"logs, API": {
			[]string{"logs"}, api.URL, "file://" + t.TempDir(), exitSource,
			[]string{"/api/v2/audit", "no byte of a body came for 50ms", "trying again"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			said := &bytes.Buffer{}
			p := &program{
				stdout: &bytes.Buffer{}, stderr: said, idle: 50 * time.Millisecond, patience: 2 * time.Second,
				environ: []string{
					"HOUNDTRAIL_BLOODHOUND_URL=" + test.api, "HOUNDTRAIL_BLOODHOUND_TOKEN_ID=" + tokenID,
					"HOUNDTRAIL_BLOODHOUND_TOKEN_KEY=" + tokenKey, "HOUNDTRAIL_ARCHIVE_URL=" + test.store,
					"HOUNDTRAIL_S3_ENDPOINT=" + store.URL, "HOUNDTRAIL_S3_REGION=eu-west-1", "HOUNDTRAIL_S3_PATH_STYLE=true",
					"HOUNDTRAIL_LISTEN=off",
				},
			}
			if code := p.main(t.Context(), test.args); code != test.code {
				t.Errorf("exit code %d; want %d", code, test.code)
			}
			for _, want := range test.wants {
				if !strings.Contains(said.String(), want) {
					t.Errorf("it says\n%s\nwant %q in it", said, want)
				}
			}
		})
	}
}
