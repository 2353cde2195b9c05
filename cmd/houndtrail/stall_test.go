package main

import (
	"bytes"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestStalls: a store or an API begins an answer and never ends it. The command tries again, logs each failure, and then ends
// with an error that names the object or URL.
func TestStalls(t *testing.T) {
	stubCredentials(t)
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
			[]string{"run", "--once"},
			sound.URL, "s3://bucket", int(stream.SinkFailed),
			[]string{"s3://bucket/checkpoints/archive/", "no byte of a body came for 50ms", `"level":"warn"`},
		},
		"status, store": {
			[]string{"status"},
			sound.URL, "s3://bucket", int(stream.SinkFailed),
			[]string{"s3://bucket/checkpoints/archive/", "no byte of a body came for 50ms", `"level":"warn"`},
		},
		"history, store": {
			[]string{"history"},
			sound.URL, "s3://bucket", int(stream.SinkFailed),
			[]string{"s3://bucket/checkpoints/archive/", "no byte of a body came for 50ms", `"level":"warn"`},
		},
		"run, API": {
			[]string{"run", "--once"},
			api.URL, "file://" + t.TempDir(), int(stream.SourceFailed),
			[]string{"/api/v2/audit", "no byte of a body came for 50ms", "trying again"},
		},
		"logs, API": {
			[]string{"logs"},
			api.URL, "file://" + t.TempDir(), int(stream.SourceFailed),
			[]string{"/api/v2/audit", "no byte of a body came for 50ms", "trying again"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			said := &bytes.Buffer{}
			p := &program{
				stdout: &bytes.Buffer{}, stderr: said, idle: 50 * time.Millisecond, patience: 2 * time.Second,
				environ: s3Environ(test.api, test.store, store.URL),
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

// TestStoreDown: if a store is down, the command reports that at once, with its address, and does not try again.
func TestStoreDown(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	stubCredentials(t)
	for _, args := range [][]string{
		{"status", "--offline"}, {"history"}, {"adopt", "--dry-run", "--reason", "test"}, {"move", "--reason", "test"},
	} {
		said := &bytes.Buffer{}
		p := &program{stdout: &bytes.Buffer{}, stderr: said, environ: s3Environ("http://127.0.0.1:1", "s3://bucket", "http://"+address)}
		if code := p.main(t.Context(), args); code != int(stream.SinkFailed) {
			t.Errorf("%q: exit code %d; want %d", args, code, int(stream.SinkFailed))
		}
		if got := said.String(); !strings.Contains(got, "dial tcp "+address+": connect: connection refused") ||
			strings.Contains(got, "a request to the store failed") {
			t.Errorf("%q: it says\n%s\nwant %s once, and no other try", args, got, address)
		}
	}
}

// stubCredentials sets credentials that no store knows.
func stubCredentials(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKSTUB", "AWS_SECRET_ACCESS_KEY": "stub-secret", "AWS_CONFIG_FILE": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
}

func s3Environ(api, archive, endpoint string) []string {
	return []string{
		"HOUNDTRAIL_BLOODHOUND_URL=" + api, "HOUNDTRAIL_BLOODHOUND_TOKEN_ID=" + tokenID,
		"HOUNDTRAIL_BLOODHOUND_TOKEN_KEY=" + tokenKey, "HOUNDTRAIL_ARCHIVE_URL=" + archive,
		"HOUNDTRAIL_S3_ENDPOINT=" + endpoint, "HOUNDTRAIL_S3_REGION=eu-west-1", "HOUNDTRAIL_S3_PATH_STYLE=true",
		"HOUNDTRAIL_LISTEN=off",
	}
}
