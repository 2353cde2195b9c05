// Package daemon runs the cycles of streams by a schedule. It shows their health: metrics for Prometheus, and pages for people
// and probes.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/web"
)

// Options say how a daemon runs.
type Options struct {
	Jobs stream.Jobs // the work beside the cycles

	Grace  time.Duration // how long the cycles may go on after the daemon is told to stop
	Listen string        // the address of the pages; "" for none
	Names  bool          // every request may see names of hosts, and not only one from this machine
	// Page is the status page for browsers; nil for none. It gets what this process knows better than the journals do.
	Page    func(live func(stream string) Live) http.Handler
	Version string
	Log     *zap.Logger
}

// Live is what a daemon knows of a stream beyond its journal, in which an idle stream leaves a sign of life only once an hour.
type Live struct {
	Success time.Time // the last success of this process; zero if there was none
	Until   time.Time // everything before it is delivered; zero if that is not known
}

// Run runs cycles by the schedule until ctx ends. Meanwhile it serves the pages. The caller has made the streams, with the
// metrics as their observer.
func Run(ctx context.Context, all []*stream.Stream, m *Metrics, o Options) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	health := newHealth(all)
	m.progress, m.trying, m.heard, m.due = health.committed, health.tries, health.hears, health.due
	m.delivered = health.delivered
	health.jobs = jobs(o.Jobs, m)
	served := make(chan error, 1)
	if o.Listen == "" {
		served <- nil
	} else {
		listener, err := web.Listen(ctx, o.Listen)
		if err != nil {
			return err
		}
		stream.Recall(ctx, all)
		o.Log.Info("serving status", zap.Stringer("address", listener.Addr()))
		go func() {
			err := web.Serve(ctx, listener, pages(o, m, health))
			if err != nil {
				stop(err) // a daemon must not run without its pages
			}
			served <- err
		}()
	}
	scheduled := beside(ctx, health.jobs, func() error { return schedule(ctx, o.Grace, all, health, o.Log) })
	stop(nil)
	return errors.Join(scheduled, wrapServe(<-served, o.Listen))
}

// beside calls do, and runs the jobs at the same time until do returns.
func beside(ctx context.Context, all []*job, do func() error) error {
	ctx, stop := context.WithCancel(ctx)
	var ended sync.WaitGroup
	for _, j := range all {
		ended.Go(func() { j.loop(ctx) })
	}
	err := do()
	stop()
	ended.Wait()
	return err
}

func wrapServe(err error, address string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("serving metrics and health on %s: %w", address, err)
}
