package bloodhound

import (
	"cmp"
	"errors"
	"testing"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// newClient makes a client that wastes no time between requests, unless the test says otherwise.
func newClient(tb testing.TB, o Options) *Client {
	tb.Helper()
	if o.Connection.URL == nil {
		o.Connection.URL = resttest.MustParse(tb, "https://tenant.example")
	}
	if o.Connection.Auth == nil {
		o.Connection.Auth = rest.Token(resttest.Token, resttest.Always(resttest.Key))
	}
	o.Connection.Rate = cmp.Or(o.Connection.Rate, 1e6)
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// quick makes a client that does not keep a test waiting.
func quick(t *testing.T, base string, auth rest.Authenticator) *Client {
	t.Helper()
	fast := rest.RetryPolicy{Initial: 1, Max: 1, Limited: 1, Tries: 3}
	return newClient(t, Options{Connection: rest.Options{URL: resttest.MustParse(t, base), Auth: auth, Retry: fast}})
}

// asError is the *rest.Error that a failure must be.
func asError(tb testing.TB, err error) *rest.Error {
	tb.Helper()
	var e *rest.Error
	if !errors.As(err, &e) {
		tb.Fatalf("not an *rest.Error: %T %v", err, err)
	}
	return e
}
