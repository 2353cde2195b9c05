package webhook_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
)

// All batches of a window and of the next one use one connection.
func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"accepted":10}`)
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	s, rs := newSink(t, webhook.Options{URL: srv.URL, BatchRecords: 10}), records(t, 100)
	for range 2 {
		if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// There are as many connections as batches in flight. The next window uses them again.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	const limit = 4
	gate := newBarrier(limit)
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gate.pass(r.Context())
		_, _ = w.Write([]byte("{}"))
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	s, rs := newSink(t, webhook.Options{URL: srv.URL, InFlight: limit, BatchRecords: 10}), records(t, 10*limit)
	for range 3 {
		if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != limit {
		t.Errorf("%d connections, want %d", n, limit)
	}
}

// A receiver may close an idle connection at the moment when Houndtrail sends the next batch. That is no failure: Houndtrail sends
// the complete batch again at once.
func TestIdleConnectionClosed(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	last := make(chan post, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p, err := readPost(r)
		if err != nil {
			t.Error(err)
		}
		if served.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		last <- p
	}))
	defer srv.Close()
	rs := records(t, 100)
	s := newSink(t, webhook.Options{URL: srv.URL, RetryFor: time.Nanosecond})
	for range 2 {
		if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		if p := <-last; !bytes.Equal(p.body, lines(rs)) {
			t.Errorf("%d bytes arrived, want %d", len(p.body), len(lines(rs)))
		}
	}
	if n := served.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// The sink closes every answer. Otherwise the pool would lose the connection for ever.
func TestAnswersAreClosed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 302, 401, 503} {
		body := &closer{Reader: strings.NewReader(strings.Repeat("x", 1<<20))}
		s, rs := newSink(t, webhook.Options{RetryFor: 1, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: body}, nil
		})}), records(t, 1)
		_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		if (err == nil) != (status == 200) || body.closed != 1 {
			t.Errorf("%d: closed %d times, error %v", status, body.closed, err)
		}
		if read := 1<<20 - body.Len(); read > 1<<17 {
			t.Errorf("%d: read %d bytes of the answer", status, read)
		}
	}
}

type closer struct {
	*strings.Reader
	closed int
}

func (c *closer) Close() error { c.closed++; return nil }

func TestTLS(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("%s", r.Proto)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the log would show the refused handshake
	srv.StartTLS()
	defer srv.Close()
	rs, own := records(t, 10), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	s := newSink(t, webhook.Options{URL: srv.URL, Identity: func() (authorize.Identity, error) {
		return authorize.Identity{Authorities: own}, nil
	}})
	if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	untrusted := 0
	s = newSink(t, webhook.Options{
		URL: srv.URL, Observe: func(webhook.Attempt) { untrusted++ },
	})
	_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
	wants(t, err, "certificate", "HOUNDTRAIL_WEBHOOK_CA_FILE")
	if untrusted != 1 {
		t.Errorf("a certificate of an unknown authority was tried %d times", untrusted)
	}
}

// No retry helps against other bad certificates: one of another host, and an expired one.
func TestCertificateErrorsAreFinal(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]error{
		"host":    x509.HostnameError{Certificate: &x509.Certificate{}, Host: "siem.example"},
		"expired": &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}},
		"unknown": fmt.Errorf("tls: %w", x509.UnknownAuthorityError{}),
	} {
		tries := 0
		rs := records(t, 1)
		_, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			tries++
			return nil, refusal
		})}), windowOf(rs), rs)
		wants(t, err, "HOUNDTRAIL_WEBHOOK_CA_FILE")
		if tries != 1 {
			t.Errorf("%s: %d tries", name, tries)
		}
	}
}

// A proxy that asks for credentials asks for them again at the next try.
func TestProxyWantsCredentials(t *testing.T) {
	t.Parallel()
	connects := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connects++
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	rs := records(t, 1)
	for _, scheme := range []string{"https", "http"} {
		connects = 0
		_, err = sinktest.Write(t.Context(), newSink(t, webhook.Options{URL: scheme + "://siem.invalid/in", Transport: &http.Transport{
			Proxy: http.ProxyURL(address), OnProxyConnectResponse: transport.ProxyAnswer,
		}}), windowOf(rs), rs)
		wants(t, err, "407", transport.ProxyAdvice)
		if connects != 1 {
			t.Errorf("%s: asked %d times", scheme, connects)
		}
	}
}

// If a receiver sends headers or some bytes, and then nothing, the try ends and acknowledges nothing. The sink tries again.
func TestStalledAnswer(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			var reasons []string
			s := newSink(t, webhook.Options{
				Retried: func(r webhook.Retry) { reasons = append(reasons, r.Reason) },
				Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					_, _ = io.Copy(io.Discard, r.Body)
					body := io.MultiReader(strings.NewReader("some by"), stalled(r.Context().Done()))
					return &http.Response{StatusCode: status, Body: io.NopCloser(body)}, nil
				}),
			})
			rs := records(t, 1)
			began := time.Now()
			_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
			if took := time.Since(began); took < webhook.DefaultRetryFor-time.Minute || took > webhook.DefaultRetryFor+time.Minute {
				t.Errorf("%d: ended after %s", status, took)
			}
			want, says := "timeout", "status 200 and broke off: the connection stood still: no byte of a body came for 10s"
			if status != http.StatusOK {
				want, says = "503", "the receiver answered 503"
			}
			wants(t, err, "gave up after", says)
			if len(reasons) < 8 || slices.ContainsFunc(reasons, func(r string) bool { return r != want }) {
				t.Errorf("%d: retries for %v", status, reasons)
			}
		})
	}
}

// A stalled is a body that gives nothing until the test closes its channel.
type stalled <-chan struct{}

func (s stalled) Read([]byte) (int, error) {
	<-s
	return 0, errors.New("closed")
}

// If an answer breaks off, its missing part could say anything.
func TestAnswerCutOff(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if served.Add(1) == 1 {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
			panic(http.ErrAbortHandler)
		}
	}))
	defer srv.Close()
	rs := records(t, 1)
	if _, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{URL: srv.URL}), windowOf(rs), rs); err != nil || served.Load() != 2 {
		t.Errorf("%d requests, error %v", served.Load(), err)
	}
}
