package bloodhoundtest_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
)

func TestPreferences(t *testing.T) {
	const doc = bt.Documented
	type test struct {
		profile bt.Profile
		prefer  string
		applied string // or
		status  int
	}
	tests := []test{
		{doc, "", "", 200},
		{doc, "wait=0", "", 200},
		{doc, "wait=30", "wait=30.00", 200},
		{doc, "wait=-1", "", 400},
		{doc, "respond-async, wait=5", "", 400},
	}
	for _, p := range bt.Profiles[1:] { // not the documented one, which is no real server
		tests = append(tests,
			test{p, "", "", 200},
			test{p, "wait=5", "wait=5.00", 200},
			test{p, "wait=3600", "wait=3600.00", 200},
			test{p, "wait=0", "", 200},
			test{p, "wait=-1", "", 200},
			test{p, "wait=-2", "", 200},
			test{p, "respond-async", "", 200},
			test{p, "respond-async, wait=7", "wait=7.00", 200},
			test{p, "wait=5,wait=10", "wait=10.00", 200},
			test{p, "wait=x", "", 400},
			test{p, "wait=", "", 400},
		)
	}
	for _, tt := range tests {
		w := newDouble(tt.profile).get(auditPath, header{"Prefer", tt.prefer})
		if w.Code != tt.status || w.Header().Get("Preference-Applied") != tt.applied {
			t.Errorf("%s %q: %d, applied %q", tt.profile, tt.prefer, w.Code, w.Header().Get("Preference-Applied"))
		}
		if tt.status == 400 {
			wantError(t, w, 400, "Prefer header has an invalid value: ")
			if w.Header().Get("Requestid") != "" {
				t.Error("this 400 has no request id")
			}
		}
	}
}

func TestEmptyAnswerToATimedOutRequestIsCompressedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDouble(bt.Legacy2024, ago(time.Second))
		d.Fault(faults.Slow(time.Minute))
		w := d.get(auditPath, header{"Prefer", "wait=1"}, header{"Accept-Encoding", "gzip"})
		if w.Code != 200 || w.Header().Get("Content-Type") != "" || w.Body.Len() == 0 || len(gunzip(t, w.Body.Bytes())) != 0 {
			t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
		}
	})
}

func TestRateLimit(t *testing.T) {
	d := newDoubleWith(bt.Options{RateLimit: true})
	for range 55 {
		d.page(t, "?limit=1")
	}
	wantError(t, d.get(auditPath, header{"Authorization", ""}), 401, "not authenticated") // the credentials come first
	w := d.get(auditPath)
	if w.Code != 429 || w.Body.String() != "Limit exceeded\n" || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-RateLimit-Limit": "55", "X-RateLimit-Remaining": "0",
		"X-RateLimit-Reset": fmt.Sprint(noon.Unix() + 1), "Retry-After": "",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w := d.get("/api/version"); w.Code != 200 {
		t.Errorf("another route got %d", w.Code)
	}
	d.clock.Advance(time.Second)
	if w := d.get(auditPath); w.Code != 200 || w.Header().Get("X-RateLimit-Limit") != "" {
		t.Errorf("a second later: %d %v", w.Code, w.Header())
	}
	d.session(t)
	if w := d.login(loginBody(reader, "secret")); w.Code != 429 {
		t.Errorf("a second login gave %d", w.Code)
	}
}

func TestRateLimitOfOtherGenerations(t *testing.T) {
	exceed := func(profile bt.Profile, headers ...header) (*double, *httptest.ResponseRecorder) {
		d := newDoubleWith(bt.Options{Profile: profile, RateLimit: true})
		for range 55 {
			d.page(t, "?limit=1")
		}
		return d, d.get(auditPath, headers...)
	}
	d, w := exceed(bt.Legacy2024)
	wantError(t, w, 429, "")
	if !strings.Contains(w.Body.String(), `"context":"middleware"`) {
		t.Errorf("body %s", w.Body)
	}
	wantError(t, d.get(auditPath, header{"Authorization", ""}), 401, "not authenticated")

	for _, p := range []bt.Profile{bt.V7, bt.V84} {
		_, w = exceed(p, header{"Accept-Encoding", "gzip"})
		if w.Code != 429 || string(gunzip(t, w.Body.Bytes())) != "Limit exceeded\n" {
			t.Errorf("%s: %d %v", p, w.Code, w.Header())
		}
	}
	_, w = exceed(bt.PR3049, header{"Authorization", ""}) // looked at before the credentials
	if w.Code != 429 || w.Body.String() != "Limit exceeded\n" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
