// Package dedup knows the delivered records, and the content that they had at their delivery. It is pure: sets are values, and
// the package does no I/O.
//
// The package names a record by its id and the minute of its creation: a restored database hands out the same ids again, but in
// another minute. The set is small for two reasons. Houndtrail reads only the last time before the cursor again. And the ids
// come from a sequence, so the ids of a minute are a few runs.
package dedup

import (
	"maps"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// FirstHole is the lowest id that names a hole and no record, see [Set.Note].
const FirstHole int64 = 1 << 62

// A Set holds the delivered records that were created at or after some instant. The zero value is empty.
type Set struct {
	own     []minute // the minutes of this lineage, by time; no method changes them
	earlier []minute // the minutes of the lineages before an accepted reset: the server may hand out their ids again
}

// A Ref names a record.
type Ref struct {
	ID        int64
	CreatedAt time.Time // only to the minute if Houndtrail knows no more
}

// A Span describes the records that Houndtrail read for a window.
type Span struct {
	From       time.Time // no later than the window's start
	Window     window.Window
	Remembered time.Time // the next set knows the delivered records from then on
}

// An Admission says which records of a span are new, and which delivered ones have changed.
type Admission struct {
	Fresh     []record.Record // records that were not delivered yet, in the order in which they came
	Duplicate int             // records that were delivered before
	Late      int             // fresh records that are older than the window
	MaxID     int64           // the highest id of the window proper; 0 if it has no records
	Reused    int64           // an id that this lineage has delivered before, for another record; 0 if there is none
	Altered   []Ref           // delivered records that the source has changed since; see mostShared for busy minutes
	Gone      []Ref           // delivered records that the log has no more
	Next      Set             // the set once Fresh is delivered
}

// Admit splits the records of a span into new and delivered ones, and compares the delivered ones with their earlier content.
// The records must be sorted. Fresh shares their memory and rearranges it.
//
// Admit tells a difference only once: the next set knows an altered record with its new content, and no longer expects a gone
// one. A gone record still counts as delivered, because it may come back.
func (s Set) Admit(span Span, read []record.Record) Admission {
	a, fresh := s.admit(span, records(read))
	a.Fresh = gather(read, fresh)
	return a
}

// admit tells which rows are new.
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

// matters is the instant from which on Admit has to look at each record. It does not remember or compare earlier records.
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

// Note returns the set with one more hole. A hole is a record that the server could not return; its id is from [FirstHole] on.
func (s Set) Note(r Ref, remembered time.Time) Set {
	m := minute{at: minuteOf(r.CreatedAt), runs: []run{{r.ID, r.ID}}}
	return Set{own: merge(s.own, since([]minute{m}, remembered)), earlier: s.earlier}
}

// Retire returns the set for the lineage that an accepted reset begins. It knows all delivered records, and the server may hand
// out their ids again.
func (s Set) Retire() Set { return Set{earlier: merge(s.earlier, unmark(s.own))} }

// With returns the set that knows the records of both sets.
func (s Set) With(other Set) Set {
	return Set{own: merge(s.own, other.own), earlier: merge(s.earlier, other.earlier)}
}

// A Builder makes a set of delivered records from any source. The caller may add the records in any order.
type Builder struct{ ids map[int64][]int64 }

// Add adds a delivered record.
func (b *Builder) Add(id int64, createdAt time.Time) {
	if b.ids == nil {
		b.ids = map[int64][]int64{}
	}
	at := minuteOf(createdAt)
	b.ids[at] = append(b.ids[at], id)
}

// Set returns the set of the added records. The set has no marks, so Admit compares none of these records with their earlier
// content.
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
