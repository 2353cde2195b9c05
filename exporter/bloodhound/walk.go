package bloodhound

import (
	"fmt"
	"time"
)

// grain is the unit of created_at.
const grain = time.Microsecond

// A walk reads one span of time from its newest record to its oldest. It decides which page comes next, and nothing else.
//
// The next page begins at the oldest created_at seen. The bound is inclusive, so the edge is read twice and repeats are
// dropped by id: no record hides between two pages, whatever is inserted meanwhile. skip is used only when the bound
// cannot move: inside one instant that fills a page, and on a server that does not answer newest first.
//
// An instant that fills a page is read as a part of its own, and so is what lies on either side of it: rows that come in
// elsewhere, or that a replica lacks elsewhere, then shift none of its pages, and its last page says nothing of the rest.
type walk struct {
	part  part   // which is being read
	parts []part // still to be read, the next one last

	bound    time.Time // before of the next request
	skip     int
	by       order
	shown    bool // a page has shown that order
	previous seen
	repeated bool // one page of the part came twice already
}

// A part of a span of time, both ends inclusive.
type part struct{ after, before time.Time }

func (p part) empty() bool { return p.before.Before(p.after) }

// order is what a server has shown about the order of its answers.
type order int

const (
	newestFirst order = iota
	unordered         // page by skip under a fixed bound
)

func newWalk(after, before time.Time) walk {
	whole := part{after.Truncate(grain), before.Truncate(grain)} // as they are sent
	return walk{part: whole, bound: whole.before}
}

// query is the next request. Sorting by id makes the order total: without it rows of one instant come in any order,
// another one in each answer, and pages lose some of them.
func (w *walk) query(limit int) Query {
	return Query{Bounded: true, After: w.part.after, Before: w.bound, Skip: w.skip, Limit: limit, SortBy: NewestFirst()}
}

// advance takes in the answer to the query with that limit and tells whether the span is read to its end.
func (w *walk) advance(p seen, limit int) (done bool, err error) {
	if p.records == 0 {
		return w.next(), nil
	}
	if p.outside(w.part.after, w.bound) { // told by the page's ends: the scan looks at every record
		id, at := p.last, p.oldest
		if p.newest.After(w.bound) {
			id, at = p.first, p.newest
		}
		return false, strayError(id, at, w.part.after, w.bound)
	}
	// The same page again: skip is ignored, or as many rows as it skips have come in ahead of it since. The second time it
	// is not that.
	again := w.skip > 0 && p.first == w.previous.first && p.last == w.previous.last && p.records == w.previous.records
	if again && w.repeated {
		return false, w.deafError(p.records)
	}
	ascends := !p.newestFirst && w.by == newestFirst
	if again || ascends {
		// What has been read stays in the batch; reading it again costs a page or two and drops out by id.
		w.bound, w.skip, w.previous, w.repeated = w.part.before, 0, seen{}, again
		if ascends {
			w.by = unordered
		}
		return false, nil
	}
	w.previous = p
	if short(p, limit) {
		return w.next(), nil
	}
	switch {
	case w.by == unordered, p.records == p.refused: // it does not say how far it reaches
		w.skip += p.records
	case p.oldest.Before(p.newest):
		w.bound, w.skip, w.shown = p.oldest, 0, true
	case p.records < limit && p.limit < 0: // the last page, most likely
		w.skip += p.records
	case w.part.after.Equal(w.part.before):
		w.skip += p.records
	default: // a page of one instant: the bound would not get past it
		w.enter(p.oldest, p.records-p.refused) // where these are, is not known
	}
	return false, nil
}

// enter makes a part of the instant of which so many rows are read. As long as no order has shown, there may be later rows
// than those that came first: these are read before it, so that everything after the bound is always done with.
func (w *walk) enter(instant time.Time, read int) {
	if before := (part{w.part.after, instant.Add(-grain)}); !before.empty() {
		w.parts = append(w.parts, before)
	}
	at := part{instant, instant}
	if after := (part{instant.Add(grain), w.bound}); !w.shown && !after.empty() {
		w.parts = append(w.parts, at, after)
		w.next()
		return
	}
	w.part, w.bound, w.skip = at, instant, read
}

// next goes on with the next part, and tells whether there is none.
func (w *walk) next() (done bool) {
	last := len(w.parts) - 1
	if last < 0 {
		return true
	}
	w.part, w.parts = w.parts[last], w.parts[:last]
	w.bound, w.skip, w.previous, w.repeated = w.part.before, 0, seen{}, false
	return false
}

func (w *walk) deafError(records int) error {
	return fmt.Errorf("the server sent the same page of %d records again for skip=%d: it ignores skip and offset, "+
		"so the records behind it cannot be reached, and nothing of the window is used; raise %s above %d",
		records, w.skip, settingPageSize, records)
}

// short tells a page that ends the span from one that is full. A server that applied a smaller limit than was asked
// says so in its envelope; one that says nothing (the documented envelope) has only an empty page to end with.
func short(p seen, limit int) bool {
	if p.limit < 0 {
		return false
	}
	if p.limit > 0 && p.limit < int64(limit) {
		return int64(p.records) < p.limit
	}
	return p.records < limit
}
