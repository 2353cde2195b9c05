package bloodhoundtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
)

func TestFaultsThatAnswer(t *testing.T) {
	const plain = "text/plain; charset=utf-8"
	reset := time.Unix(1768480497, 0)
	for _, tt := range []struct {
		name        string
		fault       bt.Fault
		status      int
		contentType string
		body        string // what it contains
		headers     map[string]string
	}{
		{
			"429", faults.RateLimited(faults.LimitHeaders{}), 429, plain, "Limit exceeded\n",
			map[string]string{"X-RateLimit-Reset": "", "Retry-After": ""},
		},
		{
			"429 with reset", faults.RateLimited(faults.LimitHeaders{Reset: reset}), 429, plain, "Limit exceeded\n",
			map[string]string{"X-RateLimit-Reset": "1768480497"},
		},
		{
			"429 with retry", faults.RateLimited(faults.LimitHeaders{RetryAfter: "7"}), 429, plain, "Limit exceeded\n",
			map[string]string{"Retry-After": "7"},
		},
		{"timed out", faults.TimedOut(), 500, "application/json", `"message":"request timed out"`, nil},
		{"internal", faults.InternalError(), 500, "application/json", `"an internal error has occurred`, nil},
		{"401", faults.SessionExpired(), 401, "application/json", `"Token Authorization failed."`, nil},
		{"403", faults.Forbidden(), 403, "application/json", `"not authorized"`, nil},
		{"fail", faults.Fail(500, "audit log intent could not be recorded"), 500, "application/json", "intent could not", nil},
		{"empty", faults.Empty(), 200, "", "", nil},
		{"no JSON", faults.NotJSON(), 200, "text/html; charset=utf-8", "Sign in", nil},
		{"502", faults.Proxy(502), 502, "text/html; charset=utf-8", "<h1>502 Bad Gateway</h1>", map[string]string{"Requestid": ""}},
		{"504", faults.Proxy(504), 504, "text/html; charset=utf-8", "<h1>504 Gateway Timeout</h1>", nil},
		{"redirect", faults.Redirect("https://x.example/"), 302, "", "", map[string]string{"Location": "https://x.example/"}},
		{"huge", faults.Huge(3 << 20), 200, "application/json", strings.Repeat("x", 3<<20), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDouble(bt.V84, ago(time.Second))
			d.Fault(tt.fault)
			for _, zip := range []string{"", "gzip"} {
				w := d.get(auditPath, header{"Accept-Encoding", zip})
				body := w.Body.Bytes()
				if got := w.Header().Get("Content-Encoding"); got != zip {
					t.Errorf("Content-Encoding %q, want %q", got, zip)
				}
				if zip != "" {
					body = gunzip(t, body)
				}
				if w.Code != tt.status || !strings.Contains(string(body), tt.body) ||
					w.Header().Get("Content-Type") != tt.contentType {
					t.Errorf("%d %v %.200q", w.Code, w.Header(), body)
				}
				if tt.body == "" && len(body) > 0 {
					t.Errorf("body %q", body)
				}
				if tt.contentType == "application/json" && !json.Valid(body) {
					t.Error("the body is not JSON")
				}
				for name, want := range tt.headers {
					if got := w.Header().Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
			}
			if w := d.get("/api/version"); w.Code != 200 {
				t.Errorf("another path got %d", w.Code)
			}
			d.ClearFaults()
			d.page(t, "")
		})
	}
}

func TestHistoryChangesBetweenPages(t *testing.T) {
	rows := []bt.Row{ago(1 * time.Second), ago(2 * time.Second), ago(3 * time.Second), ago(4 * time.Second)}
	d := newDouble(bt.V84, rows...)
	late := bt.Row{ID: 77, CreatedAt: noon.Add(-1500 * time.Millisecond)}
	d.Fault(faults.Sequence(nil, faults.Reveal(d.Server, late), faults.PruneBefore(d.Server, noon.Add(-3*time.Second))))
	wantIDs(t, d.page(t, "?limit=2"), 1, 2)
	wantIDs(t, d.page(t, "?limit=2&skip=2"), 2, 3) // the late row pushed one down
	got := d.page(t, "?limit=2&skip=2")
	wantIDs(t, got, 2, 3)
	if *got.Count != 4 {
		t.Errorf("count %d", *got.Count)
	}
}

func TestWhoGetsAFault(t *testing.T) {
	statuses := func(d *double, queries ...string) (got []int) {
		for _, q := range queries {
			got = append(got, d.get(auditPath+q).Code)
		}
		return got
	}
	skips := func(r *http.Request) bool { return r.URL.Query().Has("skip") }
	for _, tt := range []struct {
		name  string
		fault bt.Fault
		want  []int
	}{
		{"next", faults.Next(2, faults.TimedOut()), []int{500, 500, 200, 200}},
		{"sequence", faults.Sequence(nil, faults.SessionExpired(), nil, faults.Forbidden()), []int{200, 401, 200, 403}},
		{"when", faults.When(skips, faults.Proxy(502)), []int{200, 502, 502, 200}},
		{"both", faults.When(skips, faults.Next(1, faults.Proxy(502))), []int{200, 502, 200, 200}},
	} {
		d := newDouble(bt.V84)
		d.Fault(tt.fault)
		if got := statuses(d, "", "?skip=1", "?skip=2", ""); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	d := newDouble(bt.V84)
	d.Fault(faults.Next(2, faults.TimedOut()))
	d.Fault(faults.Next(1, faults.Proxy(502)))
	if got := statuses(d, "", "", "", ""); !slices.Equal(got, []int{500, 500, 502, 200}) {
		t.Errorf("two faults: %v", got)
	}
	d.FaultAt("/api/v2/login", faults.RateLimited(faults.LimitHeaders{}))
	if w := d.login(loginBody(reader, "secret")); w.Code != 429 {
		t.Errorf("login got %d", w.Code)
	}
}

func TestSlowDatabase(t *testing.T) {
	for _, tt := range []struct {
		profile bt.Profile
		prefer  string
		takes   time.Duration
		waited  time.Duration
		status  int // 0 for a 200 with nothing in it
	}{
		{bt.V84, "", time.Hour, time.Hour, 200},
		{bt.V84, "wait=10", 9 * time.Second, 9 * time.Second, 200},
		{bt.V84, "wait=10", 11 * time.Second, 10 * time.Second, 500},
		{bt.V7, "", time.Hour, time.Hour, 200},
		{bt.V7, "wait=90", time.Hour, 90 * time.Second, 500},
		{bt.Legacy2024, "", time.Hour, time.Hour, 200},
		{bt.Legacy2024, "wait=90", time.Hour, 90 * time.Second, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDouble(tt.profile, ago(time.Second))
			d.Fault(faults.Slow(tt.takes))
			start := time.Now()
			w := d.get(auditPath, header{"Prefer", tt.prefer})
			if waited := time.Since(start); waited != tt.waited {
				t.Errorf("%s %q: took %s, want %s", tt.profile, tt.prefer, waited, tt.waited)
			}
			switch tt.status {
			case 500:
				wantError(t, w, 500, "request timed out")
			default:
				if w.Code != 200 || (w.Body.Len() > 0) != (tt.status == 200) {
					t.Errorf("%s %q: %d %s", tt.profile, tt.prefer, w.Code, w.Body)
				}
			}
		})
	}
}

func TestHangLastsUntilTheClientGoes(t *testing.T) {
	d := newDouble(bt.V84)
	ctx, cancel := context.WithCancel(t.Context())
	d.Fault(faults.Before(cancel)) // the request has arrived by then
	d.Fault(faults.Hang())
	if _, err := overTheWire(t, d)(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
