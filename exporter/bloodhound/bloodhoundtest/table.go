package bloodhoundtest

import (
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// table is the audit table. It is sorted when rows come in, so the cost of a page depends on the page and not on the size of the
// table. It does no locking. An entry never changes after it is in, so a reader may keep entries.
type table struct {
	dated   []*entry // by (created_at, id)
	undated []*entry // created_at is NULL
	visible []int64  // of both, sorted: how many rows there are at an instant
	last    int64    // highest id handed out; only a restore lowers it
}

// few is up to how many rows add inserts each in its place. If there are more, it appends them and sorts.
const few = 16

func (t *table) add(rows []Row) {
	bulk := len(rows) > few
	for _, r := range rows {
		if r.ID == 0 {
			r.ID = t.last + 1
		}
		t.last = max(t.last, r.ID)
		e := newEntry(r)
		switch {
		case e.CreatedAt.IsZero():
			t.undated = append(t.undated, e)
		case bulk:
			t.dated = append(t.dated, e)
		default:
			i, _ := slices.BinarySearchFunc(t.dated, e, compareEntries)
			t.dated = slices.Insert(t.dated, i, e)
		}
		if bulk {
			t.visible = append(t.visible, e.visible)
			continue
		}
		i, _ := slices.BinarySearch(t.visible, e.visible)
		t.visible = slices.Insert(t.visible, i, e.visible)
	}
	if bulk {
		slices.SortFunc(t.dated, compareEntries)
		slices.Sort(t.visible)
	}
}

// remove deletes the dated rows with from <= created_at < to, and returns their number.
func (t *table) remove(from, to int64) int {
	lo, hi := t.from(from), t.from(to)
	if lo >= hi {
		return 0
	}
	t.dated = slices.Delete(t.dated, lo, hi)
	t.reckon()
	return hi - lo
}

// take takes out the entries that match, and returns them.
func (t *table) take(match func(*entry) bool) (taken []*entry) {
	for _, set := range []*[]*entry{&t.undated, &t.dated} {
		*set = slices.DeleteFunc(*set, func(e *entry) bool {
			if !match(e) {
				return false
			}
			taken = append(taken, e)
			return true
		})
	}
	if len(taken) > 0 {
		t.reckon()
	}
	return taken
}

// reckon computes visible anew.
func (t *table) reckon() {
	t.visible = t.visible[:0]
	for _, set := range [][]*entry{t.undated, t.dated} {
		for _, e := range set {
			t.visible = append(t.visible, e.visible)
		}
	}
	slices.Sort(t.visible)
}

// from is the index of the first dated row at or after an instant.
func (t *table) from(at int64) int {
	return sort.Search(len(t.dated), func(i int) bool { return t.dated[i].at >= at })
}

// count is the answer to count(*) with the filters and without the window.
func (t *table) count(filters []filter, now int64) int {
	if len(filters) == 0 {
		return t.seen(now)
	}
	n := 0
	for _, set := range [][]*entry{t.undated, t.dated} {
		for _, e := range set {
			if e.visible <= now && matches(filters, e) {
				n++
			}
		}
	}
	return n
}

// seen is how many rows are visible at an instant.
func (t *table) seen(now int64) int {
	return sort.Search(len(t.visible), func(i int) bool { return t.visible[i] > now })
}

// pick reads one page and tells how many matching rows it had to walk past before it.
//
// It shuffles rows that are equal in the order, differently for each request, as a database without a complete order may do.
func (t *table) pick(q query, now int64, shuffle *rand.Rand) (page []*entry, skipped int) {
	span := t.dated[t.from(q.after):max(t.from(q.after), t.from(q.before+1))]
	skip := max(q.skip, 0)
	if len(q.filters) == 0 && q.order.by == api.NewestFirst && t.seen(now) == len(t.visible) {
		span, skipped = leap(span, skip)
		skip -= skipped
	}
	var ties []*entry
	for len(span) > 0 && len(page) < q.rows() {
		var group []*entry
		group, span = q.order.next(span)
		ties = ties[:0]
		for _, e := range group {
			if e.visible <= now && matches(q.filters, e) {
				ties = append(ties, e)
			}
		}
		if skip >= len(ties) {
			skip -= len(ties)
			skipped += len(ties)
			continue
		}
		q.order.arrange(ties, shuffle)
		ties = ties[skip:]
		page = append(page, ties[:min(len(ties), q.rows()-len(page))]...)
		skipped += skip
		skip = 0
	}
	return page, skipped
}

// leap drops groups of equal created_at from the newest end, as long as skip covers the whole group.
func leap(span []*entry, skip int) (rest []*entry, skipped int) {
	if skip >= len(span) {
		return nil, len(span)
	}
	at := span[len(span)-1-skip].at
	end := sort.Search(len(span), func(i int) bool { return span[i].at > at })
	return span[:end], len(span) - end
}

// monthsBefore is the start of the month that lies n months before the month of now.
func monthsBefore(now time.Time, n int) time.Time {
	return time.Date(now.UTC().Year(), now.UTC().Month()-time.Month(n), 1, 0, 0, 0, 0, time.UTC)
}
