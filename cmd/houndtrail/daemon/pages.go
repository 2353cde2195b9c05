package daemon

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
)

// pages are the daemon's HTTP endpoints. None of them shows a secret, since errors contain no secrets. Errors contain names of
// hosts and paths, so only requests from this machine get them.
func pages(version string, m *Metrics, h *health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler())
	mux.Handle("GET /livez", check(func(bool) (string, bool) { return h.alive() }))
	mux.Handle("GET /healthz", check(func(reasons bool) (string, bool) { return h.report(false, reasons) }))
	mux.Handle("GET /readyz", check(func(reasons bool) (string, bool) { return h.report(true, reasons) }))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		text, _ := h.report(true, local(r))
		_, _ = fmt.Fprintf(w, "houndtrail %s\n\n%s%s", version, text, endpoints)
	})
	return mux
}

const endpoints = `
/metrics  for Prometheus
/livez    503 when the program hangs, whatever BloodHound does
/healthz  503 when a stream is stale
/readyz   503 when a stream is stale or has had no success yet

Why a cycle failed is told to requests from the machine itself, and in the log.
`

// local tells whether a request comes from this machine itself, and not through a proxy on it.
func local(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	passedOn := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
	return err == nil && from.Addr().Unmap().IsLoopback() && !passedOn
}

func check(report func(reasons bool) (text string, ok bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, ok := report(local(r))
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, text)
	}
}
