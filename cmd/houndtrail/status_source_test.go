package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/config"
)

// TestSourceThatHangs: the user waits no longer than status says, and learns what was known by then.
func TestSourceThatHangs(t *testing.T) {
	t.Parallel()
	for hangs, clock := range map[string]string{"/health": "local", "/api/v2/audit": "server"} {
		t.Run(clock, func(t *testing.T) {
			t.Parallel()
			end := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == hangs {
					select {
					case <-end:
					case <-r.Context().Done():
					}
				}
			}))
			t.Cleanup(server.Close)
			t.Cleanup(func() { close(end) })
			p, c := asking(t, server.URL)
			began := time.Now()
			s := p.askSource(t.Context(), c, false)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			if s.status != sourceFailed || s.clock != clock || !s.oldest.IsZero() || time.Since(s.now).Abs() > time.Minute {
				t.Errorf("the source is %+v", s)
			}
			for _, part := range []string{"no answer within 500ms", hangs} {
				if !strings.Contains(s.warning, part) {
					t.Errorf("the warning does not say %q: %s", part, s.warning)
				}
			}
			if said := strings.Contains(s.warning, "this machine's clock"); said != (clock == "local") {
				t.Errorf("whose clock it is: %s", s.warning)
			}
		})
	}
}

// TestStatusInterrupted: the user who stops it sees neither a table nor what failed because of that.
func TestStatusInterrupted(t *testing.T) {
	t.Parallel()
	p, _ := asking(t, "http://127.0.0.1:1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := p.main(ctx, []string{"status"}); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	out, _ := p.stdout.(*bytes.Buffer)
	if said, _ := p.stderr.(*bytes.Buffer); out.Len() > 0 || said.String() != "houndtrail: interrupted\n" {
		t.Errorf("it prints\n%s%s", out, said)
	}
}

// asking is a program with little patience, and its configuration.
func asking(t *testing.T, url string) (*program, *config.Config) {
	t.Helper()
	p := &program{
		stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}, patience: 50 * time.Millisecond,
		environ: []string{
			"HOUNDTRAIL_BLOODHOUND_URL=" + url, "HOUNDTRAIL_BLOODHOUND_TOKEN_ID=" + tokenID,
			"HOUNDTRAIL_BLOODHOUND_TOKEN_KEY=" + tokenKey, "HOUNDTRAIL_ARCHIVE_URL=file://" + t.TempDir(),
			"HOUNDTRAIL_LOG_LEVEL=error",
		},
	}
	c, err := config.Load(p.environ, config.NeedExport)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}
