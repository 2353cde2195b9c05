package rest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

func TestConnectionFailures(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`))
	}))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	closed := wire(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Host = listener.Addr().String()
	_ = listener.Close()
	swap := func(raw, scheme string) *url.URL {
		u := resttest.MustParse(t, raw)
		u.Scheme = scheme
		return u
	}
	fails := func(err error) http.RoundTripper {
		return resttest.Tripper(func(*http.Request) (*http.Response, error) { return nil, err })
	}
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

	for name, test := range map[string]struct {
		options   Options
		kind      Kind
		retryable bool
		patience  uint
		says      []string
	}{
		"refused": {Options{URL: closed}, Transport, true, 8, []string{"nothing listens"}},
		"unknown authority": {
			Options{URL: resttest.MustParse(t, secure.URL)}, Transport, false, 8, []string{"certificate", "HOUNDTRAIL_BLOODHOUND_CA_FILE"},
		},
		"another name": {
			Options{URL: swap(strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), "https"), CAFile: writePEM(t, secure)},
			Transport, false, 8,
			[]string{"localhost", "another certificate"},
		},
		"TLS to a plain server": {
			Options{URL: swap(plain.URL, "https")},
			Transport, false, 8,
			[]string{"does not speak TLS", "HOUNDTRAIL_BLOODHOUND_URL"},
		},
		"plain to a TLS server": {
			Options{URL: swap(secure.URL, "http")}, BadRequest, false, 8, []string{"https://"},
		},
		"no such host": {
			Options{Transport: fails(dial(&net.DNSError{Err: "no such host", Name: "tenant.example", IsNotFound: true}))},
			Transport, true, 3,
			[]string{"tenant.example: no such host", "DNS"},
		},
		"DNS is down": {
			Options{Transport: fails(dial(&net.DNSError{Err: "server misbehaving", Name: "tenant.example", IsTemporary: true}))},
			Transport, true, 8,
			[]string{"server misbehaving"},
		},
		"connect time-out": {
			Options{Transport: fails(dial(os.ErrDeadlineExceeded))}, Transport, true, 8, []string{"timeout", "check the network"},
		},
		"handshake time-out": {
			Options{Transport: fails(slow("net/http: TLS handshake timeout"))},
			Transport, true, 8,
			[]string{"TLS handshake timeout"},
		},
		"header time-out": {
			Options{Transport: fails(slow("net/http: timeout awaiting response headers"))},
			Timeout, true, 8,
			[]string{"no complete reply in time", "PAGE_SIZE"},
		},
		"proxy is down": {
			Options{Transport: fails(&net.OpError{Op: "proxyconnect", Net: "tcp", Err: errors.New("connection refused")})},
			Transport, true, 8,
			[]string{"HTTPS_PROXY"},
		},
		"proxy URL": {
			Options{Transport: fails(errProxyURL)}, Transport, false, 8, []string{"HTTPS_PROXY is not a valid URL"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := get(t.Context(), newClient(t, test.options), "/api/v2/audit?limit=1")
			e := asError(t, err)
			if e.Kind != test.kind || e.Retryable() != test.retryable || e.patience(8) != test.patience {
				t.Errorf("%s, retryable %v, %d tries: %v", e.Kind, e.Retryable(), e.patience(8), err)
			}
			resttest.WantText(t, err, test.says...)
		})
	}

	t.Run("trusted authority", func(t *testing.T) {
		c := newClient(t, Options{URL: resttest.MustParse(t, secure.URL), CAFile: writePEM(t, secure)})
		if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
			t.Error(err)
		}
	})
	t.Run("no verification", func(t *testing.T) {
		c := newClient(t, Options{URL: resttest.MustParse(t, secure.URL), Insecure: true})
		if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
			t.Error(err)
		}
	})
}

// slow is a time-out as net/http words it.
type slow string

func (s slow) Error() string { return string(s) }
func (slow) Timeout() bool   { return true }
func (slow) Temporary() bool { return true }

// If a server begins to answer and never ends, the client gives up with a time-out that advises smaller pages. It also gives up
// if a body moves at only a byte a second. It waits by the number of bytes that came, and logs every 30 s that the body is slow.
func TestStalledBody(t *testing.T) {
	for name, test := range map[string]struct {
		pause time.Duration // between two bytes
		took  time.Duration
		says  string
		lines int
	}{
		"nothing more":  {time.Hour, idleBody, "no byte of a body came for 30s", 0},
		"a byte a time": {time.Second, bodyGrace, "bytes of a body came in 1m40s", 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				c := newClient(t, Options{Log: zap.New(core), Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
					res := resttest.Respond(200, "")
					res.ContentLength = -1
					res.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"data`), dribble{r.Context(), test.pause}))
					return res, nil
				})})
				start := time.Now()
				_, err := get(t.Context(), c, "/api/v2/audit")
				if e := asError(t, err); e.Kind != Timeout || !e.Retryable() {
					t.Error(err)
				}
				resttest.WantText(t, err, test.says)
				if took := time.Since(start); took-test.took > time.Second {
					t.Errorf("given up after %s", took)
				}
				if logs.Len() != test.lines {
					t.Errorf("%d lines in the log; want %d", logs.Len(), test.lines)
				}
			})
		})
	}
}

// The client also gives up if a server does not answer at all.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Wait: 2 * time.Second, Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		start := time.Now()
		_, err := get(t.Context(), c, "/api/v2/audit")
		if e := asError(t, err); e.Kind != Timeout || !e.Retryable() {
			t.Error(err)
		}
		if took := time.Since(start); took != 2*time.Second+headerMargin+2*connectTimeout {
			t.Errorf("given up after %s", took)
		}
	})
}

// A caller that gives up gets its own reason back, and the client does not try again.
func TestCancelledExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &audience{}
		c := newClient(t, Options{Observer: seen, Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})})
		reason := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel(reason)
		}()
		err := c.Retry(ctx, func(ctx context.Context) error {
			_, err := get(ctx, c, "/api/v2/audit")
			return err
		})
		var e *Error
		if !errors.Is(err, reason) || errors.As(err, &e) {
			t.Errorf("%T %v", err, err)
		}
		if len(seen.requests) != 1 || seen.requests[0] != "cancelled" || len(seen.retries) != 0 {
			t.Errorf("%v %v", seen.requests, seen.retries)
		}
	})
}

// A dribble has a space after each pause.
type dribble struct {
	ctx   context.Context
	pause time.Duration
}

func (d dribble) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(d.pause):
		p[0] = ' '
		return 1, nil
	}
}

func TestProxyErrorsAreDiscreet(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://tenant.example/", nil)
	_, err := discreet(func(*http.Request) (*url.URL, error) {
		return nil, errors.New(`invalid proxy address "http://user:hunter2@pro xy"`)
	})(r)
	if !errors.Is(err, errProxyURL) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	want := resttest.MustParse(t, "http://proxy.example:3128")
	got, err := discreet(func(*http.Request) (*url.URL, error) { return want, nil })(r)
	if err != nil || got != want {
		t.Error(got, err)
	}
}
