package window

import "time"

const (
	// firstSpan is the first span that a planner tries if it does not know the density yet. An exporter that runs often then reads
	// all new records in one window. If a day does not fit, that costs one request, and the answer shows how much shorter the
	// window has to be.
	firstSpan = 24 * time.Hour
	growth    = 8 // a window grows at most so many times from one to the next: one quiet hour says little about the next day
	// minSpan is the grain of created_at: a window cannot be cut below it.
	minSpan = time.Microsecond
	// minTry is the shortest span that Try accepts for the first window: a shorter average cannot come from this log.
	minTry = time.Minute
)

// A Planner cuts time into windows. Each holds as many records as fit into memory, and no more. It is a value: its methods
// return a changed copy.
type Planner struct {
	Max time.Duration // a window's longest span

	span time.Duration // the span of the next window; zero for the first
}

// Try returns the planner that tries a window of that span first. If span is 0, the caller has no estimate, and nothing
// changes.
func (p Planner) Try(span time.Duration) Planner {
	if span > 0 {
		p.span = max(span, minTry)
	}
	return p
}

// Next is the window after cursor. It ends at the horizon at the latest. ok is false if no window is due. A window ends at a
// whole microsecond, since the API accepts no finer times. If a window ended between two microseconds, a record in the rest
// would be in no query.
func (p Planner) Next(cursor, horizon time.Time) (w Window, ok bool) {
	end := cursor.Add(max(min(p.next(), p.Max), minSpan))
	if end.After(horizon) {
		end = horizon
	}
	end = end.Truncate(minSpan)
	return Window{Start: cursor, End: end}, cursor.Before(end)
}

// Learn takes how full a window was (1 is as full as allowed) and returns the planner for the next one.
func (p Planner) Learn(w Window, fill float64) Planner {
	if p.span == 0 {
		p.span = w.Span()
	}
	p.span = min(p.fitting(w, fill), p.span*growth, p.Max)
	return p
}

// Cut returns the planner that makes a window shorter, because the window was too dense. fill is an estimate of how full the
// window is. An estimate can be wrong, so the new window is shorter by a quarter at least. ok is false if the window cannot be
// cut.
func (p Planner) Cut(w Window, fill float64) (_ Planner, ok bool) {
	if w.Span() <= minSpan {
		return p, false
	}
	p.span = max(min(p.fitting(w, fill), w.Span()*3/4), minSpan)
	return p, true
}

// Until returns a planner for a window with the same start as w and the given end. The window is at least one microsecond long.
func (p Planner) Until(w Window, end time.Time) Planner {
	p.span = max(end.Sub(w.Start), minSpan)
	return p
}

func (p Planner) next() time.Duration {
	if p.span == 0 {
		return firstSpan
	}
	return p.span
}

// fitting is the span that would be exactly full at the window's density.
func (p Planner) fitting(w Window, fill float64) time.Duration {
	span := float64(w.Span())
	if span >= fill*float64(p.Max) {
		return p.Max
	}
	return time.Duration(span / fill)
}
