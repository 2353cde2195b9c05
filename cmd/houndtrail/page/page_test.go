package page

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	folder = flag.String("pages", "", "write all pages, and their policy, into this folder, for the browser of .ci/pages")
)

// get asks for the page of a snapshot.
func get(t *testing.T, s observe.Snapshot, names bool, path string) *httptest.ResponseRecorder {
	t.Helper()
	h := Handler(func(context.Context) observe.Snapshot { return s }, Options{
		Names: names, Server: "houndtrail watch", Version: "v0.0.0", Log: zap.NewNop(), Now: noon,
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w
}

// TestGolden has the whole page of each state. A page for everybody has no name of a host and no text of an error.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, s := range pages() {
		w := get(t, s, true, "/")
		got := w.Body.String()
		if *folder != "" {
			write(t, filepath.Join(*folder, name+".html"), got)
			write(t, filepath.Join(*folder, "policy"), w.Header().Get("Content-Security-Policy"))
		}
		main := between(got, "<body", "<script>") // style and script have files of their own
		if name != "healthy" {                    // one file with pictures is enough
			main = regexp.MustCompile(`(?s)(<svg[^>]*>).*?</svg>`).ReplaceAllString(main, "$1</svg>")
		}
		path := filepath.Join("testdata", name+".html")
		if *update {
			write(t, path, main)
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), main); diff != "" {
			t.Errorf("%s (-want +got):\n%.3000s", name, diff)
		}
		public := get(t, s, false, "/").Body.String()
		for _, secret := range []string{"example.com", "s3://", "acme-audit", "AccessDenied"} {
			if strings.Contains(public, secret) {
				t.Errorf("%s: a page for everybody has %q", name, secret)
			}
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return from + text
}

// TestNeverWell: for no state but the ones that mean it does the page say ok, and old facts are never ok.
func TestNeverWell(t *testing.T) {
	t.Parallel()
	title := func(s observe.Snapshot) string { return between(get(t, s, true, "/").Body.String(), "<title>", ":") }
	states := append(stream.AllStates(), "a state of a later version")
	for _, state := range states {
		all := healthy("acme", 1)
		all[1].State = state
		want := state == stream.StateOK || state == stream.StateWaiting
		if got := title(snapshot(all...)) == "<title>ok"; got != want && state != stream.StateWaiting {
			t.Errorf("the webhook is %q: ok is %v", state, got)
		}
		all = healthy("acme", 1)
		all[0].State = state
		if got := title(snapshot(all...)) == "<title>ok"; got != want && state != stream.StateWaiting {
			t.Errorf("the archive is %q: ok is %v", state, got)
		}
	}
	old := snapshot(healthy("acme", 1)...)
	old.At = old.At.Add(-time.Hour)
	blind := snapshot()
	blind.Err = stream.ErrStale
	for name, s := range map[string]observe.Snapshot{"old facts": old, "nothing": snapshot(), "no list": blind, "before the first round": {}} {
		if got := title(s); got == "<title>ok" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestEveryState: each state of a stream has words of its own on the page. The state's name alone tells a person nothing.
func TestEveryState(t *testing.T) {
	t.Parallel()
	for _, state := range stream.AllStates() {
		s := healthy("acme", 1)[1]
		s.State = state
		c := of(&s, noon())
		if c.word == "" || c.icon == "" || state != stream.StateOK && (c.because == "" || c.because == state) {
			t.Errorf("%s has no words: %+v", state, c)
		}
		if well := state == stream.StateOK || state == stream.StateWaiting; well != (c.do == "") {
			t.Errorf("%s: a person should %q", state, c.do)
		}
	}
}

// TestHostile: whatever others wrote stays text.
func TestHostile(t *testing.T) {
	t.Parallel()
	const evil = "</style><script>alert(1)</script>\"'\\;}@import url(//x.example.com)<img src=x onerror=alert(1)>\x1b[2J\u202e"
	for name, s := range pages() {
		for i := range s.Streams {
			one := &s.Streams[i]
			one.Tenant = evil + one.Tenant
			one.Newest.Source, one.Newest.Destination, one.Place = evil, evil, evil
			if one.Err != nil {
				one.Failure.Reason = evil
				one.Err = stream.LastRun(one.Failure)
			}
			if len(one.History.Commits) > 0 {
				one.History.Commits[0].Kind = evil
			}
		}
		got := get(t, s, true, "/").Body.String()
		for part, most := range map[string]int{"<script": 1, "</style>": 1, "<img": 0, "onerror=alert(1)>": 0, " style=": 0, "ZgotmplZ": 0, "\x1b": 0, "\u202e": 0} {
			if n := strings.Count(got, part); n > most {
				t.Errorf("%s: %d times %q", name, n, part)
			}
		}
	}
}

// TestHeaders: the policy allows this page's style and script and nothing else, and the page asks for nothing.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := get(t, snapshot(healthy("acme", 1)...), true, "/")
	policy := w.Header().Get("Content-Security-Policy")
	for _, part := range []string{
		"default-src 'none'", "style-src '" + hash(style) + "'", "script-src '" + hash(script) + "'", "form-action 'none'", "frame-ancestors 'none'",
	} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s: %s", part, policy)
		}
	}
	body := w.Body.String()
	if !strings.Contains(body, "<style>"+style+"</style>") || !strings.Contains(body, "<script>"+script+"</script>") {
		t.Error("style or script are not as the policy's hashes say")
	}
	if out := regexp.MustCompile(`(?:src|href)="(?:https?:)?//[^"]*"`).FindAllString(body, -1); len(out) > 0 {
		t.Errorf("it asks for %v", out)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the headers are %v", w.Header())
	}
}

// TestOneOfMany: a tenant of many has a page of its own.
func TestOneOfMany(t *testing.T) {
	t.Parallel()
	body := get(t, snapshot(many()...), true, "/?tenant=golf").Body.String()
	if !strings.Contains(body, "keeps the audit log of <b>golf</b>") || strings.Contains(body, "alpha") {
		t.Error("it is not golf's page alone")
	}
	if body := get(t, snapshot(many()...), true, "/?tenant=nobody").Body.String(); strings.Contains(body, "<title>ok") {
		t.Error("a tenant that is not there is ok")
	}
}
