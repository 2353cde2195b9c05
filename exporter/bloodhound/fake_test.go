package bloodhound

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A tripper is a server without a network: time in it is the test's own.
type tripper func(*http.Request) (*http.Response, error)

func (t tripper) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// respond builds a reply as the network would bring it. Headers come in pairs.
func respond(status int, body string, headers ...string) *http.Response {
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

// A canned reply waits in a table until it is asked for.
type canned struct {
	status  int
	body    string
	headers []string
}

func can(status int, body string, headers ...string) canned { return canned{status, body, headers} }

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return respond(c.status, c.body, c.headers...), nil
}

// complain is the body of one of BloodHound's errors.
func complain(message string) string {
	return `{"http_status":400,"timestamp":"2026-01-15T12:34:56.123456789Z",` +
		`"request_id":"6a1f9d5e-0000-4000-8000-1f2e3d4c5b6a","errors":[{"context":"","message":"` + message + `"}]}`
}

const (
	testToken = "6f0a5c1e-58e7-4b0c-9d54-0d6a4b3c2f10"
	testKey   = "dGVzdC1rZXk="
)

func always(secret string) func() (string, error) {
	return func() (string, error) { return secret, nil }
}

// newClient makes a client that wastes no time between requests, unless the test says otherwise.
func newClient(tb testing.TB, o Options) *Client {
	tb.Helper()
	if o.URL == nil {
		o.URL = mustParse(tb, "https://tenant.example")
	}
	o.Auth = orDefault(o.Auth, Token(testToken, always(testKey)))
	o.Rate = orDefault(o.Rate, 1e6)
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func mustParse(tb testing.TB, raw string) *url.URL {
	tb.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// get performs one exchange and returns the body.
func get(ctx context.Context, c *Client, target string) (string, error) {
	r, err := c.exchange(ctx, target, c.shelf.upTo(c.options.MaxBody))
	if err != nil {
		return "", err
	}
	defer r.body.release()
	return string(r.body.b), nil
}

// asError is the *Error that a failure must be.
func asError(tb testing.TB, err error) *Error {
	tb.Helper()
	var e *Error
	if !errors.As(err, &e) {
		tb.Fatalf("not an *Error: %T %v", err, err)
	}
	return e
}

func wantText(tb testing.TB, err error, parts ...string) {
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

// An audience keeps what an Observer is told.
type audience struct {
	mu       sync.Mutex
	requests []string
	retries  []string
}

func (a *audience) Request(status string, _ time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, status)
}

func (a *audience) Retry(reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.retries = append(a.retries, reason)
}
