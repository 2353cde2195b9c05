package bloodhound

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

const selfID = "0f9a1f9e-2b36-4b53-8a36-0c5f2d1f6a77"

func TestOwn(t *testing.T) {
	asked := 0
	c := newClient(t, Options{
		Connection: rest.Options{Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
			asked++
			if r.URL.Path != "/api/v2/self" || r.Header.Get("Signature") == "" {
				t.Errorf("%s with %v", r.URL.Path, r.Header)
			}
			return resttest.Respond(200, `{"data":{"id":"`+selfID+`","principal_name":"siem"}}`), nil
		})},
	})
	own := func(actor, action string) bool {
		return c.Own(t.Context(), &record.Record{ActorID: actor, Action: action})
	}
	for _, action := range []string{
		"", "GET", "GET ", "GET/api/v2/audits", "GET  /api/v2/audit", "POST/api/v2/audit", "get/api/v2/audit", "/api/v2/audit",
		"GET/api/v2/audit/{id}", "GET/api/v2/graph", "GET/health", "LoginAttempt", "CreateUser",
	} {
		if own(selfID, action) {
			t.Errorf("%q is taken for our own polling", action)
		}
	}
	if own("", "GET/api/v2/audit") || asked > 0 {
		t.Errorf("asked %d times although no row could be our own", asked)
	}
	for _, action := range []string{"GET/api/v2/audit", "GET /api/v2/audit", "GET/api/v2/self", "GET /api/v2/self"} {
		if !own(selfID, action) {
			t.Errorf("%q is not recognised", action)
		}
		if own("1c6ff3a0-0000-4000-8000-000000000000", action) {
			t.Errorf("%q of another user is taken for ours", action)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// On every generation the client recognises its own records. It asks who it is only if the server audits GETs.
func TestOwnOnEveryServer(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		server, base := resttest.Tenant(t, bloodhoundtest.Options{Profile: profile})
		c := quick(t, base, rest.Login("siem", resttest.Always("hunter2")))
		var own, others int
		for range 2 {
			page, err := c.Logs(t.Context(), Query{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			own, others = 0, 0
			for i := range page.Records {
				if c.Own(t.Context(), &page.Records[i]) {
					own++
				} else {
					others++
				}
			}
		}
		audited := profile == bloodhoundtest.PR3049
		if selves := resttest.RequestsFor(server, "/api/v2/self"); (own > 0) != audited || others == 0 || selves > 1 || (selves > 0) != audited {
			t.Errorf("%s: %d own rows, %d others, asked %d times", profile, own, others, selves)
		}
	}
}

// If the server does not say which user the client is, the client recognises no record, and logs that once.
func TestOwnUnknown(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		passes bool // asked again later
	}{
		"forbidden":     {403, resttest.Complain("not authorized"), false},
		"no such route": {404, "404 page not found", false},
		"no user":       {200, `{"data":null}`, false},
		"no id":         {200, `{"data":{"id":""}}`, false},
		"another shape": {200, `{"data":[]}`, false},
		"out of order":  {500, resttest.Complain("an internal error has occurred"), true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logged := observer.New(zap.WarnLevel)
				asked, healed := 0, false
				c := newClient(t, Options{
					Connection: rest.Options{Log: zap.New(core), Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
						asked++
						if healed {
							return resttest.Respond(200, `{"data":{"id":"`+selfID+`"}}`), nil
						}
						return resttest.Respond(test.status, test.body), nil
					})},
				})
				own := func() bool { return c.Own(t.Context(), &record.Record{ActorID: selfID, Action: "GET/api/v2/audit"}) }
				for range 3 {
					if own() {
						t.Error("recognised by nothing")
					}
				}
				if asked != 1 || logged.Len() != 1 {
					t.Errorf("asked %d times, %d warnings", asked, logged.Len())
				}
				time.Sleep(askAgainAfter)
				own()
				healed = true
				time.Sleep(askAgainAfter)
				if got := own(); got != test.passes || asked != map[bool]int{false: 1, true: 3}[test.passes] || logged.Len() != 1 {
					t.Errorf("two hours later: %t, asked %d times, %d warnings", got, asked, logged.Len())
				}
			})
		})
	}
}

// If a user stops the program while it asks, it logs no warning, and does not take that for the server's last word.
func TestOwnInterrupted(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"data":{"id":"` + selfID + `"}}`))
	}))
	defer server.Close()
	c := newClient(t, Options{Connection: rest.Options{URL: resttest.MustParse(t, server.URL), Log: zap.New(core)}})
	row := &record.Record{ActorID: selfID, Action: "GET/api/v2/audit"}
	first := c.Own(ctx, row)
	if !c.Own(t.Context(), row) || logged.Len() > 0 {
		t.Errorf("first %t, and then not recognised; %d warnings", first, logged.Len())
	}
}
