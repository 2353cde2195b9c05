package bloodhoundtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
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
		{"GET", "//api/v2/audit", 301, ""},
		{"GET", "/api/./v2/../v2/audit?limit=1", 301, ""},
		{"GET", "/", 301, "<a href=\"/ui\">Moved Permanently</a>.\n\n"},
		{"OPTIONS", auditPath, 200, ""},
		{"OPTIONS", "/nowhere", 404, "404 page not found\n"},
		{"POST", auditPath, 405, ""},
		{"GET", "/api/v2/login", 405, ""},
	} {
		w := newDouble(bt.V84).do(httptest.NewRequest(tt.method, "http://bloodhound.example"+tt.path, http.NoBody))
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s %s: %d %q", tt.method, tt.path, w.Code, w.Body)
		}
		if tt.status == 404 && w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", tt.path, w.Header().Get("Content-Type"))
		}
	}
}

func TestHeaders(t *testing.T) {
	d := newDouble(bt.V84, ago(time.Second))
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
	d := newDouble(bt.V84, ago(time.Second))
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
	for profile, want := range map[bt.Profile]string{
		bt.V84: `{"data":{"API":{"current_version":"v2","deprecated_version":"none"},` +
			`"server_version":"v8.4.0","product_edition":"community"}}`,
		bt.V7: `{"data":{"API":{"current_version":"v2","deprecated_version":"none"},"server_version":"v7.4.0"}}`,
	} {
		d := newDouble(profile)
		if got := d.get("/api/version").Body.String(); got != want {
			t.Errorf("%s: %s", profile, got)
		}
		wantError(t, d.get("/api/version", header{"Authorization", ""}), 401, "not authenticated")
	}
}

func TestSelf(t *testing.T) {
	type permission struct {
		Authority string `json:"authority"`
		Name      string `json:"name"`
	}
	for profile, want := range map[bt.Profile]permission{
		bt.Documented: {"audit_log", "Read"},
		bt.Legacy2024: {"auth", "ManageUsers"},
		bt.V7:         {"auth", "ManageUsers"},
		bt.V84:        {"audit_log", "Read"},
		bt.PR3049:     {"audit_log", "Read"},
	} {
		d := newDouble(profile)
		self := func() (reply struct {
			Data *struct {
				Name  string `json:"principal_name"`
				Roles []struct {
					Permissions []permission `json:"permissions"`
				} `json:"roles"`
			} `json:"data"`
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
		wantError(t, d.get("/api/v2/self", header{"Authorization", "Bearer x"}), 401, "authentication is invalid")
	}
}

func TestJournal(t *testing.T) {
	d := newDouble(bt.V84, ago(1*time.Second), ago(2*time.Second), ago(3*time.Second))
	w := d.get(auditPath+"?limit=1&skip=1&x=%2f", header{"Prefer", "wait=5"}, header{"Accept-Encoding", "gzip"})
	d.get("/nowhere")
	got := d.Requests()
	want := bt.Request{
		At: noon, Method: "GET", Target: auditPath + "?limit=1&skip=1&x=%2f", Prefer: "wait=5", Encoding: "gzip",
		Status: 200, RequestID: w.Header().Get("Requestid"),
	}
	if len(got) != 2 || got[0] != want || got[1].Status != 404 {
		t.Errorf("got %+v", got)
	}
	if stats := d.Stats(); stats != (bt.Stats{Requests: 2, RowsServed: 1, RowsSkipped: 1}) {
		t.Errorf("stats %+v", stats)
	}
}

func TestConcurrentUse(t *testing.T) {
	const query = "?sort_by=id&limit=100&action=eq:LoginAttempt"
	d := newDoubleWith(bt.Options{Profile: bt.PR3049, Rows: history.Rows(
		history.Options{N: 500, End: noon.Add(-time.Hour)})})
	server := httptest.NewServer(d)
	defer server.Close()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 20 {
				r, err := http.NewRequest(http.MethodGet, server.URL+auditPath+query, http.NoBody)
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
					d.Fault(faults.Next(1, faults.Before(func() { d.Prune(noon.AddDate(0, 0, -40)) })))
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
	for _, p := range bt.Profiles {
		if got, err := bt.ParseProfile(string(p)); err != nil || got != p {
			t.Errorf("%s: %v, %v", p, got, err)
		}
	}
	if _, err := bt.ParseProfile("v6"); err == nil || !strings.Contains(err.Error(), "legacy-2024") {
		t.Errorf("the error does not name the choices: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a profile that does not exist")
		}
	}()
	bt.New(bt.Options{Profile: "v6"})
}

func TestDefaults(t *testing.T) {
	s := bt.New(bt.Options{Tokens: map[string]string{tokenID: tokenKey}})
	bearer := "Bearer " + s.Session("houndtrail")
	now := time.Now()
	s.Add(bt.Row{CreatedAt: now.Add(-time.Minute)}, bt.Row{CreatedAt: now.Add(time.Hour)})
	d := &double{Server: s, bearer: bearer}
	wantIDs(t, d.page(t, ""), 1)
	d.page(t, "", signed(auditPath, now.UTC().Format(time.RFC3339))...)
	if got := s.Session("unknown"); got != "" {
		t.Errorf("a session for an unknown user: %s", got)
	}
}

// TestInMemory asks without a request line, as a round tripper in the same process does.
func TestInMemory(t *testing.T) {
	d := newDouble(bt.V84)
	r := httptest.NewRequest(http.MethodGet, auditPath+"?limit=1", http.NoBody)
	r.RequestURI, r.RemoteAddr = "", "in-memory"
	if w := d.do(r, signed(auditPath+"?limit=1", "2026-01-15T12:34:56Z")...); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestSourceAddress(t *testing.T) {
	d := newDouble(bt.V84)
	d.login(loginBody(reader, "x"))
	d.login(loginBody(reader, "x"), header{"X-Forwarded-For", "203.0.113.9, 10.0.0.5"})
	logs := d.page(t, "?sort_by=id").Data.Logs
	if logs[0].SourceIP != "192.0.2.1" || logs[2].SourceIP != "203.0.113.9, 10.0.0.5,192.0.2.1" {
		t.Errorf("addresses %q and %q", logs[0].SourceIP, logs[2].SourceIP)
	}
}
