package exporter

import (
	"context"
	"errors"
	"iter"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/dedup"
	"houndtrail/exporter/window"
)

// grain is the resolution of created_at: the last instant before a window's end.
const grain = time.Microsecond

// A part is a window on its way through the stages: fetched and scanned, admitted and encoded, written and committed.
type part struct {
	window.Window
	*bloodhound.Batch
	last bool // nothing is due after it
	// since is where the next window looks back to, and so what the next set of delivered ids has to know.
	since time.Time

	dedup.Admission
	write func(context.Context) (checkpoint.Receipt, error)
}

// A position is where a stream stands.
type position struct {
	cursor time.Time
	set    dedup.Set
	since  time.Time // what the set knows, and so how far one may look back
}

// windows yields the due windows, ready to be written. It works ahead: while one is written the next is encoded and
// the one after that is fetched, and no more than that, so that memory holds three windows whatever the backlog.
func (e *Exporter) windows(
	ctx context.Context, from position, horizon time.Time, lease *checkpoint.Lease,
) iter.Seq2[part, error] {
	return func(yield func(part, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		fetched := start(func(out chan<- part) error {
			return failed(StageSource, e.fetch(ctx, from, horizon, lease, out))
		})
		ready := start(func(out chan<- part) error { return e.prepare(ctx, from.set, fetched, out) })
		defer func() { // both stages have ended when this returns
			cancel()
			ready.drain()
			fetched.drain()
		}()
		for p := range ready.out {
			if !yield(p, nil) {
				return
			}
		}
		if ready.err != nil {
			yield(part{}, ready.err)
		}
	}
}

// A stage is a goroutine that sends parts.
type stage struct {
	out chan part
	err error // to be looked at after out is closed
}

func start(run func(out chan<- part) error) *stage {
	s := &stage{out: make(chan part)}
	go func() {
		defer close(s.out)
		s.err = run(s.out)
	}()
	return s
}

func (s *stage) drain() {
	for range s.out { // until it has ended
	}
}

// prepare drops what was delivered and encodes the rest. The set goes from window to window ahead of the commits: the
// one that fails ends the cycle, and the set with it.
func (e *Exporter) prepare(ctx context.Context, set dedup.Set, fetched *stage, out chan<- part) (err error) {
	for p := range fetched.out {
		if err := p.Wait(); err != nil {
			return failed(StageSource, err)
		}
		p.Admission = set.Admit(p.Window, p.since, p.Records)
		set = p.Next
		if p.write, err = e.delivery(p); err != nil {
			return failed(StageSink, err)
		}
		select {
		case out <- p:
		case <-ctx.Done():
			return failed(StageSource, context.Cause(ctx))
		}
	}
	return fetched.err
}

// delivery is the writing of a part that is admitted, as far prepared as the sink can.
func (e *Exporter) delivery(p part) (func(context.Context) (checkpoint.Receipt, error), error) {
	if s, ok := e.Sink.(Preparer); ok {
		return s.Prepare(p.Window, p.Fresh)
	}
	return func(ctx context.Context) (checkpoint.Receipt, error) { return e.Sink.Write(ctx, p.Window, p.Fresh) }, nil
}

func (e *Exporter) fetch(
	ctx context.Context, from position, horizon time.Time, lease *checkpoint.Lease, ahead chan<- part,
) error {
	cursor, since := from.cursor, from.since
	planner, limited := e.Windows, true
	intent, intended := lease.Intent()
	intended = intended && intent.Start.Equal(cursor) // else that window was committed before the crash
	for {
		w, due := planner.Next(cursor, horizon)
		if intended {
			// An attempt that was not committed may have left objects for exactly this window: it is taken whole.
			w, due, limited = window.Window(intent), true, false
		}
		if !due {
			return nil
		}
		limits := bloodhound.Limits{}
		if limited {
			limits = e.Limits
			limits.Since = w.Start
		}
		batch, err := e.Source.Fetch(ctx, since, w.End.Add(-grain), limits)
		if tooMany := (*bloodhound.TooManyError)(nil); errors.As(err, &tooMany) {
			// Where one microsecond holds more than a window may, there is nothing to cut: it is taken whole.
			planner, limited = planner.Cut(w, tooMany.Fill)
			continue
		}
		if err != nil {
			return err
		}
		if limited {
			planner = planner.Learn(w, batch.Fill())
		}
		next := e.lookBack(since, w.End, horizon)
		select {
		case ahead <- part{Window: w, Batch: batch, last: !w.End.Before(horizon), since: next}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		cursor, since, intended, limited = w.End, next, false, true
	}
}

// lookBack is where the window after the one that ends at end looks for late rows from. Of a row that is promised to
// appear within settle and overlap, everything before horizon - overlap was there when this cycle began: a backlog is
// read without looking back, and only its last window is followed by an overlap. Nobody looks back further than what
// the set of delivered ids knows, whatever the overlap is changed to.
func (e *Exporter) lookBack(since, end, horizon time.Time) time.Time {
	next := horizon.Add(-e.Overlap)
	if end.Before(next) {
		next = end
	}
	if next.Before(since) {
		return since
	}
	return next
}
