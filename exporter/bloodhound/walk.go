package bloodhound

import (
	"fmt"
	"math"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
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
// Inside it each page begins with the last row of the previous one. A page that begins further on comes from a replica that
// lacks some of the rows before it: then less is skipped.
type walk struct {
	from  time.Time // its newest instant
	part  part      // which is being read
	parts []part    // still to be read, the next one last

	bound    time.Time // before of the next request
	skip     int
	by       order
	shown    bool // a page has shown that order
	previous page.Ends
	repeated bool // one page of the part came twice already

	last int64 // id of the last row of the instant that was read; 0 for none
	back int   // how often less was skipped
	step int   // by how much the last time; 0 if the page went on from there
}

// mostBack is how often less is skipped in one instant.
const mostBack = 500

// A part of a span of time, both ends inclusive.
type part struct {
	after, before time.Time

	skip  int   // how many of its rows are read
	last  int64 // id of the last one of them, if the next page is to begin with it; 0 if not
	later bool  // rows that are later than those which came first
}

func (p part) empty() bool { return p.before.Before(p.after) }

func (p part) instant() bool { return p.before.Equal(p.after) }

// order is what a server has shown about the order of its answers.
type order int

const (
	newestFirst order = iota
	unordered         // page by skip under a fixed bound
)

func newWalk(after, before time.Time) walk {
	whole := part{after: after.Truncate(grain), before: before.Truncate(grain)} // as they are sent
	return walk{from: whole.before, part: whole, bound: whole.before}
}

// stretch is how much more than its size a page may have.
const stretch = 1.1

// limit is how many records to ask for where a page has so many: some more if it seems, by what was read, that the rest of the
// span then takes a page less.
func (w *walk) limit(page, read int) int {
	covered, rest := w.from.Sub(w.bound), w.bound.Sub(w.part.after)
	if covered <= 0 || w.skip > 0 || w.by != newestFirst || len(w.parts) > 0 {
		return page
	}
	const noise = 1.05
	left := float64(read) * float64(rest) / float64(covered)
	most := stretch * float64(page)
	each := noise * left / math.Ceil(left/most)
	return max(page, int(min(each, most)))
}

// query is the next request. Sorting by id makes the order total: without it rows of one instant come in any order,
// another one in each answer, and pages lose some of them.
func (w *walk) query(limit int) Query {
	return Query{Bounded: true, After: w.part.after, Before: w.bound, Skip: w.skip, Limit: limit, SortBy: NewestFirst()}
}

// advance takes in the answer to the query with that limit and tells whether the span is read to its end.
func (w *walk) advance(p page.Ends, limit int) (done bool, err error) {
	if w.shifted(p) {
		w.previous = page.Ends{}
		return false, w.stepBack(limit)
	}
	w.step = 0
	if p.Records == 0 {
		w.shown = w.shown || w.part.later && w.bound.Equal(w.part.before) // what came first was the latest
		return w.next(), nil
	}
	if p.Outside(w.part.after, w.bound) { // told by the page's ends: the scan looks at every record
		id, at := p.Last, p.Oldest
		if p.Newest.After(w.bound) {
			id, at = p.First, p.Newest
		}
		return false, strayError(id, at, w.part.after, w.bound)
	}
	// The same page again: skip is ignored, or as many rows as it skips have come in ahead of it since. The second time it
	// is not that.
	again := w.skip > 0 && p.First == w.previous.First && p.Last == w.previous.Last && p.Records == w.previous.Records
	if again && w.repeated {
		return false, w.deafError(p.Records)
	}
	ascends := !p.NewestFirst && w.by == newestFirst
	if again || ascends {
		// What has been read stays in the batch; reading it again costs a page or two and drops out by id.
		w.bound, w.skip, w.last, w.previous, w.repeated = w.part.before, 0, 0, page.Ends{}, again
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
	case w.by == unordered, p.Records == p.Refused: // it does not say how far it reaches
		w.skip, w.last = w.skip+p.Records, 0
	case p.Oldest.Before(p.Newest):
		w.bound, w.skip, w.shown = p.Oldest, 0, true
	case p.Records < limit && p.Limit < 0: // the last page, most likely
		w.skip, w.last = w.skip+p.Records, 0
	case w.part.instant():
		w.pass(p)
	default: // a page of one instant: the bound would not get past it
		w.enter(p)
	}
	return false, nil
}

// shifted tells that a page of an instant does not begin where the previous one ended.
func (w *walk) shifted(p page.Ends) bool {
	return w.last != 0 && w.skip > 0 && p.Refused == 0 && (p.Records == 0 || p.First < w.last)
}

// stepBack skips less, each time more so, until a page goes on from where the last one ended.
func (w *walk) stepBack(limit int) error {
	if w.back++; w.back > mostBack {
		return fmt.Errorf("the rows of %s come in another order each time, so none of its pages can be trusted to go on from the "+
			"previous one, and nothing of the window is used; do several servers answer at this address that do not have the same "+
			"log? Raise %s above the number of rows of that instant, or run again later", page.FormatTime(w.bound), setting.BloodHoundPageSize)
	}
	w.step = max(limit, 2*w.step)
	w.skip = max(0, w.skip-w.step)
	return nil
}

// pass goes on behind a page of the instant, or at its last row if the highest id comes first.
func (w *walk) pass(p page.Ends) {
	w.skip, w.last = w.skip+p.Records, 0
	if p.Refused == 0 && p.First > p.Last {
		w.skip, w.last = w.skip-1, p.Last
	}
}

// enter makes a part of the instant that fills a page. As long as no order has shown, there may be later rows than those
// that came first: these are read before it, so that everything after the bound is always done with.
func (w *walk) enter(p page.Ends) {
	instant := p.Oldest
	if before := (part{after: w.part.after, before: instant.Add(-grain)}); !before.empty() {
		w.parts = append(w.parts, before)
	}
	later := part{after: instant.Add(grain), before: w.bound, later: true}
	w.part, w.bound, w.back = part{after: instant, before: instant}, instant, 0
	w.skip = -p.Refused // where those are, is not known
	w.pass(p)
	if !w.shown && !later.empty() {
		w.part.skip, w.part.last = w.skip, w.last
		w.parts = append(w.parts, w.part, later)
		w.next()
	}
}

// next goes on with the next part, and tells whether there is none.
func (w *walk) next() (done bool) {
	last := len(w.parts) - 1
	if last < 0 {
		return true
	}
	w.part, w.parts = w.parts[last], w.parts[:last]
	w.bound, w.skip, w.last = w.part.before, w.part.skip, w.part.last
	w.previous, w.repeated, w.back = page.Ends{}, false, 0
	return false
}

func (w *walk) deafError(records int) error {
	return fmt.Errorf("the server sent the same page of %d records again for skip=%d: it ignores skip and offset, "+
		"so the records behind it cannot be reached, and nothing of the window is used; raise %s above %d",
		records, w.skip, setting.BloodHoundPageSize, records)
}

// short tells a page that ends the span from one that is full. A server that applied a smaller limit than was asked
// says so in its envelope; one that says nothing (the documented envelope) has only an empty page to end with.
func short(p page.Ends, limit int) bool {
	if p.Limit < 0 {
		return false
	}
	if p.Limit > 0 && p.Limit < int64(limit) {
		return int64(p.Records) < p.Limit
	}
	return p.Records < limit
}
