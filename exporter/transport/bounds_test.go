package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

// patient is longer than any test takes.
var patient = transport.Bounds{Answer: time.Hour, Idle: time.Hour, Grace: time.Hour, Rate: 1, Log: zap.NewNop()}

// do sends one request and reads the whole answer.
func do(ctx context.Context, rt http.RoundTripper, url string, body io.Reader) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return "", err
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	return string(read), err
}

// A handler may hang until the test is over.
type handler func(w http.ResponseWriter, r *http.Request, over <-chan struct{})

// serve answers by HTTP/1 and HTTP/2.
func serve(t *testing.T, h handler, run func(t *testing.T, url string, rt http.RoundTripper)) {
	t.Helper()
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			over := make(chan struct{})
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(w, r, over) }))
			srv.EnableHTTP2 = http2
			srv.StartTLS()
			t.Cleanup(srv.Close)
			t.Cleanup(func() { close(over) })
			run(t, srv.URL, srv.Client().Transport)
		})
	}
}

// If a server sends headers and some bytes and then nothing, the exchange ends, however patient the caller is.
func TestIdleResponse(t *testing.T) {
	t.Parallel()
	serve(t, func(w http.ResponseWriter, _ *http.Request, over <-chan struct{}) {
		_, _ = io.WriteString(w, "ten bytes.")
		_ = http.NewResponseController(w).Flush()
		<-over
	}, func(t *testing.T, url string, rt http.RoundTripper) {
		t.Helper()
		got, err := do(t.Context(), transport.Bound(rt, transport.Bounds{Idle: 50 * time.Millisecond}), url, nil)
		_, ok := errors.AsType[*transport.TimeoutError](err)
		if got != "ten bytes." || !ok || !strings.Contains(err.Error(), "no byte of a body came for 50ms") {
			t.Errorf("read %q and %v", got, err)
		}
	})
}

// The server takes a little of a large body and then nothing.
func TestIdleRequest(t *testing.T) {
	t.Parallel()
	serve(t, func(_ http.ResponseWriter, r *http.Request, over <-chan struct{}) {
		_, _ = io.ReadFull(r.Body, make([]byte, 10))
		<-over // the server does not notice the end while a body is on its way
	}, func(t *testing.T, url string, rt http.RoundTripper) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := do(ctx, transport.Bound(rt, transport.Bounds{Idle: 50 * time.Millisecond}), url, bytes.NewReader(make([]byte, 64<<20)))
		if _, ok := errors.AsType[*transport.TimeoutError](err); !ok {
			t.Errorf("error %v", err)
		}
	})
}

// An exchange that moves does not end early, the caller's own deadline still holds, and a slow reader is no failure.
func TestNotIdle(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) { _, _ = io.Copy(w, r.Body) }
	serve(t, echo, func(t *testing.T, url string, rt http.RoundTripper) {
		t.Helper()
		for range 3 {
			if got, err := do(t.Context(), transport.Bound(rt, patient), url, bytes.NewReader([]byte("hello"))); got != "hello" || err != nil {
				t.Errorf("read %q and %v", got, err)
			}
		}
	})
	hang := func(w http.ResponseWriter, _ *http.Request, over <-chan struct{}) {
		_ = http.NewResponseController(w).Flush()
		<-over
	}
	serve(t, hang, func(t *testing.T, url string, rt http.RoundTripper) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := do(ctx, transport.Bound(rt, patient), url, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

// The watch of an exchange does not keep its connection from the next one.
func TestIdleKeepsConnections(t *testing.T) {
	t.Parallel()
	conns := make(chan struct{}, 10)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns <- struct{}{}
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	rt := transport.Bound(srv.Client().Transport, patient)
	for range 5 {
		if _, err := do(t.Context(), rt, srv.URL, bytes.NewReader([]byte("hello"))); err != nil {
			t.Fatal(err)
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections", len(conns))
	}
}
