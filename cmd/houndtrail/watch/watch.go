// Package watch shows the journals of any number of tenants as metrics for Prometheus, as health for probes, and as a status page for
// people. It reads what the runs have left, so it watches CronJobs as well as daemons, and survives what it watches. It needs only
// the rights to read and to list.
package watch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/page"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/web"
)

const (
	// DefaultEvery is the pause between two rounds. A round takes a handful of requests for each stream.
	DefaultEvery = time.Minute
	// entriesARound is how many older entries of each journal a round reads for the calendar. A year of the default schedule takes
	// about 20 rounds.
	entriesARound = 5000
	// stillness is how long the loop may hang before a restart is due.
	stillness = 30 * time.Minute
)

// Options are the settings of watch.
type Options struct {
	Tenants []string // only these; all if empty
	Every   time.Duration
	Listen  string // the address of the pages
	Names   bool   // every request may see names of hosts and reasons, and not only one from this machine
	Version string
	Log     *zap.Logger
}

// Run watches the journals below the root of a store until ctx ends.
func Run(ctx context.Context, store bucket.Bucket, o Options) error {
	w := &watcher{o: o, observer: observe.New(store, observe.Options{Tenants: o.Tenants, Entries: entriesARound}), heard: time.Now()}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	listener, err := web.Listen(ctx, o.Listen)
	if err != nil {
		return err
	}
	o.Log.Info("serving status", zap.Stringer("address", listener.Addr()))
	served := make(chan error, 1)
	go func() {
		err := web.Serve(ctx, listener, w.pages())
		if err != nil {
			stop(err) // a watcher without pages is of no use
		}
		served <- err
	}()
	w.loop(ctx)
	stop(nil)
	if err := <-served; err != nil {
		return fmt.Errorf("serving the pages on %s: %w", o.Listen, err)
	}
	return nil
}

// A watcher goes round.
type watcher struct {
	o        Options
	observer *observe.Observer

	mu    sync.Mutex
	heard time.Time // when the last round began or ended
	told  map[string]string
}

// loop makes a round at once, and then one after each pause.
func (w *watcher) loop(ctx context.Context) {
	tick := time.NewTicker(w.o.Every)
	defer tick.Stop()
	for {
		w.hears()
		s := w.observer.Round(ctx)
		w.hears()
		if ctx.Err() == nil {
			w.tell(s)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *watcher) hears() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = time.Now()
}

// tell logs each change of a state.
func (w *watcher) tell(s observe.Snapshot) {
	now := map[string]string{}
	if s.Err != nil {
		now["store"] = "the store cannot be listed"
		if w.told["store"] == "" {
			w.o.Log.Error("the store cannot be looked through for journals; what was found before is still watched", zap.Error(s.Err))
		}
	}
	for i := range s.Streams {
		one := &s.Streams[i]
		name := one.Place + " " + one.Name
		now[name] = one.State
		if w.told[name] == one.State {
			continue
		}
		fields := []zap.Field{zap.String("tenant", one.Tenant), zap.String("stream", one.Name), zap.String("state", one.State)}
		if one.Err != nil {
			w.o.Log.Warn("a stream is not well", append(fields, zap.Error(one.Err))...)
		} else {
			w.o.Log.Info("a stream's state", fields...)
		}
	}
	w.told = now
}

// pages are the endpoints.
func (w *watcher) pages() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		NewCollector(w.observer.Snapshot, w.o.Version, time.Now))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /livez", web.Check(w.o.Names, w.alive))
	mux.Handle("GET /readyz", web.Check(w.o.Names, w.ready))
	mux.Handle("GET /healthz", web.Check(w.o.Names, w.healthy))
	mux.Handle("GET /{$}", page.Handler(func(context.Context) observe.Snapshot { return w.observer.Snapshot() }, page.Options{
		Names: w.o.Names, Server: "houndtrail watch", Version: w.o.Version, Log: w.o.Log,
	}))
	return mux
}

// alive is false only if the loop hangs: a restart helps against that, and against nothing that the loop sees.
func (w *watcher) alive(bool) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if still := time.Since(w.heard); still > stillness {
		return fmt.Sprintf("watch: no round has begun or ended for %s\n", still.Round(time.Second)), false
	}
	return "watch: ok\n", true
}

// ready is true if the last round could look through the store.
func (w *watcher) ready(reasons bool) (string, bool) {
	s := w.observer.Snapshot()
	switch {
	case s.At.IsZero():
		return "watch: starting: the first round has not ended\n", false
	case s.Err != nil && reasons:
		return "watch: the store cannot be listed: " + oneLine(s.Err) + "\n", false
	case s.Err != nil:
		return "watch: the store cannot be listed\n", false
	}
	return "watch: ok\n", true
}

// healthy is true if every stream is well. There is a line for each.
func (w *watcher) healthy(reasons bool) (string, bool) {
	text, ok := w.ready(reasons)
	s := w.observer.Snapshot()
	var b strings.Builder
	b.WriteString(text)
	for i := range s.Streams {
		one := &s.Streams[i]
		well := one.Well()
		ok = ok && well
		fmt.Fprintf(&b, "%s %s: %s", one.Tenant, one.Name, one.State)
		if !one.Success.IsZero() {
			fmt.Fprintf(&b, ": last success %s ago", time.Since(one.Success).Round(time.Second))
		}
		if one.Err != nil && reasons {
			b.WriteString("; " + oneLine(one.Err))
		}
		b.WriteByte('\n')
	}
	if len(s.Streams) == 0 && !s.At.IsZero() {
		b.WriteString("no journal found\n")
		ok = false
	}
	return b.String(), ok
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Page is the status page of a daemon. It looks at the daemon's own journals, and only while a browser asks. live tells what the
// process knows better than its journals.
func Page(positions bucket.Bucket, o page.Options, live func(name string) (success, until time.Time)) http.Handler {
	observer := observe.New(positions, observe.Options{Here: true, Entries: entriesARound})
	return page.Handler(func(ctx context.Context) observe.Snapshot {
		s := observer.Fresh(ctx, page.Refresh/2)
		s.Streams = slices.Clone(s.Streams)
		for i := range s.Streams {
			if success, until := live(s.Streams[i].Name); s.Streams[i].State == stream.StateOK {
				s.Streams[i].Freshen(success, until)
			}
		}
		return s
	}, o)
}
