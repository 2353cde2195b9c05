package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// compacting runs the compactions of the archive. How they end decides nothing about the streams, and has a line and metrics of
// its own: a failing compaction makes no export unwell, and is not hidden behind one that is well.
type compacting struct {
	job     *stream.CompactionJob // nil for none
	metrics CompactMetrics
	now     func() time.Time

	mu      sync.Mutex
	look    stream.CompactionLook // as this process knows it
	running bool
}

func newCompacting(job *stream.CompactionJob, m *Metrics) *compacting {
	c := &compacting{job: job, now: time.Now}
	if job != nil {
		c.metrics = m.Compactions()
	}
	return c
}

// loop compacts by the schedule until ctx ends. It then stops at once: the next daemon finishes what was under way, as its first
// act.
func (c *compacting) loop(ctx context.Context) {
	if c.job == nil {
		return
	}
	c.found(c.job.Begin(ctx))
	logger := cronLog{c.job.Log.Sugar()}
	cycle := cron.NewChain(cron.SkipIfStillRunning(logger), cron.Recover(logger)).Then(cron.FuncJob(func() {
		c.turn(ctx, func() error { return c.job.Run(ctx, c.metrics.day) }, true)
	}))
	c.turn(ctx, func() error { return c.job.Finish(ctx) }, false)
	clock := cron.New(cron.WithLogger(logger))
	clock.Schedule(c.job.Schedule, cycle)
	clock.Start()
	<-ctx.Done()
	<-clock.Stop().Done()
}

// found takes over what an earlier process noted.
func (c *compacting) found(n stream.CompactionNote) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look = stream.CompactionLook{CompactionNote: n, Schedule: c.job.Schedule}
	c.metrics.found(n)
}

// turn makes one compaction, or finishes one.
func (c *compacting) turn(ctx context.Context, do func() error, whole bool) {
	if ctx.Err() != nil {
		return
	}
	c.runs(true)
	defer c.runs(false)
	err := do()
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		c.job.Log.Info("the compaction was told to stop; the next one finishes what it began")
		return
	}
	if err != nil {
		c.job.Log.Error("compaction failed; the export goes on", zap.Error(err))
	}
	if err == nil && !whole {
		return // nothing is known of the days yet
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look.CompactionNote = c.look.After(err, c.now())
	c.metrics.ended(err, c.look.SucceededAt)
}

func (c *compacting) runs(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = yes
}

// report is the line of the pages about the compactions; "" if there are none. The reasons of failures name hosts.
func (c *compacting) report(reasons bool) string {
	if c.job == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	state, err := c.look.Judge(c.now(), time.Time{})
	var b strings.Builder
	fmt.Fprintf(&b, "compaction: %s: ", state)
	if c.look.SucceededAt.IsZero() {
		b.WriteString("no success yet")
	} else {
		fmt.Fprintf(&b, "last success %s ago", c.now().Sub(c.look.SucceededAt).Round(time.Second))
	}
	if c.running {
		b.WriteString("; one is running")
	}
	if err != nil && reasons {
		b.WriteString("; " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	b.WriteByte('\n')
	return b.String()
}
