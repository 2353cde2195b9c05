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

	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
)

// mostMarks is how many records a set can tell from altered ones, the newest: 40 KB of a journal entry. All others are
// remembered by their ids alone.
const mostMarks = 20_000

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
	Fresh     []bloodhound.Record // to be delivered, sorted as they came
	Duplicate int                 // delivered before
	Late      int                 // fresh ones that are older than the window
	MaxID     int64               // highest id among the records of the window proper; 0 if there is none
	Reused    int64               // an id that this lineage delivered before, as another record; 0 if there is none
	Altered   []Ref               // delivered before, and now otherwise than they were
	Gone      []Ref               // delivered before, and not there any more
	Next      Set                 // the set once Fresh is delivered
}

// Admit splits what was read of a span into new and delivered records, and compares the delivered ones with what they
// were. The records must be sorted. Fresh shares their memory and rearranges it.
//
// A difference is told once: the next set knows an altered record as it is now, and no longer looks for one that is gone.
// A record that is gone stays delivered, in case it comes back.
func (s Set) Admit(span Span, records []bloodhound.Record) Admission {
	var a Admission
	own, earlier := lookup{minutes: s.own}, lookup{minutes: s.earlier}
	ids := union(s.own)
	var marks marker
	fresh, others := make([]bool, len(records)), make([]bool, len(records))
	for i := range records {
		r := &records[i]
		if !r.CreatedAt.Before(span.Window.Start) {
			a.MaxID = max(a.MaxID, r.ID)
		}
		was, known := own.find(r)
		switch {
		case known && was != unmarked && was != marks.mark(r):
			a.Altered = append(a.Altered, Ref{r.ID, r.CreatedAt})
		case !known:
			_, known = earlier.find(r)
			if others[i] = known; !known && contains(ids, r.ID) {
				a.Reused = r.ID
			}
		}
		fresh[i] = !known
	}
	met := collect(records, others, s.matters(span))
	known := s.own
	known, a.Gone = forget(known, met, span)
	a.Next = Set{
		own:     limitMarks(merge(since(known, span.Remembered), since(met, span.Remembered))),
		earlier: since(s.earlier, span.Remembered),
	}
	a.keep(span.Window.Start, records, fresh)
	return a
}

// matters is from when on records have to be looked at closely: what is before is neither remembered nor compared.
func (s Set) matters(span Span) time.Time {
	if len(s.own) > 0 && s.own[0].start().Before(span.Remembered) {
		return s.own[0].start()
	}
	return span.Remembered
}

// keep moves the fresh records up against the last one, so that they are one slice: what was delivered before is at the
// front, as a rule, and then no record of the window is copied.
func (a *Admission) keep(start time.Time, records []bloodhound.Record, fresh []bool) {
	at := len(records)
	for i, isFresh := range slices.Backward(fresh) {
		if !isFresh {
			a.Duplicate++
			continue
		}
		if records[i].CreatedAt.Before(start) {
			a.Late++
		}
		if at--; at != i {
			records[at] = records[i]
		}
	}
	a.Fresh = records[at:]
}

// forget finds the marked records that should have come, since their minutes were read whole, and did not. They lose
// their marks.
func forget(own, met []minute, span Span) (left []minute, gone []Ref) {
	left = own
	for i, m := range own {
		if m.marks == nil || m.start().Before(span.From) || m.end().After(span.Window.End) {
			continue
		}
		came := at(met, m.at)
		marks := slices.Clone(m.marks)
		before := len(gone)
		for k, id := range m.all() {
			if _, ok := came.find(id); !ok && marks[k] != unmarked {
				marks[k] = unmarked
				gone = append(gone, Ref{id, m.start()})
			}
		}
		if len(gone) == before {
			continue
		}
		if before == 0 {
			left = slices.Clone(own)
		}
		left[i].marks = marks
	}
	return left, gone
}

// Knows tells whether a record of that name is in the set.
func (s Set) Knows(r Ref) bool {
	when := minuteOf(r.CreatedAt)
	for _, minutes := range [][]minute{s.own, s.earlier} {
		if _, known := at(minutes, when).find(r.ID); known {
			return true
		}
	}
	return false
}

// Note is the set with one record more, of which only the name is known.
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
