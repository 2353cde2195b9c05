package exporter

import (
	"context"
	"errors"
	"iter"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
)

// grain is the resolution of created_at: the last instant before a window's end.
const grain = time.Microsecond

// A part is a window with what was read for it.
type part struct {
	window.Window
	*bloodhound.Batch
	last bool // nothing is due after it
}

// windows reads the due windows ahead of their use: while one is written, the next is fetched, and no more than that,
// so that memory holds two windows whatever the backlog.
func (e *Exporter) windows(
	ctx context.Context, cursor, horizon time.Time, lease *checkpoint.Lease,
) iter.Seq2[part, error] {
	return func(yield func(part, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ahead := make(chan part)
		var failure error // written before ahead is closed, read after
		go func() {
			defer close(ahead)
			failure = e.fetch(ctx, cursor, horizon, lease, ahead)
		}()
		for p := range ahead {
			err := p.Wait()
			if !yield(p, err) || err != nil {
				cancel()
				for range ahead { // until the fetching has ended
				}
				return
			}
		}
		if failure != nil {
			yield(part{}, failure)
		}
	}
}

func (e *Exporter) fetch(
	ctx context.Context, cursor, horizon time.Time, lease *checkpoint.Lease, ahead chan<- part,
) error {
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
		batch, err := e.Source.Fetch(ctx, e.lookBack(w), w.End.Add(-grain), limits)
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
		select {
		case ahead <- part{w, batch, !w.End.Before(horizon)}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		cursor, intended, limited = w.End, false, true
	}
}

// lookBack is where a window's query begins: the overlap before its start, but not before the start that was asked for.
func (e *Exporter) lookBack(w window.Window) time.Time {
	after := w.Start.Add(-e.Overlap)
	if after.Before(e.Start) && !w.Start.Before(e.Start) {
		return e.Start
	}
	return after
}
