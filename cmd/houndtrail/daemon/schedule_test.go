package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// A stuckSource does not answer before it is cancelled, or fails at once.
type stuckSource struct {
	exporter.Source
	calls  chan time.Time
	err    error
	panics bool // at the next call
}

func (s *stuckSource) Clock(ctx context.Context) (bloodhound.Reading, error) {
	s.calls <- time.Now()
	if s.panics {
		s.panics = false
		panic("a defect")
	}
	if s.err != nil {
		return bloodhound.Reading{}, s.err
	}
	<-ctx.Done()
	return bloodhound.Reading{}, context.Cause(ctx)
}

// Guess has no idea.
func (*stuckSource) Guess() bloodhound.Reading { return bloodhound.Reading{} }

// states are the states that an observer was told of.
type states struct {
	stream.Unobserved
	ended []string
}

func (s *states) Ended(state string, _ error) { s.ended = append(s.ended, state) }

func stuckStream(s *stuckSource, store bucket.Bucket, o stream.Observer) *stream.Stream {
	st := stream.New(stream.Archive, &exporter.Exporter{Source: s, Log: zap.NewNop()},
		checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: stream.Archive}), o)
	st.Schedule = cron.Every(time.Minute)
	return st
}

const grace = 50 * time.Second

// If a cycle does not end by itself, the daemon abandons it when the grace ends, and gives its lease back. The error says that
// not everything was committed.
func TestScheduleStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, store := &stuckSource{calls: make(chan time.Time, 100)}, &checkpointtest.Memory{}
		all := []*stream.Stream{stuckStream(source, store, stream.Unobserved{})}
		ctx, stop := context.WithCancel(t.Context())
		h := newHealth(all)
		ended := make(chan error, 1)
		go func() { ended <- schedule(ctx, grace, all, h, zap.NewNop()) }()
		<-source.calls
		time.Sleep(10 * time.Minute)
		if n := len(source.calls); n > 0 {
			t.Errorf("%d more cycles began while one was running", n)
		}
		if text, ok := h.alive(); !ok || text != "archive: runs a cycle\n" {
			t.Errorf("a cycle that has just begun: %s", text)
		}
		time.Sleep(stillness)
		if text, ok := h.alive(); ok {
			t.Errorf("a cycle that nothing was heard of: %s", text)
		}
		told := time.Now()
		stop()
		select {
		case err := <-ended:
			if !errors.Is(err, exporter.ErrStopped) {
				t.Errorf("schedule ends with %v", err)
			}
		case <-time.After(time.Hour):
			t.Fatal("the schedule goes on although it was told to stop")
		}
		if took := time.Since(told); took != grace {
			t.Errorf("it took %s to stop, want %s", took, grace)
		}
		lease, err := checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: stream.Archive}).Acquire(t.Context())
		if err != nil {
			t.Fatalf("the lease was not given back: %v", err)
		}
		if err := lease.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A cycle runs at once, then by the schedule, also if the previous one has failed.
func TestScheduleGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &stuckSource{calls: make(chan time.Time, 100), err: &rest.Error{Kind: rest.Server}}
		all := []*stream.Stream{stuckStream(source, &checkpointtest.Memory{}, stream.Unobserved{})}
		h := newHealth(all)
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute+time.Second)
		defer stop()
		began := time.Now()
		if err := schedule(ctx, grace, all, h, zap.NewNop()); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("schedule ends with %v", err)
		}
		close(source.calls)
		var at []time.Duration
		for call := range source.calls {
			at = append(at, call.Sub(began))
		}
		if len(at) != 4 || at[0] != 0 || at[1] != time.Minute || at[3] != 3*time.Minute {
			t.Errorf("cycles began after %v, want 0s, 1m, 2m, 3m", at)
		}
		if text, ok := h.report(true, true); ok {
			t.Errorf("a stream that never succeeded is well: %s", text)
		}
		if text, ok := h.alive(); !ok || text != "archive: stopped\n" {
			t.Errorf("a loop that has ended: %s", text)
		}
	})
}

// Each stream has its own schedule: neither stream waits for the other's.
func TestSchedulePerStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sources := map[string]*stuckSource{}
		var all []*stream.Stream
		for name, every := range map[string]time.Duration{stream.Archive: time.Hour, stream.Webhook: time.Minute} {
			sources[name] = &stuckSource{calls: make(chan time.Time, 1000), err: &rest.Error{Kind: rest.Server}}
			s := stuckStream(sources[name], &checkpointtest.Memory{}, stream.Unobserved{})
			s.Name, s.Schedule = name, cron.Every(every)
			all = append(all, s)
		}
		h := newHealth(all)
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Hour+time.Second)
		defer stop()
		go func() {
			time.Sleep(time.Hour - time.Second)
			if text, ok := h.alive(); !ok || !strings.Contains(text, "archive: waits for its next cycle\n") {
				t.Errorf("after an hour: %s", text)
			}
			if text, _ := h.report(false, false); strings.Contains(text, "archive: stale") || !strings.Contains(text, "webhook: stale") {
				t.Errorf("after an hour without success: %s", text)
			}
		}()
		if err := schedule(ctx, grace, all, h, zap.NewNop()); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("schedule ends with %v", err)
		}
		if a, w := len(sources[stream.Archive].calls), len(sources[stream.Webhook].calls); a != 3 || w != 121 {
			t.Errorf("%d cycles of the archive and %d of the webhook, want 3 and 121", a, w)
		}
	})
}

// If a cycle panics, it counts as failed: the stream is not well, and the next cycle gets the lease.
func TestScheduleOutlivesAPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &stuckSource{calls: make(chan time.Time, 100), err: &rest.Error{Kind: rest.Server}, panics: true}
		var told states
		s := stuckStream(source, &checkpointtest.Memory{Locks: true}, &told)
		all := []*stream.Stream{s}
		h := newHealth(all)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute+time.Second)
		defer stop()
		go func() {
			time.Sleep(time.Second)
			if text, ok := h.report(true, true); ok || !strings.Contains(text, "a defect of Houndtrail: please report it, with the stack that the log has: a defect") {
				t.Errorf("after a panic: %s", text)
			}
		}()
		if err := schedule(ctx, grace, all, h, zap.NewNop()); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("schedule ends with %v", err)
		}
		if text, _ := h.report(true, true); len(source.calls) != 2 || strings.Contains(text, "lease") {
			t.Errorf("%d cycles asked the source, want 2: %s", len(source.calls), text)
		}
		if len(told.ended) != 2 || told.ended[0] == stream.StateOK {
			t.Errorf("the metrics were told %q", told.ended)
		}
	})
}
