package authorize_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/sink/sinktest/receivers"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
)

const (
	scope        = "https://monitor.azure.com//.default"
	tokenURL     = "https://login.example/dir/oauth2/v2.0/token"
	clientSecret = "SECRET~of.the-client"
)

// endpoint returns a token endpoint whose answers the test changes.
func endpoint(trouble func(n int) int) *receivers.Tokens {
	return receivers.NewTokens(receivers.TokensOptions{
		Directory: "dir", Client: "client", Secret: clientSecret, Scope: scope, Life: time.Hour, Trouble: trouble,
	})
}

func oauth(t *testing.T, h http.Handler, secret func() (string, error), log *zap.Logger) *authorize.OAuth {
	t.Helper()
	o, err := authorize.NewOAuth(authorize.OAuthOptions{
		TokenURL: tokenURL, Client: "client", Scope: scope, Secret: secret, Transport: receivers.Direct(h), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// fixed returns a client's secret that does not change.
func fixed() (string, error) { return clientSecret, nil }

func TestOAuthRenews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tokens := endpoint(nil)
		o := oauth(t, tokens, fixed, zap.NewNop())
		for _, step := range []struct {
			wait  time.Duration
			asked int
		}{{0, 1}, {47 * time.Minute, 1}, {time.Minute, 2}, {48*time.Minute - time.Second, 2}, {time.Second, 3}, {5 * time.Hour, 4}} {
			time.Sleep(step.wait)
			got := authorized(t, o).Header.Get("Authorization")
			if want := fmt.Sprintf("Bearer token-%d-of-client", step.asked); got != want || tokens.Asked() != step.asked {
				t.Errorf("after %s: %q, with %d questions", step.wait, got, tokens.Asked())
			}
		}
	})
}

// Any number of requests may wait: there is one question.
func TestOAuthAsksOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tokens := endpoint(nil)
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Second):
				tokens.ServeHTTP(w, r)
			case <-r.Context().Done():
				w.WriteHeader(http.StatusGatewayTimeout)
			}
		})
		o := oauth(t, slow, fixed, zap.NewNop())
		var all sync.WaitGroup
		for i := range 50 {
			synctest.Wait() // the first request asks, and the others wait for its question
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i == 0 {
					time.AfterFunc(time.Millisecond, cancel) // the first request gives up, and the others get their token
				}
				err := o.Authorize(ctx, request(t), nil)
				if (err != nil) != (i == 0 && ctx.Err() != nil) {
					t.Errorf("request %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if tokens.Asked() != 1 {
			t.Errorf("%d questions", tokens.Asked())
		}
	})
}

func TestOAuthAfterARefusal(t *testing.T) {
	t.Parallel()
	tokens := endpoint(nil)
	o := oauth(t, tokens, fixed, zap.NewNop())
	first, second := authorized(t, o), authorized(t, o)
	for _, status := range []int{400, 403, 500, authorize.CertificateRefused} {
		if again, _ := o.Refused(first, status); again {
			t.Errorf("%d speaks of no token", status)
		}
	}
	for _, r := range []*http.Request{first, second} { // both had the token, and one question gets the next one
		if again, _ := o.Refused(r, 401); !again {
			t.Error("there would be no other token")
		}
		if got := authorized(t, o).Header.Get("Authorization"); got != "Bearer token-2-of-client" {
			t.Errorf("%q is in use after a refusal", got)
		}
	}
	if tokens.Asked() != 2 {
		t.Errorf("%d questions", tokens.Asked())
	}
	secrets := strings.Join(o.Secrets(first), " ")
	for _, want := range []string{clientSecret, "token-1-of-client", "token-2-of-client"} {
		if !strings.Contains(secrets, want) {
			t.Errorf("%q is not hidden", want)
		}
	}
}

// While the endpoint fails, a living token stays in use, but never after its end.
func TestOAuthWhileTheEndpointFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, log := observer.New(zap.InfoLevel)
		fails := false
		tokens := endpoint(func(int) int {
			if fails {
				return 503
			}
			return 0
		})
		o := oauth(t, tokens, fixed, zap.New(core))
		authorized(t, o)
		fails = true
		time.Sleep(48 * time.Minute)
		for range 100 {
			if got := authorized(t, o).Header.Get("Authorization"); got != "Bearer token-1-of-client" {
				t.Errorf("%q is in use", got)
			}
		}
		if tokens.Asked() != 2 || log.FilterMessageSnippet("could not be renewed").Len() != 1 {
			t.Errorf("%d questions", tokens.Asked())
		}
		time.Sleep(12 * time.Minute)
		err := o.Authorize(t.Context(), request(t), nil)
		if !authorize.IsPassing(err) {
			t.Errorf("after the token's end: %v", err)
		}
		fails = false
		authorized(t, o)
	})
}

// answers returns an endpoint that always says the same.
func answers(status int, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func TestOAuthReadsAnswers(t *testing.T) {
	t.Parallel()
	const good = `{"token_type":"bearer","expires_in":"3599","access_token":"abc"}`
	for name, test := range map[string]struct {
		endpoint http.Handler
		passing  bool
		wait     time.Duration
		says     string // "" for a token
	}{
		"life as a text":  {endpoint: answers(200, good)},
		"no life":         {endpoint: answers(200, `{"token_type":"Bearer","access_token":"abc"}`)},
		"no life left":    {answers(200, `{"token_type":"Bearer","expires_in":0,"access_token":"abc"}`), true, 0, "has ended already: its life is 0"},
		"negative life":   {answers(200, `{"token_type":"Bearer","expires_in":-5,"access_token":"abc"}`), true, 0, "its life is -5"},
		"no token":        {answers(200, `{"token_type":"Bearer"}`), false, 0, "without an access_token"},
		"line break":      {answers(200, `{"token_type":"Bearer","access_token":"a\nb"}`), false, 0, "without an access_token"},
		"a page":          {answers(200, `<html>`), false, 0, "HOUNDTRAIL_WEBHOOK_OAUTH_TOKEN_URL"},
		"other type":      {answers(200, `{"token_type":"mac","access_token":"abc"}`), false, 0, "no bearer token"},
		"bad secret":      {answers(400, `{"error":"invalid_client","error_description":"it is `+clientSecret+`"}`), false, 0, `"invalid_client it is [redacted]": check HOUNDTRAIL_WEBHOOK_OAUTH_CLIENT_ID`},
		"other path":      {answers(404, ``), false, 0, "404 Not Found: check HOUNDTRAIL_WEBHOOK_OAUTH_TOKEN_URL"},
		"redirect":        {answers(302, ``, "Location: /SECRET"), false, 0, "302 Found: check HOUNDTRAIL_WEBHOOK_OAUTH_TOKEN_URL"},
		"too many":        {answers(429, ``, "Retry-After: 7"), true, 7 * time.Second, "429 Too Many Requests"},
		"too many, ever":  {answers(429, ``, "Retry-After: 999999999"), true, 24 * time.Hour, "429 Too Many Requests"},
		"out of order":    {answers(503, `<html>`), true, 0, "503 Service Unavailable"},
		"a huge answer":   {answers(200, `{"token_type":"Bearer","access_token":"`+strings.Repeat("a", 64<<10)+`"}`), false, 0, "without an access_token"},
		"huge life":       {endpoint: answers(200, `{"token_type":"Bearer","expires_in":1e9,"access_token":"abc"}`)},
		"a life too huge": {endpoint: answers(200, `{"token_type":"Bearer","expires_in":1e300,"access_token":"abc"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(t)
			err := oauth(t, test.endpoint, fixed, zap.NewNop()).Authorize(t.Context(), r, nil)
			if test.says == "" {
				if err != nil || r.Header.Get("Authorization") != "Bearer abc" {
					t.Errorf("%q, %v", r.Header.Get("Authorization"), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "SECRET~") ||
				authorize.IsPassing(err) != test.passing {
				t.Fatalf("passing %t: %v", authorize.IsPassing(err), err)
			}
			if passing, ok := errors.AsType[*authorize.TokenError](err); ok && passing.Wait != test.wait {
				t.Errorf("waits %s", passing.Wait)
			}
			if _, sent := r.Header["Authorization"]; sent {
				t.Error("the request has a header")
			}
		})
	}
}

// The user has renewed the client's secret. Houndtrail reads its file when the endpoint refuses the earlier secret.
func TestOAuthWithARenewedSecret(t *testing.T) {
	t.Parallel()
	source := &file{content: "SECRET~ended"}
	o := oauth(t, endpoint(nil), source.read, zap.NewNop())
	err := o.Authorize(t.Context(), request(t), nil)
	if err == nil || authorize.IsPassing(err) || strings.Contains(err.Error(), "SECRET~") {
		t.Fatalf("a wrong secret: %v", err)
	}
	source.err = errors.New("the file is empty")
	if err := o.Authorize(t.Context(), request(t), nil); err == nil || !strings.Contains(err.Error(), "the file is empty") {
		t.Errorf("the reason is not told: %v", err)
	}
	source.content, source.err = clientSecret, nil
	authorized(t, o)
}

func TestOAuthWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	o, err := authorize.NewOAuth(authorize.OAuthOptions{
		TokenURL: tokenURL, Client: "client", Secret: fixed, Log: zap.NewNop(),
		Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("reset after " + clientSecret) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Authorize(t.Context(), request(t), nil); !authorize.IsPassing(err) || strings.Contains(err.Error(), "SECRET~") ||
		!strings.Contains(err.Error(), "no answer from the token endpoint login.example") {
		t.Errorf("%v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNewOAuthRejects(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "login.example", "ftp://login.example", "https://", "https://u:SECRET@login.example", "https://login.example/#SECRET"} {
		if _, err := authorize.NewOAuth(authorize.OAuthOptions{TokenURL: raw}); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}
