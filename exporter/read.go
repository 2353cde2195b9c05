package exporter

import (
	"context"
	"errors"
	"iter"
	"sync"
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
	last  bool      // nothing is due after it
	since time.Time // where it was read from: before its start by the overlap
	// remembered is from when on the set of delivered ids has to know them after this window.
	remembered time.Time
}

// A part is a window that is admitted, and about to be encoded, written and committed.
type part struct {
	window.Window
	last  bool
	since time.Time

	clock   bloodhound.Reading // the server's, when it was fetched
	records checkpoint.Counts
	maxID   int64              // among the records of the window proper; 0 where there are none
	reused  int64              // an id that was delivered before, as another record; 0 for none
	newest  *checkpoint.Record // of the window proper; nil where it has no records
	// Whether it was read at the instant of the newest record delivered before this cycle, and that was there.
	looked, found bool
	next          dedup.Set // the set once this is delivered
	proof         proof
	encoding      *encoding
}

// windows yields the due windows, on their way to be written. It works ahead: while one is encoded and written the next is
// encoded, and two more are fetched, so that fetching rides out the pauses of the rest. Memory holds the pages of four
// windows and the files of two, whatever the backlog.
func (e *Exporter) windows(ctx context.Context, w walk) iter.Seq2[part, error] {
	return func(yield func(part, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		fetched := start(func(out chan<- span) error {
			return failed(StageSource, e.fetch(ctx, w, out))
		})
		ready := start(func(out chan<- part) error { return e.prepare(ctx, w, fetched, out) })
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

// start runs a stage. It makes the next result once the one before has been taken.
func start[T any](run func(out chan<- T) error) *stage[T] {
	s := &stage[T]{out: make(chan T)}
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

// prepare drops what was delivered and has the rest encoded. A window is sent on once the next one has been read, which
// brings the counts that prove it complete, or when there is none. Its encoding goes on meanwhile.
func (e *Exporter) prepare(ctx context.Context, w walk, fetched *stage[span], out chan<- part) error {
	var held part
	var encodings sync.WaitGroup
	defer encodings.Wait()
	set := w.set
	send := func() error {
		if held.encoding == nil {
			return nil
		}
		select {
		case out <- held:
			return nil
		case <-ctx.Done():
			return failed(StageSource, context.Cause(ctx))
		}
	}
	for s := range fetched.out {
		err := failed(StageSource, s.Wait())
		if err == nil {
			held.proof.takeFrom(s)
		}
		if err := errors.Join(send(), err); err != nil {
			return err
		}
		var fresh []bloodhound.Record
		held, fresh = e.admit(ctx, w, set, s)
		held.encoding = e.encode(&encodings, s, fresh)
		set = held.next // ahead of the commits: the one that fails ends the cycle, and the set with it
	}
	return errors.Join(send(), fetched.err)
}

// admit drops from a window what was delivered. The rest is to be delivered.
func (e *Exporter) admit(ctx context.Context, w walk, set dedup.Set, s span) (p part, fresh []bloodhound.Record) {
	read := len(s.Records)
	looked, found := s.meets(w.seen)
	var admitted dedup.Admission
	if w.again {
		admitted = set.Revisit(s.remembered, s.Records)
	} else {
		admitted = set.Admit(s.Window, s.remembered, s.Records)
	}
	p = part{
		Window: s.Window, last: s.last, since: s.remembered, next: admitted.Next, clock: s.Clock(),
		maxID: admitted.MaxID, reused: admitted.Reused, newest: s.newest(), looked: looked, found: found,
		records: checkpoint.Counts{
			Read: read, Fresh: len(admitted.Fresh), Duplicate: admitted.Duplicate, Late: admitted.Late,
		},
		proof: proof{window: s.Window, since: s.since, read: read, first: taken(s.Count(s.since))},
	}
	return p, e.sortOut(ctx, admitted.Fresh, &p.records)
}

// sortOut counts what our own requests left among the new records, and where the stream does without, leaves it out. The
// set of delivered ids knows them all the same: they are dealt with.
func (e *Exporter) sortOut(ctx context.Context, fresh []bloodhound.Record, n *checkpoint.Counts) []bloodhound.Record {
	source, ok := e.Source.(Recogniser)
	if !ok {
		return fresh
	}
	kept := 0
	for i := range fresh {
		if source.Own(ctx, &fresh[i]) {
			n.Self++
			if e.ExcludeSelf {
				continue
			}
		}
		if kept != i {
			fresh[kept] = fresh[i]
		}
		kept++
	}
	n.Fresh, n.Excluded = kept, len(fresh)-kept
	return fresh[:kept]
}

func (e *Exporter) fetch(ctx context.Context, w walk, ahead chan<- span) error {
	planner, limited, intent := e.Windows.Try(w.try), true, w.intent
	cursor, since, before, known := w.cursor, w.since, w.since, w.known
	for {
		win, due := planner.Next(cursor, w.horizon)
		if win.Pass = w.pass; intent != nil {
			// An attempt that was not committed may have left objects for exactly this window: it is taken whole.
			win, due, limited = window.Window(*intent), true, false
		}
		if !due {
			return nil
		}
		limits := bloodhound.Limits{Share: e.Limits.Share}
		if limited {
			limits = e.Limits
			limits.Since = win.Start
		}
		batch, err := e.Source.Fetch(ctx, since, win.End.Add(-grain), limits, e.counting(since, before)...)
		if tooMany := (*bloodhound.TooManyError)(nil); errors.As(err, &tooMany) {
			// Where one microsecond holds more than a window may, there is nothing to cut: it is taken whole.
			planner, limited = planner.Cut(win, tooMany.Fill)
			continue
		}
		if err != nil {
			return err
		}
		if limited {
			planner = planner.Learn(win, batch.Fill())
		}
		remembered := e.remembered(w, win, known)
		select {
		case ahead <- span{Window: win, Batch: batch, last: !win.End.Before(w.horizon), since: since, remembered: remembered}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		cursor, before, since, known = win.End, since, win.End, remembered
		intent, limited = nil, true
	}
}

// counting is what the pages of a window are to be counted from: its own beginning, and with the second page that of
// the window before, whose proof ends with it.
func (e *Exporter) counting(since, before time.Time) []time.Time {
	switch {
	case !e.VerifyCount:
		return nil
	case before.Equal(since):
		return []time.Time{since}
	default:
		return []time.Time{since, before}
	}
}
