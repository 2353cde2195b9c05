package webhook_test

import (
	"bytes"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"houndtrail/sink/webhook"
)

// All batches of a window, and those of the next, go through one connection.
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
		if _, err := s.Write(t.Context(), windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A receiver may close an idle connection at the very moment when the next batch is on its way. That is nobody's failure:
// it goes out again at once, and whole.
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
		if _, err := s.Write(t.Context(), windowOf(rs), rs); err != nil {
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

// Every answer is closed, or its connection would be lost to the pool for ever.
func TestAnswersAreClosed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 302, 401, 503} {
		body := &closer{Reader: strings.NewReader(strings.Repeat("x", 1<<20))}
		s, rs := newSink(t, webhook.Options{RetryFor: 1, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: body}, nil
		})}), records(t, 1)
		_, err := s.Write(t.Context(), windowOf(rs), rs)
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
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of the refused handshake
	srv.StartTLS()
	defer srv.Close()
	roots, rs := x509.NewCertPool(), records(t, 10)
	roots.AddCert(srv.Certificate())
	s := newSink(t, webhook.Options{URL: srv.URL, RootCAs: roots})
	if _, err := s.Write(t.Context(), windowOf(rs), rs); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	s = newSink(t, webhook.Options{URL: srv.URL, RootCAs: x509.NewCertPool(), RetryFor: time.Nanosecond})
	if _, err := s.Write(t.Context(), windowOf(rs), rs); err == nil {
		t.Error("a certificate of an unknown CA was trusted")
	} else {
		wants(t, err, "certificate")
	}
}
