package rest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// jwtFor is a token as BloodHound issues it; the signature does not matter here.
func jwtFor(id int, issued time.Time, life time.Duration) string {
	part := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"jti":"%d","sub":"6a1f9d5e","iat":%d,"exp":%d}`, id, issued.Unix(), issued.Add(life).Unix())
	signature := fmt.Sprintf("signature of %d", id)
	return part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part([]byte(claims)) + "." + part([]byte(signature))
}

// A gate is a server with sessions. Its clock is skew ahead of the test's.
type gate struct {
	life     time.Duration
	skew     time.Duration
	password string
	rude     bool // refuses every session
	instant  bool // answers a login at once

	mu     sync.Mutex
	valid  map[string]bool
	logins []time.Time
	pages  int
	body   map[string]string // of the latest login
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now().Add(g.skew)
	date := now.UTC().Format(http.TimeFormat)
	if r.URL.Path != loginPath {
		g.pages++
		if !g.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] || g.rude {
			return resttest.Respond(401, resttest.Complain("Token Authorization failed."), "Date", date), nil
		}
		return resttest.Respond(200, `{}`, "Date", date), nil
	}
	g.logins = append(g.logins, time.Now())
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &g.body); err != nil || r.Header.Get("Content-Type") != "application/json" {
		return resttest.Respond(400, resttest.Complain("content type must be application/json")), nil
	}
	if !g.instant {
		select {
		case <-time.After(1500 * time.Millisecond): // as the server does
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if g.password != g.body["secret"] {
		return resttest.Respond(401, resttest.Complain("authentication is invalid"), "Date", date), nil
	}
	jwt := jwtFor(len(g.logins), now, g.life)
	if g.valid == nil {
		g.valid = map[string]bool{}
	}
	g.valid[jwt] = true
	return resttest.Respond(200, `{"data":{"user_id":"6a1f","auth_expired":false,"session_token":"`+jwt+`"}}`, "Date", date), nil
}

func (g *gate) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.valid)
}

func (g *gate) client(t *testing.T, password func() (string, error)) *Client {
	t.Helper()
	return newClient(t, Options{Auth: Login("siem", password), Transport: g})
}

// The session lasts 8 h, and the client replaces it at 6 h 24 min, whatever the server's clock says.
func TestLoginRenewsInTime(t *testing.T) {
	for _, skew := range []time.Duration{0, 5 * time.Hour, -70 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			g := &gate{life: 8 * time.Hour, skew: skew, password: " hé\"<llo ✓ "}
			c := g.client(t, resttest.Always(g.password+"\n"))
			for at := range 60 { // every half hour for more than a day
				if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
					t.Fatalf("after %d half hours: %v", at, err)
				}
				time.Sleep(30 * time.Minute)
			}
			if len(g.logins) != 5 || g.pages != 60 {
				t.Errorf("%d logins, %d pages", len(g.logins), g.pages)
			}
			for i := 1; i < len(g.logins); i++ {
				if gap := g.logins[i].Sub(g.logins[i-1]); gap < 6*time.Hour+24*time.Minute || gap > 7*time.Hour {
					t.Errorf("login after %s", gap)
				}
			}
			if g.body["login_method"] != "secret" || g.body["username"] != "siem" || g.body["secret"] != g.password {
				t.Errorf("%v", g.body)
			}
		})
	}
}

// A session that the server ended early costs one refusal and one login, however many requests meet it.
func TestLoginOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{life: time.Hour, password: "p"}
		c := g.client(t, resttest.Always("p"))
		for round := 1; round <= 3; round++ {
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if len(g.logins) != round {
				t.Errorf("%d logins after round %d", len(g.logins), round)
			}
			g.end()
		}
	})
}

// If a server refuses even a new session, the client does not ask it a third time.
func TestLoginIsRepeatedOnceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{life: time.Hour, password: "p", rude: true, instant: true}
		c := g.client(t, resttest.Always("p"))
		err := c.Retry(t.Context(), func(ctx context.Context) error {
			_, err := get(ctx, c, "/api/v2/audit")
			return err
		})
		resttest.WantText(t, err, "401", "Token Authorization failed.", `just opened for "siem" is refused`)
		if len(g.logins) != 2 || g.pages != 2 {
			t.Errorf("%d logins, %d pages", len(g.logins), g.pages)
		}
		if gap := g.logins[1].Sub(g.logins[0]); gap < time.Second {
			t.Errorf("logins %s apart: the server allows one a second", gap)
		}
	})
}

// A refusal that arrives late must not drop a newer session.
func TestLateRefusalKeepsTheNewSession(t *testing.T) {
	l := &login{jwt: "new"}
	r := httptest.NewRequest(http.MethodGet, auditPath, nil)
	setBearer(r, "old")
	if _, ok := l.session(); !l.refused(r) || !ok || l.jwt != "new" {
		t.Errorf("session %q", l.jwt)
	}
	setBearer(r, "new")
	if !l.refused(r) || l.jwt != "" {
		t.Errorf("session %q", l.jwt)
	}
}

func TestLoginForbidden(t *testing.T) {
	for message, says := range map[string]string{"user disabled": "; enable the user", "not authorized": "licence agreement (EULA)"} {
		c := newClient(t, Options{Auth: Login("siem", resttest.Always("p")), Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == loginPath {
				return resttest.Respond(200, `{"data":{"session_token":"a.b.c"}}`), nil
			}
			return resttest.Respond(403, resttest.Complain(message)), nil
		})})
		_, err := get(t.Context(), c, auditPath)
		resttest.WantText(t, err, "403 Forbidden: "+message, says)
	}
}

func TestLoginReadsThePasswordAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{life: time.Hour, password: "old"}
		password := "old"
		c := g.client(t, func() (string, error) { return password, nil })
		if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
			t.Fatal(err)
		}
		g.end()
		g.password, password = "new", "new"
		if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
			t.Fatal(err)
		}
	})
}

// A caller that gives up waiting for a login does not end it for the other callers.
func TestLoginOutlivesItsFirstCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{life: time.Hour, password: "p"}
		c := g.client(t, resttest.Always("p"))
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := get(impatient, c, "/api/v2/audit"); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		synctest.Wait()
		if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil || len(g.logins) != 1 {
			t.Errorf("%d logins: %v", len(g.logins), err)
		}
		all.Wait()
	})
}

func TestLoginFailures(t *testing.T) {
	for name, test := range map[string]struct {
		reply resttest.Canned
		kind  Kind // 0: not an *Error
		says  []string
	}{
		"wrong password": {
			resttest.Can(401, resttest.Complain("authentication is invalid")), Unauthorized,
			[]string{`log in as "siem"`, "HOUNDTRAIL_BLOODHOUND_PASSWORD is wrong"},
		},
		"unknown user": {
			resttest.Can(404, resttest.Complain("resource not found")), NotFound, []string{"HOUNDTRAIL_BLOODHOUND_USERNAME or"},
		},
		"wrong URL": {resttest.Can(404, "404 page not found\n"), NotFound, []string{"HOUNDTRAIL_BLOODHOUND_URL"}},
		"second factor": {
			resttest.Can(400, resttest.Complain("one time password is invalid")), BadRequest, []string{"second factor", "API token"},
		},
		"disabled":  {resttest.Can(403, resttest.Complain("user disabled")), Forbidden, []string{"enable the user"}},
		"firewall":  {resttest.Can(401, resttest.HTMLPage), Unauthorized, []string{"not BloodHound's own"}},
		"too often": {resttest.Can(429, "Limit exceeded\n"), RateLimited, []string{"Limit exceeded"}},
		"redirect": {
			resttest.Can(302, "", "Location", "https://sso.example/?SAMLRequest=x"), Redirect, []string{"https://sso.example;"},
		},
		"expired": {
			resttest.Can(200, `{"data":{"auth_expired":true,"session_token":"a.b.c"}}`), 0, []string{"password has expired", "browser"},
		},
		"no token":       {resttest.Can(200, `{"data":{}}`), 0, []string{"session token", "empty"}},
		"odd token":      {resttest.Can(200, `{"data":{"session_token":"a\nb"}}`), 0, []string{"session token", "printable"}},
		"odd reply":      {resttest.Can(200, `{"data":"a.b.c"}`), 0, []string{"not the JSON that BloodHound sends"}},
		"a page instead": {resttest.Can(200, resttest.HTMLPage, "Content-Type", "text/html"), NotJSON, []string{"not JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{
				Auth:      Login("siem", resttest.Always("hunter2")),
				Transport: test.reply,
			})
			_, err := get(t.Context(), c, "/api/v2/audit")
			resttest.WantText(t, err, append(test.says, `log in as "siem": `)...)
			var e *Error
			if errors.As(err, &e) != (test.kind != 0) || e != nil && e.Kind != test.kind {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestUnreadableSecrets(t *testing.T) {
	missing := func() (string, error) { return "", errors.New("open key: no such file") }
	for name, auth := range map[string]Authenticator{
		"the API token's key": Token(resttest.Token, missing),
		"the JWT":             Bearer(missing),
		"the password":        Login("siem", missing),
	} {
		for problem, auth := range map[string]Authenticator{
			"no such file": auth,
			"empty": map[string]Authenticator{
				"the API token's key": Token(resttest.Token, resttest.Always(" \n")),
				"the JWT":             Bearer(resttest.Always("")),
				"the password":        Login("siem", resttest.Always("\n")),
			}[name],
		} {
			c := newClient(t, Options{Auth: auth, Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
				t.Error("a request was sent")
				return resttest.Respond(200, `{}`), nil
			})})
			_, err := get(t.Context(), c, "/api/v2/audit")
			resttest.WantText(t, err, "read "+name, problem)
		}
	}
}
