package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &usageError{fmt.Errorf("listening on HOUNDTRAIL_LISTEN=%s for metrics and health: %w; choose another address, or off",
			address, err)}
	}
	return l, nil
}

// statusPages are the daemon's HTTP endpoints. None of them tells a secret: errors hold none.
func statusPages(m *metrics, h *health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler())
	mux.Handle("GET /livez", check(h.alive))
	mux.Handle("GET /healthz", check(func() (string, bool) { return h.report(false) }))
	mux.Handle("GET /readyz", check(func() (string, bool) { return h.report(true) }))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		text, _ := h.report(true)
		_, _ = fmt.Fprintf(w, "houndtrail %s\n\n%s%s", version, text, endpoints)
	})
	return mux
}

const endpoints = `
/metrics  for Prometheus
/livez    503 when the program hangs, whatever BloodHound does
/healthz  503 when a stream is stale
/readyz   503 when a stream is stale or has had no success yet
`

func check(report func() (text string, ok bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		text, ok := report()
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, text)
	}
}

// serve answers until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // a scrape that is cut off comes again
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
