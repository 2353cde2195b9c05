package rest

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

const auditPath = "/api/v2/audit"

// newClient makes a client that wastes no time between requests, unless the test says otherwise.
func newClient(tb testing.TB, o Options) *Client {
	tb.Helper()
	if o.URL == nil {
		o.URL = resttest.MustParse(tb, "https://tenant.example")
	}
	if o.Auth == nil {
		o.Auth = Token(resttest.Token, resttest.Always(resttest.Key))
	}
	o.Rate = cmp.Or(o.Rate, 1e6)
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// get performs one exchange and returns the body.
func get(ctx context.Context, c *Client, target string) (string, error) {
	return getUpTo(ctx, c, target, 64<<20)
}

func getUpTo(ctx context.Context, c *Client, target string, most int64) (string, error) {
	r, err := c.Get(ctx, target, c.UpTo(most))
	if err != nil {
		return "", err
	}
	defer r.Body.Release()
	return string(r.Body.Bytes), nil
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

// An audience keeps the calls of an Observer.
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
