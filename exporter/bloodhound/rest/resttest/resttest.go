// Package resttest has the parts that tests of the client share: servers without a network, the replies that servers give, and a
// double with a user.
package resttest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// A Tripper is a server without a network, so a test can set its time.
type Tripper func(*http.Request) (*http.Response, error)

// RoundTrip is the server's answer.
func (t Tripper) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// Respond builds a reply as the network would bring it. Headers come in pairs.
func Respond(status int, body string, headers ...string) *http.Response {
	h := http.Header{}
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if strings.HasPrefix(body, "{") {
		h.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if h.Del(headers[i]); headers[i+1] != "" {
			h.Set(headers[i], headers[i+1])
		}
	}
	return &http.Response{
		StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
}

// A Canned reply waits in a table for its request.
type Canned struct {
	Status  int
	Body    string
	Headers []string
}

// Can is a reply for a table.
func Can(status int, body string, headers ...string) Canned { return Canned{status, body, headers} }

// RoundTrip returns the reply to every request.
func (c Canned) RoundTrip(*http.Request) (*http.Response, error) {
	return Respond(c.Status, c.Body, c.Headers...), nil
}

// Complain is the body of one of BloodHound's errors.
func Complain(message string) string {
	return `{"http_status":400,"timestamp":"2026-01-15T12:34:56.123456789Z",` +
		`"request_id":"6a1f9d5e-0000-4000-8000-1f2e3d4c5b6a","errors":[{"context":"","message":"` + message + `"}]}`
}

// The API token that [Tenant] knows.
const (
	Token = "6f0a5c1e-58e7-4b0c-9d54-0d6a4b3c2f10"
	Key   = "dGVzdC1rZXk="
)

// Always is a secret that does not change.
func Always(secret string) func() (string, error) {
	return func() (string, error) { return secret, nil }
}

// HTMLPage is the error page of a proxy.
const HTMLPage = "<!DOCTYPE html><html><head>\n<TITLE lang=en>502 Bad\n Gateway &amp; more</TITLE></head>" +
	"<body>nginx</body></html>"

// MustParse parses a URL, and fails the test if it cannot.
func MustParse(tb testing.TB, raw string) *url.URL {
	tb.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// WantText fails the test if one of the parts is missing in the error.
func WantText(tb testing.TB, err error, parts ...string) {
	tb.Helper()
	if err == nil {
		tb.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			tb.Errorf("error %q\n does not say %q", err, part)
		}
	}
}

// Tenant starts a double with one user who has a token and a password.
func Tenant(tb testing.TB, o bloodhoundtest.Options) (*bloodhoundtest.Server, string) {
	tb.Helper()
	o.Tokens = map[string]string{Token: Key}
	o.Users = []bloodhoundtest.User{{Name: "siem", Password: "hunter2"}}
	o.Rows = append(o.Rows, bloodhoundtest.Row{CreatedAt: time.Now().Add(-time.Hour), Action: "CreateUser", Status: "success"})
	server := bloodhoundtest.New(o)
	listener := httptest.NewServer(server)
	tb.Cleanup(listener.Close)
	return server, listener.URL
}

// RequestsFor returns how many requests for a path the double got.
func RequestsFor(s *bloodhoundtest.Server, path string) int {
	n := 0
	for _, r := range s.Requests() {
		if target, _, _ := strings.Cut(r.Target, "?"); target == path {
			n++
		}
	}
	return n
}
