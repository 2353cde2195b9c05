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
// The next page begins at the oldest created_at that the walk has seen. The bound is inclusive, so two neighbouring pages share
// the row at their edge. The scanner drops repeats by id. So no row can be lost between two pages, even if the server inserts
// rows meanwhile. The walk uses skip only if the bound cannot move: inside one instant that fills a page, and on a server that
// does not answer newest first.
//
// If an instant fills a page, the walk reads it as a part of its own, and then the span on either side of it. So if rows come
// in elsewhere, or a replica lacks rows elsewhere, the pages of the instant do not shift. The last page of the instant says
// nothing about the other parts. Inside the instant each page begins with the last row of the previous one. If a page begins
// further on, it comes from a replica that lacks some of the earlier rows: then the walk skips fewer rows.
type walk struct {
	from  time.Time // the newest instant of the span
	part  part      // the part that the walk reads at the moment
	parts []part    // the parts that it still has to read, the next one last

	bound    time.Time // the before of the next request
	skip     int
	by       order
	shown    bool // a page has shown this order
	previous page.Ends
	repeated bool // a page of the part has come twice already

	last int64 // id of the instant's last row so far; 0 for none
	back int   // how often the walk has stepped back
	step int   // by how many rows it stepped back last; 0 if the page after that followed the previous one
}

// mostBack is how often the walk may step back in one instant.
const mostBack = 500

// A part of a span of time, both ends inclusive.
type part struct {
	after, before time.Time

	skip  int   // how many of its rows the walk has read
	last  int64 // id of the last row that it read, if the next page is to begin with that row; 0 if not
	later bool  // the part may have rows that are later than the walk's first page
}

func (p part) empty() bool { return p.before.Before(p.after) }

func (p part) instant() bool { return p.before.Equal(p.after) }

// order is what a server has shown about the order of its answers.
type order int

const (
	newestFirst order = iota
	unordered         // the walk pages by skip, with a fixed bound
)

func newWalk(after, before time.Time) walk {
	whole := part{after: after.Truncate(grain), before: before.Truncate(grain)} // as the server sends them
	return walk{from: whole.before, part: whole, bound: whole.before}
}

// stretch is how much larger than the page size a page may be.
const stretch = 1.1

// limit is how many records to ask for. It depends on the page size, and on the number of records that the walk has read. It is
// a little more than the page size if the rest of the span then probably needs one page less.
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

// query is the next request. Sorting by id makes the order total. Without it, the rows of one instant come in another order in
// each answer, and pages miss some of them.
func (w *walk) query(limit int) Query {
	return Query{Bounded: true, After: w.part.after, Before: w.bound, Skip: w.skip, Limit: limit, SortBy: NewestFirst()}
}

// advance takes the answer to the query with that limit. It tells whether the walk has read the span to its end.
func (w *walk) advance(p page.Ends, limit int) (done bool, err error) {
	if w.shifted(p) {
		w.previous = page.Ends{}
		return false, w.stepBack(limit)
	}
	w.step = 0
	if p.Records == 0 {
		w.shown = w.shown || w.part.later && w.bound.Equal(w.part.before) // then the first page had the latest rows
		return w.next(), nil
	}
	if p.Outside(w.part.after, w.bound) { // advance knows only the page's ends; the scan checks every record
		id, at := p.Last, p.Oldest
		if p.Newest.After(w.bound) {
			id, at = p.First, p.Newest
		}
		return false, strayError(id, at, w.part.after, w.bound)
	}
	// The page has come before. Either the server ignores skip, or as many new rows as the query skips have come in before it. If
	// this happens a second time, the walk decides that the server ignores skip.
	again := w.skip > 0 && p.First == w.previous.First && p.Last == w.previous.Last && p.Records == w.previous.Records
	if again && w.repeated {
		return false, w.deafError(p.Records)
	}
	ascends := !p.NewestFirst && w.by == newestFirst
	if again || ascends {
		// The rows read so far stay in the batch. Reading them again costs a page or two, and the scanner drops repeats by id.
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
	case w.by == unordered, p.Records == p.Refused: // the page does not show how far it reaches
		w.skip, w.last = w.skip+p.Records, 0
	case p.Oldest.Before(p.Newest):
		w.bound, w.skip, w.shown = p.Oldest, 0, true
	case p.Records < limit && p.Limit < 0: // this is probably the last page
		w.skip, w.last = w.skip+p.Records, 0
	case w.part.instant():
		w.pass(p)
	default: // the page has one instant only: the bound would not move past it
		w.enter(p)
	}
	return false, nil
}

// shifted tells that a page of an instant is empty, or begins after the last row of the previous page.
func (w *walk) shifted(p page.Ends) bool {
	return w.last != 0 && w.skip > 0 && p.Refused == 0 && (p.Records == 0 || p.First < w.last)
}

// stepBack skips fewer rows, in growing steps, until a page follows the end of the previous one.
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

// pass goes on after a page of the instant. If the highest id comes first, it goes on at the page's last row.
func (w *walk) pass(p page.Ends) {
	w.skip, w.last = w.skip+p.Records, 0
	if p.Refused == 0 && p.First > p.Last {
		w.skip, w.last = w.skip-1, p.Last
	}
}

// enter makes a part of the instant that fills a page. As long as no page has shown the order, there may be rows that are later
// than that instant. The walk reads these before the rest of the instant. So at every moment it has read everything after the
// bound.
func (w *walk) enter(p page.Ends) {
	instant := p.Oldest
	if before := (part{after: w.part.after, before: instant.Add(-grain)}); !before.empty() {
		w.parts = append(w.parts, before)
	}
	later := part{after: instant.Add(grain), before: w.bound, later: true}
	w.part, w.bound, w.back = part{after: instant, before: instant}, instant, 0
	w.skip = -p.Refused // the refused rows may be of another instant
	w.pass(p)
	if !w.shown && !later.empty() {
		w.part.skip, w.part.last = w.skip, w.last
		w.parts = append(w.parts, w.part, later)
		w.next()
	}
}

// next goes on with the next part. It returns true if there is none.
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

// short tells whether a page ends the span, or is full. If a server applied a smaller limit than the client asked for, its
// envelope says so. If the envelope has no limit (as in the documentation), only an empty page ends the span.
func short(p page.Ends, limit int) bool {
	if p.Limit < 0 {
		return false
	}
	if p.Limit > 0 && p.Limit < int64(limit) {
		return int64(p.Records) < p.Limit
	}
	return p.Records < limit
}
