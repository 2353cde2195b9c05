package window

import "time"

const (
	// firstSpan is tried where nothing is known of the density yet: whatever an exporter that runs often finds is one
	// window, and a day that does not fit costs the one request that shows by how much.
	firstSpan = 24 * time.Hour
	growth    = 8 // at most, from one window to the next: one quiet hour says little about the next day
	// minSpan is the grain of created_at: a window cannot be cut below it.
	minSpan = time.Microsecond
	// minTry is the shortest span that is tried first: an average that is shorter is none of this log.
	minTry = time.Minute
)

// A Planner cuts time into windows that hold as much as fits in memory and no more. It is a value: planning changes a
// copy.
type Planner struct {
	Max time.Duration // a window's longest span

	span time.Duration // of the next window; zero for the first
}

// Try returns the planner that tries a window of that span first. 0 is for no idea.
func (p Planner) Try(span time.Duration) Planner {
	if span > 0 {
		p.span = max(span, minTry)
	}
	return p
}

// Next is the window after cursor, ending at the horizon at the latest; ok is false where none is due. It ends at a
// whole microsecond, since that is how finely the API can be asked: a record of the rest would be in no query.
func (p Planner) Next(cursor, horizon time.Time) (w Window, ok bool) {
	end := cursor.Add(max(min(p.next(), p.Max), minSpan))
	if end.After(horizon) {
		end = horizon
	}
	end = end.Truncate(minSpan)
	return Window{Start: cursor, End: end}, cursor.Before(end)
}

// Learn takes in how full a window was (1 is as full as may be) and returns the planner for the next one.
func (p Planner) Learn(w Window, fill float64) Planner {
	if p.span == 0 {
		p.span = w.Span()
	}
	p.span = min(p.fitting(w, fill), p.span*growth, p.Max)
	return p
}

// Cut takes in that a window was too dense to be read, with an estimate of how full it is, and returns the planner
// that cuts it to size, and by a quarter at least, since an estimate can be wrong. ok is false where it cannot be cut.
func (p Planner) Cut(w Window, fill float64) (_ Planner, ok bool) {
	if w.Span() <= minSpan {
		return p, false
	}
	p.span = max(min(p.fitting(w, fill), w.Span()*3/4), minSpan)
	return p, true
}

// Until returns the planner whose next window, if it starts where that one does, ends at an instant of it: at the first
// microsecond at the earliest.
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

// fitting is the span that would be as full as is planned for, at the window's density.
func (p Planner) fitting(w Window, fill float64) time.Duration {
	span := float64(w.Span())
	if span >= fill*float64(p.Max) {
		return p.Max
	}
	return time.Duration(span / fill)
}
