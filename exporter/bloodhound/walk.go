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
type walk struct {
	after, before time.Time // the span, both inclusive

	bound    time.Time // before of the next request
	skip     int
	by       order
	previous seen
	repeated bool // one page came twice already
}

// order is what a server has shown about the order of its answers.
type order int

const (
	newestFirst order = iota
	unordered         // page by skip under a fixed bound
)

func newWalk(after, before time.Time) walk {
	after, before = after.Truncate(grain), before.Truncate(grain) // as they are sent
	return walk{after: after, before: before, bound: before}
}

// query is the next request. Sorting by id makes the order total: without it rows of one instant come in any order,
// another one in each answer, and pages lose some of them.
func (w *walk) query(limit int) Query {
	return Query{Bounded: true, After: w.after, Before: w.bound, Skip: w.skip, Limit: limit, SortBy: NewestFirst()}
}

// advance takes in the answer to the query with that limit and tells whether the span is read to its end.
func (w *walk) advance(p seen, limit int) (done bool, err error) {
	if p.records == 0 {
		return true, nil
	}
	if p.outside(w.after, w.bound) { // told by the page's ends: the scan looks at every record
		id, at := p.last, p.oldest
		if p.newest.After(w.bound) {
			id, at = p.first, p.newest
		}
		return false, strayError(id, at, w.after, w.bound)
	}
	// The same page again: skip is ignored, or as many rows as it skips have come in ahead of it since. The second time it
	// is not that.
	again := w.skip > 0 && p.first == w.previous.first && p.last == w.previous.last && p.records == w.previous.records
	if again && w.repeated {
		return false, w.deafError(p.records)
	}
	if again || !p.newestFirst && w.by == newestFirst {
		// What has been read stays in the batch; reading it again costs a page or two and drops out by id.
		w.by, w.bound, w.skip, w.previous, w.repeated = unordered, w.before, 0, seen{}, again
		return false, nil
	}
	w.previous = p
	if short(p, limit) {
		return true, nil
	}
	if w.by == newestFirst && p.oldest.Before(p.newest) {
		w.bound, w.skip = p.oldest, 0
	} else { // a page of one instant: the bound would not get past it, and no order has shown yet
		w.skip += p.records
	}
	return false, nil
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
