package exporter

import (
	"context"
	"errors"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/budget"
	"houndtrail/exporter/window"
)

// A fetcher reads the windows of a walk, each as long as memory allows.
type fetcher struct {
	*Exporter
	walk
	memory *budget.Account
	ahead  chan<- span

	planner window.Planner
	whole   bool         // the window is not to be cut
	large   bool         // it has a record that is larger than a page may be
	loan    *budget.Loan // what the window holds; nil between two
	before  time.Time    // where the previous window was read from; zero if that was sent on by itself
}

func (e *Exporter) fetch(ctx context.Context, w walk, memory *budget.Account, ahead chan<- span) error {
	f := &fetcher{Exporter: e, walk: w, memory: memory, ahead: ahead, planner: e.Windows.Try(w.try)}
	for {
		win, due := f.next()
		if !due {
			return nil
		}
		if err := f.borrow(ctx); err != nil {
			return err
		}
		s, err := f.read(ctx, win)
		if err == nil {
			err = f.send(ctx, s)
		}
		if err = f.adapt(win, err); err != nil {
			return err
		}
	}
}

// next is the window that is due.
func (f *fetcher) next() (win window.Window, due bool) {
	if len(f.intents) > 0 {
		// An attempt that was not committed may have left objects for exactly this window: it is taken whole.
		f.whole = true
		return window.Window(f.intents[0]), true
	}
	win, due = f.planner.Next(f.cursor, f.horizon)
	if f.completes {
		win = f.withinDay(win)
	}
	win.Pass = f.pass
	return win, due
}

// adapt takes in that the window was too much.
func (f *fetcher) adapt(win window.Window, err error) error {
	if large := (*bloodhound.LargeError)(nil); errors.As(err, &large) {
		f.loan.Return()
		f.loan, f.large = nil, true
		return nil
	}
	tooMany := (*bloodhound.TooManyError)(nil)
	switch {
	case !errors.As(err, &tooMany):
		return err
	case !f.back.IsZero():
		f.back = time.Time{} // the newest record is looked for by itself
	default:
		// One microsecond that holds more than a window may cannot be cut: it is taken whole.
		planner, cut := f.planner.Cut(win, tooMany.Fill)
		f.planner, f.whole = planner, !cut
	}
	return nil
}

// borrow waits for the memory that the window may need: its pages, and once more as much for its objects.
func (f *fetcher) borrow(ctx context.Context) (err error) {
	switch {
	case f.loan != nil: // the window was cut
	case f.large:
		f.loan, err = f.memory.BorrowAlone(ctx, func() error { return f.sendOn(ctx) })
	default:
		f.loan, err = f.memory.Borrow(ctx, 2*f.Limits.Bytes+f.Limits.Bytes/2, func() error { return f.sendOn(ctx) })
	}
	return err
}

// read reads a window.
func (f *fetcher) read(ctx context.Context, win window.Window) (span, error) {
	from, floor, limits := f.since, f.known, f.limits(win)
	if !f.back.IsZero() {
		// What is before the overlap is only looked at. It may be left out when the window is tried again, and then a record
		// of it would be in an object that the second attempt does not replace.
		from, floor = f.back, latest(f.known, f.since)
		limits.Records, limits.Bytes, limits.Since = f.Limits.Records, f.Limits.Bytes, f.back
	}
	batch, err := f.Source.Fetch(ctx, from, win.End.Add(-grain), limits, f.counting(from, f.before)...)
	if err != nil {
		return span{}, err
	}
	if empty := !f.whole && batch.Fill() == 0 && win.End.Before(f.horizon); empty {
		if batch, win, err = f.jump(ctx, batch, from, win); err != nil {
			return span{}, err
		}
	} else if !f.whole {
		f.planner = f.planner.Learn(win, batch.Fill())
	}
	return span{
		Window: win, Batch: batch, loan: f.loan, last: !win.End.Before(f.horizon), since: from, known: floor,
		remembered: f.remembered(f.walk, win, f.known),
	}, nil
}

// send gives a window to the next stage and goes on behind it.
func (f *fetcher) send(ctx context.Context, s span) error {
	s.loan.Keep(2 * s.Held())
	select {
	case f.ahead <- s:
	case <-ctx.Done():
		s.Release()
		return context.Cause(ctx)
	}
	f.cursor, f.before, f.since, f.back = s.End, latest(s.since, s.known), s.End, time.Time{}
	if f.kind != checkpoint.KindHistory {
		f.known = s.remembered
	}
	if len(f.intents) > 0 {
		f.intents = f.intents[1:]
	}
	f.whole, f.large, f.loan = false, false, nil
	return nil
}

// sendOn has the previous window sent on without the counts that come with the next one: its memory is needed for that.
func (f *fetcher) sendOn(ctx context.Context) error {
	select {
	case f.ahead <- span{}:
		f.before = time.Time{}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// limits are what a window may hold. What is read again before it counts for nothing.
func (f *fetcher) limits(win window.Window) bloodhound.Limits {
	limits := bloodhound.Limits{Share: f.Limits.Share, Large: f.large}
	if f.whole {
		return limits
	}
	limits.Records, limits.Bytes, limits.Since = f.Limits.Records, f.Limits.Bytes, win.Start
	return limits
}

// withinDay ends a window with the UTC day, so that the rescan counts whole days.
func (e *Exporter) withinDay(win window.Window) window.Window {
	if midnight := win.Start.Truncate(day).Add(day); e.Rescan >= day && midnight.Before(win.End) {
		win.End = midnight
	}
	return win
}

// jump makes one window of a gap: it ends where the next record is, however far that is off.
func (f *fetcher) jump(
	ctx context.Context, batch *bloodhound.Batch, from time.Time, win window.Window,
) (*bloodhound.Batch, window.Window, error) {
	next, ok, err := f.Source.First(ctx, win.End, f.horizon)
	if err != nil {
		batch.Release()
		return nil, win, err
	}
	if !ok {
		next = f.horizon
	}
	if next = next.Truncate(grain); !next.After(win.End) {
		return batch, win, nil
	}
	batch.Release()
	win.End = next
	// It is read once more as a whole: that what was said to be a gap is one has to be seen, and counted.
	batch, err = f.Source.Fetch(ctx, from, win.End.Add(-grain), bloodhound.Limits{Share: f.Limits.Share}, f.counting(from, f.before)...)
	return batch, win, err
}

// counting is what the pages of a window are to be counted from, for the proof of the previous one: its end, its
// beginning, and its end once more. No instant may be after the window's own beginning.
func (e *Exporter) counting(from, before time.Time) []time.Time {
	switch {
	case !e.VerifyCount:
		return nil
	case before.IsZero():
		return []time.Time{from}
	}
	return []time.Time{from, before, from}
}
