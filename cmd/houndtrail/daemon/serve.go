package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
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

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, stream.Usagef("listening on %sLISTEN=%s for metrics and health: %w; choose another address, or off",
			config.Prefix, address, err)
	}
	return l, nil
}

// serve answers until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
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
