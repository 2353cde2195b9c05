package daemon

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/web"
)

// pages are the daemon's HTTP endpoints. None of them shows a secret, since errors contain no secrets. Errors contain names of
// hosts and paths, so only requests from this machine get them, unless the options say that everyone may.
func pages(o Options, m *Metrics, h *health) http.Handler {
	check := func(report func(bool) (string, bool)) http.Handler { return web.Check(o.Names, report) }
	var page http.Handler
	if o.Page != nil {
		page = o.Page(h.live)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler())
	mux.Handle("GET /livez", check(func(bool) (string, bool) { return h.alive() }))
	mux.Handle("GET /healthz", check(func(reasons bool) (string, bool) { return h.report(false, reasons) }))
	mux.Handle("GET /readyz", check(func(reasons bool) (string, bool) { return h.report(true, reasons) }))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if page != nil && strings.Contains(r.Header.Get("Accept"), "text/html") {
			page.ServeHTTP(w, r)
			return
		}
		text, _ := h.report(true, o.Names || web.Local(r))
		_, _ = fmt.Fprintf(w, "houndtrail %s\n\n%s%s", o.Version, text, endpoints)
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
