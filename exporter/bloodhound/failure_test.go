package bloodhound

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"
)

func writePEM(tb testing.TB, s *httptest.Server) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func zip(tb testing.TB, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// A wire is a server below HTTP: it reads a request and writes these bytes, then closes the connection.
func wire(tb testing.TB, reply []byte) *url.URL {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 8<<10))
			_, _ = conn.Write(reply)
			_ = conn.Close()
		}
	}()
	return mustParse(tb, "http://"+listener.Addr().String())
}

const okHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// Every way in which a body can fail to be what the server wrote is an error: none is ever a shorter page.
func TestBrokenBodies(t *testing.T) {
	page := `{"data":{"logs":[` + strings.Repeat(`{"id":1},`, 5000) + `{"id":2}]}}`
	packed := zip(t, page)
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-6] ^= 0xff // in the checksum
	chunk := func(b []byte) string { return fmt.Sprintf("%x\r\n%s\r\n", len(b), b) }
	const chunked, gzipped = "Transfer-Encoding: chunked\r\n", "Content-Encoding: gzip\r\n"

	for name, test := range map[string]struct {
		reply string
		kind  Kind
		says  string
	}{
		"nothing at all":       {"", Transport, "cut"},
		"half a header":        {"HTTP/1.1 200 OK\r\nConte", Transport, "connection broken"},
		"not HTTP":             {"SSH-2.0-OpenSSH_9.2\r\n\r\n", Transport, "malformed HTTP"},
		"cut, length known":    {okHead + "Content-Length: 46000\r\n\r\n" + page[:30000], Transport, "cut"},
		"cut, chunked":         {okHead + chunked + "\r\n" + chunk([]byte(page[:30000])), Transport, "cut"},
		"cut before the first": {okHead + "Content-Length: 46000\r\n\r\n", Transport, "cut"},
		"gzip cut":             {okHead + gzipped + chunked + "\r\n" + chunk(packed[:len(packed)/2]), Transport, "cut"},
		"gzip short, chunks whole": {
			okHead + gzipped + chunked + "\r\n" + chunk(packed[:len(packed)-9]) + "0\r\n\r\n", Transport, "cut",
		},
		"gzip without its header": {
			okHead + gzipped + chunked + "\r\n" + chunk(packed[:5]) + "0\r\n\r\n", Transport, "cut",
		},
		"gzip cut in its comment": {okHead + gzipped + "\r\n\x1f\x8b\x080000000", Transport, "cut"},
		"gzip damaged": {
			okHead + gzipped + chunked + "\r\n" + chunk(damaged) + "0\r\n\r\n", Transport, "damaged",
		},
		"not gzip": {okHead + gzipped + "Content-Length: 2\r\n\r\n{}", Transport, "cut"},
		"not gzip, longer": {
			okHead + gzipped + "Content-Length: 20\r\n\r\n{\"data\":{\"logs\":[]}}", Transport, "damaged",
		},
		"last chunk missing": {okHead + gzipped + chunked + "\r\n" + chunk(packed), Transport, "cut"},
		"another encoding": {
			okHead + "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", Transport, "encoding other than gzip",
		},
		"empty": {okHead + "Content-Length: 0\r\n\r\n", Timeout, "empty reply"},
		"an empty gzip stream": {
			okHead + gzipped + chunked + "\r\n" + chunk(zip(t, "")) + "0\r\n\r\n", Timeout, "empty reply",
		},
		"empty, called gzip": {okHead + gzipped + "Content-Length: 0\r\n\r\n", Timeout, "empty reply"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{URL: wire(t, []byte(test.reply))})
			_, err := get(t.Context(), c, "/api/v2/audit")
			e := asError(t, err)
			if e.Kind != test.kind || !e.Retryable() {
				t.Errorf("%s, retryable %v; want %s: %v", e.Kind, e.Retryable(), test.kind, err)
			}
			wantText(t, err, "GET /api/v2/audit on 127.0.0.1", test.says)
		})
	}
}

func TestWholeBodies(t *testing.T) {
	page := `{"data":{"logs":[` + strings.Repeat(`{"id":1},`, 50000) + `{"id":2}]}}`
	packed := zip(t, page)
	for name, reply := range map[string]string{
		"length known":       okHead + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(page), page),
		"until the end":      okHead + "\r\n" + page,
		"gzip":               okHead + fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(packed), packed),
		"gzip in capitals":   okHead + fmt.Sprintf("Content-Encoding: GZIP\r\n\r\n%s", packed),
		"no type":            "HTTP/1.1 200 OK\r\n\r\n" + page,
		"a charset":          "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n\r\n" + page,
		"white space before": "HTTP/1.1 200 OK\r\n\r\n \n" + page,
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{URL: wire(t, []byte(reply))})
			for range 2 { // the second time through recycled memory
				got, err := get(t.Context(), c, "/api/v2/audit")
				if err != nil || strings.TrimSpace(got) != page {
					t.Fatalf("%d bytes, want %d: %v", len(got), len(page), err)
				}
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	const limit = 100 << 10
	exact := `{"a":"` + strings.Repeat("x", limit-8) + `"}`
	over := `{"a":"` + strings.Repeat("x", limit-7) + `"}`
	bomb := zip(t, `{"a":"`+strings.Repeat("x", 50<<20)+`"}`)
	for name, test := range map[string]struct {
		reply string
		ok    bool
	}{
		"exact":           {okHead + "\r\n" + exact, true},
		"exact, gzip":     {okHead + "Content-Encoding: gzip\r\n\r\n" + string(zip(t, exact)), true},
		"one over":        {okHead + "\r\n" + over, false},
		"one over, known": {okHead + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(over), over), false},
		"said to be huge": {okHead + "Content-Length: 9000000000000000000\r\n\r\n{", false},
		"gzip bomb":       {okHead + "Content-Encoding: gzip\r\n\r\n" + string(bomb), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{URL: wire(t, []byte(test.reply)), MaxBody: limit})
			_, err := get(t.Context(), c, "/api/v2/audit")
			if test.ok {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := asError(t, err); e.Kind != TooLarge || e.Retryable() {
				t.Errorf("%s, retryable %v", e.Kind, e.Retryable())
			}
			wantText(t, err, "larger than 102400 bytes", "PAGE_SIZE")
		})
	}
}

// A length that a server only claims must not cost memory.
func TestClaimedLengthIsNotTrusted(t *testing.T) {
	b, err := new(shelf).readBody(&http.Response{
		ContentLength: 1 << 40, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")),
	}, 1<<50)
	if err != nil || cap(b.b) > 2*trustedLength {
		t.Errorf("%d bytes held for a body of 2: %v", cap(b.b), err)
	}
}

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
		u := mustParse(t, raw)
		u.Scheme = scheme
		return u
	}
	fails := func(err error) http.RoundTripper {
		return tripper(func(*http.Request) (*http.Response, error) { return nil, err })
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
			Options{URL: mustParse(t, secure.URL)}, Transport, false, 8, []string{"certificate", "HOUNDTRAIL_BLOODHOUND_CA_FILE"},
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
			wantText(t, err, test.says...)
		})
	}

	t.Run("trusted authority", func(t *testing.T) {
		c := newClient(t, Options{URL: mustParse(t, secure.URL), CAFile: writePEM(t, secure)})
		if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
			t.Error(err)
		}
	})
	t.Run("no verification", func(t *testing.T) {
		c := newClient(t, Options{URL: mustParse(t, secure.URL), Insecure: true})
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

// A server that begins to answer and never ends is given up, as a time-out that asks for smaller pages.
func TestStalledBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Wait: 2 * time.Second, Transport: tripper(func(r *http.Request) (*http.Response, error) {
			res := respond(200, "")
			res.ContentLength = -1
			res.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"data`), stall{r.Context()}))
			return res, nil
		})})
		start := time.Now()
		_, err := get(t.Context(), c, "/api/v2/audit")
		if e := asError(t, err); e.Kind != Timeout || !e.Retryable() {
			t.Error(err)
		}
		if took := time.Since(start); took != 2*time.Second+headerMargin+bodyMargin {
			t.Errorf("given up after %s", took)
		}
	})
}

// A caller that gives up gets its own reason back, which nobody tries again.
func TestCancelledExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &audience{}
		c := newClient(t, Options{Observer: seen, Transport: tripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})})
		reason := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel(reason)
		}()
		err := c.retry(ctx, func(ctx context.Context) error {
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

type stall struct{ ctx context.Context }

func (s stall) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func TestProxyErrorsAreDiscreet(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://tenant.example/", nil)
	_, err := discreet(func(*http.Request) (*url.URL, error) {
		return nil, errors.New(`invalid proxy address "http://user:hunter2@pro xy"`)
	})(r)
	if !errors.Is(err, errProxyURL) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	want := mustParse(t, "http://proxy.example:3128")
	got, err := discreet(func(*http.Request) (*url.URL, error) { return want, nil })(r)
	if err != nil || got != want {
		t.Error(got, err)
	}
}
