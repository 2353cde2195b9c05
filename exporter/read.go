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

// A span is a window on its way from the first stage, which fetches, to the second, where its records end.
type span struct {
	window.Window
	*bloodhound.Batch
	last bool // nothing is due after it
	// since is where the next window looks back to, and so what the next set of delivered ids has to know.
	since time.Time
}

// A part is a window that is admitted and encoded, ready to be written and committed.
type part struct {
	window.Window
	last  bool
	since time.Time

	records checkpoint.Counts
	maxID   int64     // among the records of the window proper; 0 where there are none
	next    dedup.Set // the set once this is delivered
	write   func(context.Context) (checkpoint.Receipt, error)
}

// A position is where a stream stands.
type position struct {
	cursor time.Time
	set    dedup.Set
	since  time.Time // what the set knows, and so how far one may look back
}

// windows yields the due windows, ready to be written. It works ahead: while one is written the next is encoded, and two
// more are fetched, so that fetching rides out the pauses of the rest. Memory holds the pages of three windows and the
// files of two, whatever the backlog.
func (e *Exporter) windows(
	ctx context.Context, from position, horizon time.Time, lease *checkpoint.Lease,
) iter.Seq2[part, error] {
	return func(yield func(part, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		fetched := start(1, func(out chan<- span) error {
			return failed(StageSource, e.fetch(ctx, from, horizon, lease, out))
		})
		ready := start(0, func(out chan<- part) error { return e.prepare(ctx, from.set, fetched, out) })
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

// A stage is a goroutine that sends what it makes.
type stage[T any] struct {
	out chan T
	err error // to be looked at after out is closed
}

// start runs a stage that is up to ahead results ahead of the one that it works on.
func start[T any](ahead int, run func(out chan<- T) error) *stage[T] {
	s := &stage[T]{out: make(chan T, ahead)}
	go func() {
		defer close(s.out)
		s.err = run(s.out)
	}()
	return s
}

func (s *stage[T]) drain() {
	for range s.out { // until it has ended
	}
}

// prepare drops what was delivered and encodes the rest. The set goes from window to window ahead of the commits: the
// one that fails ends the cycle, and the set with it.
func (e *Exporter) prepare(ctx context.Context, set dedup.Set, fetched *stage[span], out chan<- part) error {
	for s := range fetched.out {
		if err := s.Wait(); err != nil {
			return failed(StageSource, err)
		}
		admitted := set.Admit(s.Window, s.since, s.Records)
		set = admitted.Next
		p := part{Window: s.Window, last: s.last, since: s.since, maxID: admitted.MaxID, next: set, records: checkpoint.Counts{
			Read: len(s.Records), Fresh: len(admitted.Fresh), Duplicate: admitted.Duplicate, Late: admitted.Late,
		}}
		var err error
		if p.write, err = e.delivery(s, admitted.Fresh); err != nil {
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

// delivery is the writing of what is fresh of a window, as far prepared as the sink can. It releases the records once
// the sink has taken what it needs of them.
func (e *Exporter) delivery(s span, fresh []bloodhound.Record) (func(context.Context) (checkpoint.Receipt, error), error) {
	if sink, ok := e.Sink.(Preparer); ok {
		defer s.Release()
		return sink.Prepare(s.Window, fresh)
	}
	return func(ctx context.Context) (checkpoint.Receipt, error) {
		defer s.Release()
		return e.Sink.Write(ctx, s.Window, fresh)
	}, nil
}

func (e *Exporter) fetch(
	ctx context.Context, from position, horizon time.Time, lease *checkpoint.Lease, ahead chan<- span,
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
		limits := bloodhound.Limits{Share: e.Limits.Share}
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
		case ahead <- span{Window: w, Batch: batch, last: !w.End.Before(horizon), since: next}:
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
