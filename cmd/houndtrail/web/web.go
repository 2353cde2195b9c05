// Package web serves the pages of a process: metrics, health and status. It limits what its clients may use, and tells which of them
// may see names of hosts.
package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
)

// The limits of the server. It must not use resources that the exports need. A page is small and comes at once. A connection
// stays open from one scrape to the next.
const (
	readTime        = 5 * time.Second
	writeTime       = 30 * time.Second
	idleTime        = 2 * time.Minute
	headerBytes     = 16 << 10
	mostConnections = 64
)

// Listen opens the address of the setting LISTEN.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, stream.Usagef("listening on %sLISTEN=%s for metrics and health: %w; choose another address, or off",
			config.Prefix, address, err)
	}
	return l, nil
}

// Serve answers until ctx ends.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: readTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes, ConnState: new(doorman).state,
	}
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // if a scrape was cut off, the scraper asks again
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// A doorman limits the number of connections: if there is one too many, it closes the connection that has been idle for the
// longest time. If new connections had to wait, idle ones could keep the scraper out.
type doorman struct {
	mu      sync.Mutex
	open    int
	waiting []net.Conn // oldest first
}

// state records the new state of a connection.
func (d *doorman) state(c net.Conn, s http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = slices.DeleteFunc(d.waiting, func(other net.Conn) bool { return other == c })
	switch s {
	case http.StateNew:
		d.open++
		d.waiting = append(d.waiting, c)
	case http.StateIdle:
		d.waiting = append(d.waiting, c)
	case http.StateClosed, http.StateHijacked:
		d.open--
	case http.StateActive:
	}
	if d.open > mostConnections && len(d.waiting) > 0 {
		_ = d.waiting[0].Close()
		d.waiting = d.waiting[1:]
	}
}

// Local tells whether a request comes from this machine itself, and not through a proxy on it.
func Local(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	passedOn := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
	return err == nil && from.Addr().Unmap().IsLoopback() && !passedOn
}

// Check answers with a text, and with status 503 if not all is well. The text may have names of hosts if the request is [Local], or
// if everyone may see them.
func Check(everyone bool, report func(reasons bool) (text string, ok bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, ok := report(everyone || Local(r))
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, text)
	}
}
