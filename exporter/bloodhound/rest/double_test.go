package rest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

const firstPage = auditPath + "?after=2020-01-01T00%3A00%3A00Z&limit=10&sort_by=-created_at&sort_by=-id"

// quick makes a client that does not keep a test waiting.
func quick(t *testing.T, base string, auth Authenticator) *Client {
	t.Helper()
	fast := RetryPolicy{Initial: 1, Max: 1, Limited: 1, Tries: 3}
	return newClient(t, Options{URL: resttest.MustParse(t, base), Auth: auth, Retry: fast})
}

func fetch(c *Client) error {
	return c.Retry(context.Background(), func(ctx context.Context) error {
		body, err := getUpTo(ctx, c, firstPage, 1<<20)
		if err == nil && !strings.Contains(body, `"logs"`) {
			err = fmt.Errorf("not a page: %q", body)
		}
		return err
	})
}

// Every way to authenticate works on every generation of servers.
func TestEveryServerAndCredential(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		server, base := resttest.Tenant(t, bloodhoundtest.Options{Profile: profile})
		for name, auth := range map[string]Authenticator{
			"token":  Token(resttest.Token, resttest.Always(resttest.Key)),
			"bearer": Bearer(resttest.Always(server.Session("siem"))),
			"login":  Login("siem", resttest.Always("hunter2")),
		} {
			t.Run(string(profile)+" "+name, func(t *testing.T) {
				c := quick(t, base, auth)
				if err := fetch(c); err != nil {
					t.Fatal(err)
				}
				now, err := c.Clock(t.Context())
				if behind := time.Since(now.Server); err != nil || behind < 0 || behind > 3*time.Second {
					t.Errorf("%s behind: %v", behind, err)
				}
			})
		}
		for _, r := range server.Requests() {
			if r.Encoding != "gzip" && strings.HasPrefix(r.Target, auditPath) {
				t.Errorf("%s was answered with encoding %q", r.Target, r.Encoding)
			}
		}
	}
}

// If an administrator has changed the account, the error says how, after one request.
func TestRefusalsOfAServer(t *testing.T) {
	token, login := Token(resttest.Token, resttest.Always(resttest.Key)), func() Authenticator { return Login("siem", resttest.Always("hunter2")) }
	for name, test := range map[string]struct {
		auth    Authenticator
		options bloodhoundtest.Options
		happens func(*bloodhoundtest.Server)
		kind    Kind
		says    string
	}{
		"revoked": {
			token,
			bloodhoundtest.Options{},
			func(s *bloodhoundtest.Server) { s.Revoke(resttest.Token) },
			Unauthorized, "does not know the API token",
		},
		"wrong key": {
			Token(resttest.Token, resttest.Always("wrong")), bloodhoundtest.Options{}, nil, Unauthorized, "TOKEN_KEY does not belong",
		},
		"not a UUID": {
			Token("siem", resttest.Always(resttest.Key)), bloodhoundtest.Options{}, nil, BadRequest, "TOKEN_ID to the token's UUID",
		},
		"disabled": {
			token, bloodhoundtest.Options{}, func(s *bloodhoundtest.Server) { s.Disable("siem") }, Forbidden, "enable the user",
		},
		"role lost": {
			token, bloodhoundtest.Options{}, func(s *bloodhoundtest.Server) { s.AllowAudit(false) }, Forbidden, "role Auditor",
		},
		"role lost, login": {
			login(), bloodhoundtest.Options{}, func(s *bloodhoundtest.Server) { s.AllowAudit(false) }, Forbidden, "EULA",
		},
		"clock behind": {
			token, bloodhoundtest.Options{Skew: 61 * time.Minute}, nil, Unauthorized, "61 minutes behind the server's",
		},
		"clock ahead": {
			token, bloodhoundtest.Options{Skew: -61 * time.Minute}, nil, Unauthorized, "61 minutes ahead of the server's",
		},
		"no such user": {Login("unknown", resttest.Always("x")), bloodhoundtest.Options{}, nil, NotFound, "USERNAME or"},
		"no such user 2024": {
			Login("unknown", resttest.Always("x")),
			bloodhoundtest.Options{Profile: bloodhoundtest.Legacy2024},
			nil,
			NotFound, "USERNAME or",
		},
		"wrong password": {Login("siem", resttest.Always("x")), bloodhoundtest.Options{}, nil, Unauthorized, "PASSWORD is wrong"},
		"disabled, login": {
			login(), bloodhoundtest.Options{}, func(s *bloodhoundtest.Server) { s.Disable("siem") }, Forbidden, "enable the user",
		},
		"odd session": {Bearer(resttest.Always("a.b.c")), bloodhoundtest.Options{}, nil, Unauthorized, "the JWT is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			server, base := resttest.Tenant(t, test.options)
			if test.happens != nil {
				test.happens(server)
			}
			err := fetch(quick(t, base, test.auth))
			if e := asError(t, err); e.Kind != test.kind || e.RequestID == "" {
				t.Errorf("%s, request id %q: %v", e.Kind, e.RequestID, err)
			}
			resttest.WantText(t, err, test.says)
			if audits := resttest.RequestsFor(server, auditPath); audits > 1 {
				t.Errorf("%d requests for one refusal", audits)
			}
		})
	}
}

// The server accepts clocks that are nearly an hour off, so the client works with them.
func TestTolerableSkew(t *testing.T) {
	for _, skew := range []time.Duration{59 * time.Minute, -59 * time.Minute} {
		_, base := resttest.Tenant(t, bloodhoundtest.Options{Skew: skew})
		c := quick(t, base, Token(resttest.Token, resttest.Always(resttest.Key)))
		if err := fetch(c); err != nil {
			t.Error(err)
		}
		now, err := c.Clock(t.Context())
		if behind := time.Now().Add(skew).Sub(now.Server); err != nil || behind < 0 || behind > 3*time.Second {
			t.Errorf("%s behind the server: %v", behind, err)
		}
	}
}

// After faults that pass, the client goes on. It names faults that stay.
func TestFaultsOfAServer(t *testing.T) {
	for name, test := range map[string]struct {
		fault func() bloodhoundtest.Fault
		kind  Kind
		final bool
	}{
		"time-out": {faults.TimedOut, Timeout, false},
		"internal": {faults.InternalError, Server, false},
		"limited": {func() bloodhoundtest.Fault {
			return faults.RateLimited(faults.LimitHeaders{RetryAfter: "0"})
		}, RateLimited, false},
		"empty":   {faults.Empty, Timeout, false},
		"sign in": {faults.NotJSON, NotJSON, false},
		"bad gateway": {
			func() bloodhoundtest.Fault { return faults.Proxy(http.StatusBadGateway) }, Server, false,
		},
		"gateway": {
			func() bloodhoundtest.Fault { return faults.Proxy(http.StatusGatewayTimeout) }, Timeout, false,
		},
		"cut":            {faults.Cut, Transport, false},
		"truncated gzip": {faults.TruncatedGzip, Transport, false},
		"truncated JSON": {faults.TruncatedJSON, Transport, false},
		"redirect": {
			func() bloodhoundtest.Fault { return faults.Redirect("https://sso.example/") }, Redirect, true,
		},
		"huge":      {func() bloodhoundtest.Fault { return faults.Huge(3 << 20) }, TooLarge, true},
		"forbidden": {faults.Forbidden, Forbidden, true},
		"expired":   {faults.SessionExpired, Unauthorized, true},
	} {
		t.Run(name, func(t *testing.T) {
			server, base := resttest.Tenant(t, bloodhoundtest.Options{})
			c := quick(t, base, nil)
			server.Fault(faults.Next(2, test.fault()))
			err := fetch(c)
			if test.final != (err != nil) {
				t.Fatalf("after a fault that passes: %v", err)
			}
			server.ClearFaults()
			server.Fault(test.fault())
			if e := asError(t, fetch(c)); e.Kind != test.kind {
				t.Errorf("%s, want %s: %v", e.Kind, test.kind, e)
			}
		})
	}
}

// The client replaces a session that ends between two pages, and the caller does not notice.
func TestSessionEndsBetweenPages(t *testing.T) {
	server, base := resttest.Tenant(t, bloodhoundtest.Options{})
	c := quick(t, base, Login("siem", resttest.Always("hunter2")))
	for page := range 2 {
		if err := fetch(c); err != nil {
			t.Fatalf("page %d: %v", page, err)
		}
		server.ExpireSessions()
	}
	if audits, logins := resttest.RequestsFor(server, auditPath), resttest.RequestsFor(server, "/api/v2/login"); audits != 3 || logins != 2 {
		t.Errorf("%d pages, %d logins", audits, logins)
	}
}
