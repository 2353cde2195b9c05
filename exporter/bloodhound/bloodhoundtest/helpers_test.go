package bloodhoundtest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

const (
	auditPath = "/api/v2/audit"
	tokenID   = "b7a3a9de-7cb0-4d0c-9f0e-0f6a1f1c2d33"
	tokenKey  = "dGVzdC1rZXk="
	reader    = "reader"
)

// noon is the time on the clock of a test server.
var noon = time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)

// clock is a clock that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// double is a server with a user, an open session and a clock that stands still.
type double struct {
	*bt.Server
	clock  *clock
	bearer string
}

func newDouble(profile bt.Profile, rows ...bt.Row) *double {
	return newDoubleWith(bt.Options{Profile: profile, Rows: rows})
}

func newDoubleWith(opts bt.Options) *double {
	d := &double{clock: &clock{now: noon}}
	if opts.Now == nil {
		opts.Now = d.clock.Now
	}
	opts.Tokens = map[string]string{tokenID: tokenKey}
	if opts.Users == nil {
		opts.Users = []bt.User{{Name: reader, Email: "reader@example.com", Password: "secret"}}
	}
	d.Server = bt.New(opts)
	d.bearer = "Bearer " + d.Session(reader)
	return d
}

// header is a pair for a request.
type header struct{ name, value string }

// get asks in memory, as the logged-in user unless a header says otherwise.
func (d *double) get(target string, headers ...header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, http.NoBody)
	r.Header.Set("Authorization", d.bearer)
	return d.do(r, headers...)
}

func (d *double) do(r *http.Request, headers ...header) *httptest.ResponseRecorder {
	for _, h := range headers {
		if h.value == "" {
			r.Header.Del(h.name)
			continue
		}
		r.Header.Set(h.name, h.value)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// record is an entry as a client decodes it.
type record struct {
	ID        int64           `json:"id"`
	CreatedAt string          `json:"created_at"`
	ActorID   string          `json:"actor_id"`
	ActorName string          `json:"actor_name"`
	Action    string          `json:"action"`
	Fields    json.RawMessage `json:"fields"`
	RequestID string          `json:"request_id"`
	SourceIP  string          `json:"source_ip_address"`
	Status    string          `json:"status"`
	CommitID  string          `json:"commit_id"`
}

type envelope struct {
	Count *int `json:"count"`
	Limit *int `json:"limit"`
	Skip  *int `json:"skip"`
	Data  struct {
		Logs []record `json:"logs"`
	} `json:"data"`
}

func (e envelope) ids() []int64 {
	ids := []int64{}
	for _, l := range e.Data.Logs {
		ids = append(ids, l.ID)
	}
	return ids
}

// page asks for entries, and fails the test if the answer is no page.
func (d *double) page(t *testing.T, query string, headers ...header) envelope {
	t.Helper()
	w := d.get(auditPath+query, headers...)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: status %d, %s", query, w.Code, w.Body)
	}
	var e envelope
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("GET %s: %v in %q", query, err, w.Body)
	}
	return e
}

// apiError is the body of a failure.
type apiError struct {
	Status    int       `json:"http_status"`
	Timestamp time.Time `json:"timestamp"`
	RequestID string    `json:"request_id"`
	Errors    []struct {
		Context string `json:"context"`
		Message string `json:"message"`
	} `json:"errors"`
}

func message(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var e apiError
	body := w.Body.Bytes()
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&e); err != nil || len(e.Errors) != 1 {
		t.Fatalf("status %d with no error of the API: %q", w.Code, body)
	}
	if e.Status != w.Code || e.RequestID != w.Header().Get("Requestid") {
		t.Fatalf("error %+v does not fit status %d and Requestid %q", e, w.Code, w.Header().Get("Requestid"))
	}
	return e.Errors[0].Message
}

// wantError checks a failure: its status and the beginning of its message.
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, prefix string) {
	t.Helper()
	got := message(t, w)
	if w.Code != status || len(got) < len(prefix) || got[:len(prefix)] != prefix {
		t.Errorf("got %d %q, want %d %q", w.Code, got, status, prefix)
	}
}

func wantIDs(t *testing.T, got envelope, want ...int64) {
	t.Helper()
	if ids := got.ids(); !slices.Equal(ids, want) {
		t.Errorf("got ids %v, want %v", ids, want)
	}
}

// ago is a row created that long before noon, with the seconds for its id.
func ago(d time.Duration) bt.Row {
	return bt.Row{ID: int64(d / time.Second), CreatedAt: noon.Add(-d), Action: "LoginAttempt", Status: "success"}
}

// over is a query value, escaped.
func over(v string) string { return url.QueryEscape(v) }

func gunzip(t *testing.T, b []byte) []byte {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("no gzip: %v", err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		t.Fatalf("bad gzip: %v", err)
	}
	return plain
}
