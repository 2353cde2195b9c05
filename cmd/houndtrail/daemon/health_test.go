package daemon

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// paced are streams with that schedule.
func paced(schedule cron.Schedule, names ...string) (all []*stream.Stream) {
	for _, name := range names {
		all = append(all, &stream.Stream{Name: name, Schedule: schedule})
	}
	return all
}

// TestHealth follows a daemon with a run every five minutes through an outage. A stream is stale if the second run after its
// last success is two minutes late.
func TestHealth(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := start
	h := newHealth(paced(cron.Every(5*time.Minute), "archive", "webhook"))
	h.now = func() time.Time { return now }
	for _, p := range h.streams {
		p.since = start
	}
	served := pages(Options{Version: "dev"}, NewMetrics("acme", "dev"), h)
	both := func(at time.Time, err error) {
		h.ended("archive", err, at)
		h.ended("webhook", err, at)
	}
	down := errors.Join(errors.New("connection refused"), errors.New("lease not released"))

	for _, step := range []struct {
		at              string // since the start
		do              func(time.Time)
		healthz, readyz int
		says            string
	}{
		{"1s", nil, 200, 503, "archive: starting: no success yet after 1s\nwebhook: starting: no success yet after 1s\n"},
		{"5m", func(at time.Time) { both(at, down) }, 200, 503, "no success yet after 5m0s; last cycle failed: connection refused; lease not released\n"},
		{"12m", nil, 200, 503, "archive: starting: no success yet after 12m0s"},
		{"12m1s", nil, 503, 503, "archive: stale: no success for 12m1s, due by 2026-03-01T12:12:00Z; last cycle failed: connection refused"},
		{"13m", func(at time.Time) { h.committed("archive", at) }, 503, 503, "archive: ok: last success 0s ago\nwebhook: stale: "},
		{"14m", func(at time.Time) { both(at, nil) }, 200, 200, "archive: ok: last success 0s ago\nwebhook: ok: last success 0s ago\n"},
		{"19m", func(at time.Time) { h.ended("webhook", down, at) }, 200, 200, "webhook: failing: last success 5m0s ago; last cycle failed: connection refused"},
		{"26m", nil, 200, 200, "webhook: failing: last success 12m0s ago"},
		{"26m1s", func(at time.Time) { h.ended("archive", nil, at) }, 503, 503, "archive: ok: last success 0s ago\nwebhook: stale: no success for 12m1s, due by"},
	} {
		since, err := time.ParseDuration(step.at)
		if err != nil {
			t.Fatal(err)
		}
		now = start.Add(since)
		if step.do != nil {
			step.do(now)
		}
		for path, want := range map[string]int{"/healthz": step.healthz, "/readyz": step.readyz, "/": http.StatusOK} {
			answer := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodGet, path, nil)
			request.RemoteAddr = "127.0.0.1:4711"
			served.ServeHTTP(answer, request)
			if answer.Code != want {
				t.Errorf("after %s: GET %s answers %d, want %d", step.at, path, answer.Code, want)
			}
			if !strings.Contains(answer.Body.String(), step.says) {
				t.Errorf("after %s: GET %s says\n%s\nwant\n%s", step.at, path, answer.Body, step.says)
			}
		}
	}
}

// A stream that commits is well, unless its last cycle ended in an error that a person has to look at.
func TestHealthOfAStreamThatCommitsAndIsNotWell(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for err, want := range map[error]bool{exporter.ErrClock: false, errors.New("connection refused"): true} {
		now := start
		h := newHealth(paced(cron.Every(5*time.Minute), "archive"))
		h.now = func() time.Time { return now }
		h.ended("archive", nil, now)
		for range 4 {
			now = now.Add(5 * time.Minute)
			h.committed("archive", now)
			h.ended("archive", err, now)
		}
		if text, ok := h.report(false, true); ok != want || !strings.Contains(text, "; last cycle failed: "+err.Error()) {
			t.Errorf("%v: well is %v, want %v: %s", err, ok, want, text)
		}
		h.ended("archive", nil, now)
		if text, ok := h.report(true, true); !ok {
			t.Errorf("after a cycle without an error: %s", text)
		}
	}
}

// While a cycle has to try again, and no longer, the page says why. The results of other batches do not change that.
func TestHealthOfACycleThatTriesAgain(t *testing.T) {
	t.Parallel()
	m := NewMetrics("acme", "dev")
	h := newHealth(paced(cron.Every(5*time.Minute), stream.Webhook))
	m.trying = h.tries
	for name, over := range map[string]func(){
		"a post":  func() { m.Posted(webhook.Attempt{Batch: "1", Status: http.StatusNoContent}) },
		"a cycle": func() { h.ended(stream.Webhook, errors.New("gave up"), time.Now()) },
	} {
		m.Posted(webhook.Attempt{Batch: "1", Status: http.StatusServiceUnavailable, Err: errors.New("busy")})
		m.Reposted(webhook.Retry{Batch: "1", Number: 3, Reason: "503", Pause: 30 * time.Second, Err: errors.New("busy")})
		m.Posted(webhook.Attempt{Batch: "2", Status: http.StatusNoContent}) // beside it
		if text, _ := h.report(false, true); !strings.Contains(text, "; try 3 failed, another one follows 30s later: busy\n") {
			t.Errorf("before %s: %s", name, text)
		}
		over()
		if text, _ := h.report(false, true); strings.Contains(text, "busy") {
			t.Errorf("%s has ended: %s", name, text)
		}
	}
}

// With long pauses in the schedule a stream is not stale in between. A schedule that never runs again causes no panic.
func TestHealthFollowsTheSchedule(t *testing.T) {
	t.Parallel()
	nightly, err := cron.ParseStandard("CRON_TZ=UTC 0 3 * * *")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 3, 0, 30, 0, time.UTC)
	h := newHealth(paced(nightly, "archive"))
	h.now = func() time.Time { return now }
	h.ended("archive", nil, now)
	for at, want := range map[string]bool{"2026-03-02T02:59:00Z": true, "2026-03-03T03:01:59Z": true, "2026-03-03T03:02:01Z": false} {
		if now, err = time.Parse(time.RFC3339, at); err != nil {
			t.Fatal(err)
		}
		if text, ok := h.report(true, true); ok != want {
			t.Errorf("at %s: well is %v, want %v: %s", at, ok, want, text)
		}
	}
}

// Only these pages exist, and they can only be read.
func TestStatusPages(t *testing.T) {
	t.Parallel()
	served := pages(Options{Version: "dev"}, NewMetrics("acme", "dev"), newHealth(nil))
	for request, want := range map[string]int{
		"GET /": 200, "GET /metrics": 200, "GET /livez": 200, "GET /healthz": 200, "GET /readyz": 200, "HEAD /healthz": 200,
		"GET /healthz/": 404, "GET /debug/pprof/": 404, "POST /healthz": 405,
	} {
		method, path, _ := strings.Cut(request, " ")
		answer := httptest.NewRecorder()
		served.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
		if answer.Code != want {
			t.Errorf("%s answers %d, want %d", request, answer.Code, want)
		}
	}
}

// TestStatusPagesAreTerse: hosts and errors are for requests from this machine.
func TestStatusPagesAreTerse(t *testing.T) {
	t.Parallel()
	h := newHealth(paced(cron.Every(time.Minute), stream.Webhook))
	h.ended(stream.Webhook, errors.New("post to https://siem.example: refused"), time.Now())
	h.tries(stream.Webhook, "try 3 failed: https://siem.example is busy")
	served := pages(Options{Version: "dev"}, NewMetrics("acme", "dev"), h)
	starting := regexp.MustCompile(`webhook: starting: no success yet after \d+s; last cycle failed`)
	for _, c := range []struct {
		from, forwarded string
		tells           bool
	}{
		{"127.0.0.1:4711", "", true},
		{"[::1]:4711", "", true},
		{"[::ffff:127.0.0.1]:4711", "", true},
		{"127.0.0.1:4711", "192.0.2.7", false},
		{"10.1.2.3:4711", "", false},
		{"[2001:db8::1]:4711", "", false},
		{"", "", false},
	} {
		for _, path := range []string{"/", "/healthz", "/readyz", "/livez"} {
			answer, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
			if request.RemoteAddr = c.from; c.forwarded != "" {
				request.Header.Set("X-Forwarded-For", c.forwarded)
			}
			served.ServeHTTP(answer, request)
			text := answer.Body.String()
			if want := c.tells && path != "/livez"; strings.Contains(text, "siem.example") != want {
				t.Errorf("GET %s from %q: tells of the host: %v, want %v:\n%s", path, c.from, !want, want, text)
			}
			if path != "/livez" && !starting.MatchString(text) {
				t.Errorf("GET %s from %q says\n%s", path, c.from, text)
			}
		}
	}
}

// A finding of a verification, and one that is overdue, make /healthz red and nothing else; a failing compaction makes no page red.
func TestHealthOfJobs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h := newHealth(paced(cron.Every(5*time.Minute), "archive"))
	h.now = func() time.Time { return now }
	h.ended("archive", nil, now)
	state, well := stream.JobOK, error(nil)
	h.jobs = []*job{{now: h.now, work: work{
		name: "a job", vital: true, judge: func(stream.Note, time.Time) (string, error) { return state, well },
	}}}
	served := pages(Options{Version: "dev"}, NewMetrics("acme", "dev"), h)
	for _, c := range []struct {
		state   string
		vital   bool
		healthz int
	}{
		{stream.JobOK, true, 200},
		{stream.JobWaiting, true, 200},
		{stream.JobFailed, true, 200},
		{stream.JobFinding, true, 503},
		{stream.JobOverdue, true, 503},
		{stream.JobFinding, false, 200},
		{stream.JobOverdue, false, 200},
	} {
		state, well, h.jobs[0].vital = c.state, errors.New("the reason"), c.vital
		for path, want := range map[string]int{"/healthz": c.healthz, "/readyz": 200, "/livez": 200} {
			answer := httptest.NewRecorder()
			served.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
			if answer.Code != want {
				t.Errorf("%s, vital %v: GET %s answers %d, want %d", c.state, c.vital, path, answer.Code, want)
			}
			if text := answer.Body.String(); path != "/livez" && (!strings.Contains(text, "a job: "+c.state+": no success yet\n") || strings.Contains(text, "the reason")) {
				t.Errorf("%s: GET %s says, to another machine:\n%s", c.state, path, text)
			}
		}
	}
}
