package exporter

import (
	"context"
	"errors"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
)

// fetch reads the windows of a walk, each as long as memory allows.
func (e *Exporter) fetch(ctx context.Context, w walk, ahead chan<- span) error {
	planner, limited, intent := e.Windows.Try(w.try), true, w.intent
	cursor, since, known, back := w.cursor, w.since, w.known, w.back
	var before time.Time // where the previous window was read from; zero for the first one, which proves nothing before it
	for {
		win, due := planner.Next(cursor, w.horizon)
		if w.completes {
			win = e.withinDay(win)
		}
		if win.Pass = w.pass; intent != nil {
			// An attempt that was not committed may have left objects for exactly this window: it is taken whole.
			win, due, limited = window.Window(*intent), true, false
		}
		if !due {
			return nil
		}
		from, floor, limits := since, known, e.limits(win, limited)
		if !back.IsZero() {
			// What is before the overlap is only looked at. It may be left out when the window is tried again, and then a record
			// of it would be in an object that the second attempt does not replace.
			floor = latest(known, since)
			from, limits.Records, limits.Bytes, limits.Since = back, e.Limits.Records, e.Limits.Bytes, back
		}
		batch, err := e.Source.Fetch(ctx, from, win.End.Add(-grain), limits, e.counting(from, before)...)
		if tooMany := (*bloodhound.TooManyError)(nil); errors.As(err, &tooMany) {
			if !back.IsZero() { // the newest record is looked for by itself
				back = time.Time{}
				continue
			}
			// One microsecond that holds more than a window may cannot be cut: it is taken whole.
			planner, limited = planner.Cut(win, tooMany.Fill)
			continue
		}
		if err != nil {
			return err
		}
		if empty := limited && batch.Fill() == 0 && win.End.Before(w.horizon); empty {
			if batch, win, err = e.jump(ctx, batch, from, win, w.horizon, before); err != nil {
				return err
			}
		} else if limited {
			planner = planner.Learn(win, batch.Fill())
		}
		remembered := e.remembered(w, win, known)
		select {
		case ahead <- span{
			Window: win, Batch: batch, last: !win.End.Before(w.horizon), since: from, known: floor, remembered: remembered,
		}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		cursor, before, since, back = win.End, latest(from, floor), win.End, time.Time{}
		if w.kind != checkpoint.KindHistory {
			known = remembered
		}
		intent, limited = nil, true
	}
}

// limits are what a window may hold. What is read again before it counts for nothing.
func (e *Exporter) limits(win window.Window, limited bool) bloodhound.Limits {
	if !limited {
		return bloodhound.Limits{Share: e.Limits.Share}
	}
	limits := e.Limits
	limits.Since = win.Start
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
func (e *Exporter) jump(
	ctx context.Context, batch *bloodhound.Batch, from time.Time, win window.Window, horizon, before time.Time,
) (*bloodhound.Batch, window.Window, error) {
	next, ok, err := e.Source.First(ctx, win.End, horizon)
	if err != nil {
		batch.Release()
		return nil, win, err
	}
	if !ok {
		next = horizon
	}
	if next = next.Truncate(grain); !next.After(win.End) {
		return batch, win, nil
	}
	batch.Release()
	win.End = next
	// It is read once more as a whole: that what was said to be a gap is one has to be seen, and counted.
	batch, err = e.Source.Fetch(ctx, from, win.End.Add(-grain), bloodhound.Limits{Share: e.Limits.Share}, e.counting(from, before)...)
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
