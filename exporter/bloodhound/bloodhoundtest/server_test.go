package bloodhoundtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"houndtrail/exporter/bloodhound/bloodhoundtest"
)

func TestRoutes(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/health", 200, ""},
		{"GET", "/nowhere", 404, "404 page not found\n"},
		{"GET", "/api/v2/audit/", 404, "404 page not found\n"},
		{"GET", "//api/v2/audit", 404, "404 page not found\n"},
		{"POST", auditPath, 405, ""},
		{"GET", "/api/v2/login", 405, ""},
	} {
		w := newDouble(bloodhoundtest.V84).do(httptest.NewRequest(tt.method, "http://bloodhound.example"+tt.path, http.NoBody))
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s %s: %d %q", tt.method, tt.path, w.Code, w.Body)
		}
		if tt.status == 404 && w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", tt.path, w.Header().Get("Content-Type"))
		}
	}
}

func TestHeaders(t *testing.T) {
	d := newDouble(bloodhoundtest.V84, ago(time.Second))
	seen := make(map[string]bool)
	for range 3 {
		h := d.get(auditPath, header{"Requestid", "mine"}).Header()
		if got := h["Date"]; len(got) != 1 || got[0] != "Thu, 15 Jan 2026 12:34:56 GMT" {
			t.Errorf("Date %q", got)
		}
		if h.Get("Strict-Transport-Security") == "" || h.Get("Content-Type") != "application/json" || h.Get("Vary") != "" {
			t.Errorf("headers %v", h)
		}
		id := h.Get("Requestid")
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
			t.Errorf("Requestid %q is no UUID of version 4", id)
		}
		seen[id] = true
	}
	if len(seen) != 3 {
		t.Error("request ids repeat")
	}
}

func TestCompression(t *testing.T) {
	d := newDouble(bloodhoundtest.V84, ago(time.Second))
	plain := d.get(auditPath).Body.String()
	for _, accept := range []string{"gzip", "deflate, gzip;q=0", "x-gzip"} {
		w := d.get(auditPath, header{"Accept-Encoding", accept})
		if w.Header().Get("Content-Encoding") != "gzip" || string(gunzip(t, w.Body.Bytes())) != plain {
			t.Errorf("%s: %v", accept, w.Header())
		}
	}
	if w := d.get(auditPath, header{"Accept-Encoding", "br, deflate"}); w.Header().Get("Content-Encoding") != "" {
		t.Errorf("headers %v", w.Header())
	}
	zip := header{"Accept-Encoding", "gzip"}
	if w := d.get(auditPath, zip, header{"Authorization", ""}); w.Header().Get("Content-Encoding") != "" {
		t.Error("what the authentication refuses is not compressed")
	}
	d.AllowAudit(false)
	w := d.get(auditPath, zip)
	w.Body.Write(gunzip(t, w.Body.Next(w.Body.Len())))
	wantError(t, w, 403, "not authorized")
}

func TestVersion(t *testing.T) {
	for profile, want := range map[bloodhoundtest.Profile]string{
		bloodhoundtest.V84: `{"data":{"API":{"current_version":"v2","deprecated_version":"none"},` +
			`"server_version":"v8.4.0","product_edition":"community"}}`,
		bloodhoundtest.V7: `{"data":{"API":{"current_version":"v2","deprecated_version":"none"},"server_version":"v7.4.0"}}`,
	} {
		d := newDouble(profile)
		if got := d.get("/api/version").Body.String(); got != want {
			t.Errorf("%s: %s", profile, got)
		}
		wantError(t, d.get("/api/version", header{"Authorization", ""}), 401, "not authenticated")
	}
}

func TestSelf(t *testing.T) {
	type permission struct{ Authority, Name string }
	for profile, want := range map[bloodhoundtest.Profile]permission{
		bloodhoundtest.Documented: {"audit_log", "Read"},
		bloodhoundtest.Legacy2024: {"auth", "ManageUsers"},
		bloodhoundtest.V7:         {"auth", "ManageUsers"},
		bloodhoundtest.V84:        {"audit_log", "Read"},
		bloodhoundtest.PR3049:     {"audit_log", "Read"},
	} {
		d := newDouble(profile)
		self := func() (reply struct {
			Data *struct {
				Name  string `json:"principal_name"`
				Roles []struct{ Permissions []permission }
			}
		},
		) {
			w := d.get("/api/v2/self")
			if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil || reply.Data == nil {
				t.Fatalf("%s: %d %s", profile, w.Code, w.Body)
			}
			return reply
		}
		if got := self(); got.Data.Name != reader || got.Data.Roles[0].Permissions[0] != want {
			t.Errorf("%s: %+v", profile, got.Data)
		}
		d.AllowAudit(false)
		if got := self(); got.Data.Roles[0].Permissions[0] == want {
			t.Errorf("%s: a denied account still claims %v", profile, want)
		}
		if got := d.get("/api/v2/self", header{"Authorization", ""}); got.Code != 200 || got.Body.String() != `{"data":null}` {
			t.Errorf("%s: without credentials %d %s", profile, got.Code, got.Body)
		}
		wantError(t, d.get("/api/v2/self", header{"Authorization", "Bearer x"}), 401, "Token Authorization failed.")
	}
}

func TestPreferences(t *testing.T) {
	const (
		doc = bloodhoundtest.Documented
		old = bloodhoundtest.Legacy2024
		v7  = bloodhoundtest.V7
		v8  = bloodhoundtest.V84
	)
	for _, tt := range []struct {
		profile bloodhoundtest.Profile
		prefer  string
		applied string // or
		status  int
	}{
		{old, "", "wait=30.00", 200},
		{old, "wait=5", "wait=5.00", 200},
		{old, "wait=3600", "wait=3600.00", 200},
		{old, "respond-async", "wait=30.00", 200},
		{old, "respond-async, wait=7", "wait=7.00", 200},
		{old, "wait=x", "", 400},
		{old, "wait=1.5", "", 400},
		{v7, "", "wait=30.00", 200},
		{v7, "wait=31", "wait=30.00", 200},
		{v7, "wait=10", "wait=10.00", 200},
		{v8, "", "", 200},
		{v8, "wait=0", "", 200},
		{v8, "wait=31", "wait=31.00", 200},
		{v8, "wait=-1", "wait=-1; bypass=enabled", 200},
		{v8, "wait=-2", "", 400},
		{v8, "respond-async", "", 400},
		{v8, "wait=x", "", 400},
		{doc, "", "", 200},
		{doc, "wait=0", "", 200},
		{doc, "wait=30", "wait=30.00", 200},
		{doc, "wait=-1", "", 400},
		{doc, "respond-async, wait=5", "", 400},
	} {
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

func TestDeadlines(t *testing.T) {
	past := header{"Prefer", "wait=-1"}
	t.Run("2024: 200 and nothing", func(t *testing.T) {
		d := newDouble(bloodhoundtest.Legacy2024, ago(time.Second))
		w := d.get(auditPath, past)
		if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Type") != "" {
			t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
		}
		w = d.get(auditPath, past, header{"Accept-Encoding", "gzip"})
		if w.Code != 200 || w.Body.Len() == 0 || len(gunzip(t, w.Body.Bytes())) != 0 {
			t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
		}
	})
	t.Run("v7: 500", func(t *testing.T) {
		wantError(t, newDouble(bloodhoundtest.V7).get(auditPath, past), 500, "request timed out")
	})
	t.Run("v8.4: no deadline", func(t *testing.T) {
		newDouble(bloodhoundtest.V84).page(t, "", past)
	})
}

func TestRateLimit(t *testing.T) {
	d := newDoubleWith(bloodhoundtest.Options{RateLimit: true})
	for range 55 {
		d.page(t, "?limit=1")
	}
	w := d.get(auditPath, header{"Authorization", ""}) // looked at before the credentials
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
	if first, second := d.login(loginBody(reader, "secret")), d.login(loginBody(reader, "secret")); first.Code != 200 || second.Code != 429 {
		t.Errorf("logins gave %d and %d", first.Code, second.Code)
	}
}

func TestRateLimitOfOtherGenerations(t *testing.T) {
	exceed := func(profile bloodhoundtest.Profile, headers ...header) (*double, *httptest.ResponseRecorder) {
		d := newDoubleWith(bloodhoundtest.Options{Profile: profile, RateLimit: true})
		for range 55 {
			d.page(t, "?limit=1")
		}
		return d, d.get(auditPath, headers...)
	}
	d, w := exceed(bloodhoundtest.Legacy2024)
	wantError(t, w, 429, "")
	if !strings.Contains(w.Body.String(), `"context":"middleware"`) {
		t.Errorf("body %s", w.Body)
	}
	wantError(t, d.get(auditPath, header{"Authorization", ""}), 401, "not authenticated")

	_, w = exceed(bloodhoundtest.V7, header{"Accept-Encoding", "gzip"})
	if w.Code != 429 || string(gunzip(t, w.Body.Bytes())) != "Limit exceeded\n" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestJournal(t *testing.T) {
	d := newDouble(bloodhoundtest.V84, ago(1*time.Second), ago(2*time.Second), ago(3*time.Second))
	w := d.get(auditPath+"?limit=1&skip=1&x=%2f", header{"Prefer", "wait=5"}, header{"Accept-Encoding", "gzip"})
	d.get("/nowhere")
	got := d.Requests()
	want := bloodhoundtest.Request{
		At: noon, Method: "GET", Target: auditPath + "?limit=1&skip=1&x=%2f", Prefer: "wait=5", Encoding: "gzip",
		Status: 200, RequestID: w.Header().Get("Requestid"),
	}
	if len(got) != 2 || got[0] != want || got[1].Status != 404 {
		t.Errorf("got %+v", got)
	}
	if stats := d.Stats(); stats != (bloodhoundtest.Stats{Requests: 2, RowsServed: 1, RowsSkipped: 1}) {
		t.Errorf("stats %+v", stats)
	}
}

func TestConcurrentUse(t *testing.T) {
	d := newDoubleWith(bloodhoundtest.Options{Profile: bloodhoundtest.PR3049, Rows: bloodhoundtest.History(
		bloodhoundtest.HistoryOptions{N: 500, End: noon.Add(-time.Hour)})})
	server := httptest.NewServer(d)
	defer server.Close()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 20 {
				r, err := http.NewRequest(http.MethodGet, server.URL+auditPath+"?sort_by=id&limit=100&action=eq:LoginAttempt", http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", d.bearer)
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("status %d", resp.StatusCode)
				}
				switch worker {
				case 0:
					d.Add(ago(time.Duration(i) * time.Second))
				case 1:
					d.Fault(bloodhoundtest.Next(1, bloodhoundtest.Before(func() { d.Prune(noon.AddDate(0, 0, -40)) })))
				case 2:
					d.Rows()
					d.Requests()
					d.Stats()
				default:
					d.AllowAudit(true)
					d.ClearFaults()
				}
			}
		})
	}
	group.Wait()
	if n := d.Stats().Requests; n != 80 {
		t.Errorf("%d requests counted", n)
	}
}

func TestUnknownProfile(t *testing.T) {
	for _, p := range bloodhoundtest.Profiles {
		if got, err := bloodhoundtest.ParseProfile(string(p)); err != nil || got != p {
			t.Errorf("%s: %v, %v", p, got, err)
		}
	}
	if _, err := bloodhoundtest.ParseProfile("v6"); err == nil || !strings.Contains(err.Error(), "legacy-2024") {
		t.Errorf("the error does not name the choices: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a profile that does not exist")
		}
	}()
	bloodhoundtest.New(bloodhoundtest.Options{Profile: "v6"})
}
