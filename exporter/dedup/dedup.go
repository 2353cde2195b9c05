// Package dedup knows which records were delivered, and what they looked like. It is pure: sets are values, and nothing
// here does I/O.
//
// A record is told by its id and the minute that it was created in: a restored database hands ids out again, and then
// the minute is another one. The memory is small because only the last time before the cursor is read again, and because
// ids come from a sequence: the ids of a minute are a few runs.
package dedup

import (
	"maps"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// FirstHole is the least id that names no record but a hole, see [Set.Note].
const FirstHole int64 = 1 << 62

// A Set holds the delivered records that were created at or after some instant. The zero value is empty.
type Set struct {
	own     []minute // of this lineage, by time; never changed once the Set is made
	earlier []minute // of the lineages before an accepted reset: their ids may be handed out again
}

// A Ref names a record.
type Ref struct {
	ID        int64
	CreatedAt time.Time // to the minute if only that is known
}

// A Span is what was read for a window.
type Span struct {
	From       time.Time // no later than the window's start
	Window     window.Window
	Remembered time.Time // from when on the next set knows what was delivered
}

// An Admission says what became of the records of a span.
type Admission struct {
	Fresh     []record.Record // to be delivered, sorted as they came
	Duplicate int             // delivered before
	Late      int             // fresh ones that are older than the window
	MaxID     int64           // highest id among the records of the window proper; 0 if there is none
	Reused    int64           // an id that this lineage delivered before, as another record; 0 if there is none
	Altered   []Ref           // delivered before, and now otherwise than they were; see mostShared for busy minutes
	Gone      []Ref           // delivered before, and not there any more
	Next      Set             // the set once Fresh is delivered
}

// Admit splits what was read of a span into new and delivered records, and compares the delivered ones with what they
// were. The records must be sorted. Fresh shares their memory and rearranges it.
//
// A difference is told once: the next set knows an altered record as it is now, and no longer looks for one that is gone.
// A record that is gone stays delivered, in case it comes back.
func (s Set) Admit(span Span, read []record.Record) Admission {
	a, fresh := s.admit(span, records(read))
	a.Fresh = gather(read, fresh)
	return a
}

// admit tells which rows are to be delivered.
func (s Set) admit(span Span, read rows) (a Admission, fresh []bool) {
	own, earlier := lookup{minutes: s.own}, lookup{minutes: s.earlier}
	ids := union(s.own)
	fresh, others := make([]bool, read.size()), make([]bool, read.size())
	for i := range fresh {
		r := read.name(i)
		late := r.CreatedAt.Before(span.Window.Start)
		if !late {
			a.MaxID = max(a.MaxID, r.ID)
		}
		known := own.has(r)
		if !known {
			known = earlier.has(r)
			if others[i] = known; !known && contains(ids, r.ID) {
				a.Reused = r.ID
			}
		}
		switch fresh[i] = !known; {
		case known:
			a.Duplicate++
		case late:
			a.Late++
		}
	}
	c := comparison{span: span, rows: read}
	met := c.meet(s.own, c.collect(others, s.matters(span)))
	a.Altered, a.Gone = c.altered, c.gone
	a.Next = Set{
		own:     limitMarks(since(met, span.Remembered)),
		earlier: since(s.earlier, span.Remembered),
	}
	return a, fresh
}

// matters is from when on records have to be looked at closely: what is before is neither remembered nor compared.
func (s Set) matters(span Span) time.Time {
	if len(s.own) > 0 && s.own[0].start().Before(span.Remembered) {
		return s.own[0].start()
	}
	return span.Remembered
}

// Knows tells whether a record of that name, or a hole, is in the set.
func (s Set) Knows(r Ref) bool {
	when := minuteOf(r.CreatedAt)
	for _, minutes := range [][]minute{s.own, s.earlier} {
		if at(minutes, when).has(r.ID) {
			return true
		}
	}
	return false
}

// Note is the set with one hole more: a record that could not be had, by an id from [FirstHole] on.
func (s Set) Note(r Ref, remembered time.Time) Set {
	m := minute{at: minuteOf(r.CreatedAt), runs: []run{{r.ID, r.ID}}}
	return Set{own: merge(s.own, since([]minute{m}, remembered)), earlier: s.earlier}
}

// Retire is the set for the lineage that an accepted reset begins: what was delivered is known, and its ids may be handed
// out again.
func (s Set) Retire() Set { return Set{earlier: merge(s.earlier, unmark(s.own))} }

// With is the set that knows what either knows.
func (s Set) With(other Set) Set {
	return Set{own: merge(s.own, other.own), earlier: merge(s.earlier, other.earlier)}
}

// A Builder makes the set of records that were delivered, from wherever that is known. They come in any order.
type Builder struct{ ids map[int64][]int64 }

// Add takes in a delivered record.
func (b *Builder) Add(id int64, createdAt time.Time) {
	if b.ids == nil {
		b.ids = map[int64][]int64{}
	}
	at := minuteOf(createdAt)
	b.ids[at] = append(b.ids[at], id)
}

// Set is the set of what was added. It compares none of the records with what they were.
func (b *Builder) Set() Set {
	var s Set
	for _, at := range slices.Sorted(maps.Keys(b.ids)) {
		m := minute{at: at}
		for _, id := range b.ids[at] {
			m.runs = append(m.runs, run{id, id})
		}
		m.runs = join(m.runs)
		s.own = append(s.own, m)
	}
	return s
}

// Len is how many records the set knows.
func (s Set) Len() (n int) {
	for _, m := range slices.Concat(s.own, s.earlier) {
		n += m.count()
	}
	return n
}
