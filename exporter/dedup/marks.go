package dedup

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
	"time"
)

// A minute marks its records. By the marks, Admit can later tell whether a record was altered or is gone. The number of its
// marks is a power of two. A record belongs to the mark whose number is the end of the record's id. The mark is the XOR of
// marker.mark of all its records, so a minute can add records later. In a minute of few records, each record has its own mark.
// In a busy minute, some records share a mark. If one of them changes, Admit sees the change, but not which record it is.
const (
	// mostShared is how many marks a minute may have. If a minute has more records, and one of them was altered, Admit names the
	// first of the records that share its mark.
	mostShared = 8
	// mostMarks is how many marks a set may have: 4 KB. Its newest minutes have them. Of older records, it remembers only the ids.
	mostMarks = 2048
)

// unmarked stands for records that Admit does not compare. Once in 65,536 times, the XOR of some records has this value: then
// these records have no mark.
const unmarked uint16 = 0

// marksFor is how many marks n records of a minute get.
func marksFor(n int) int { return min(1<<bits.Len(uint(max(n, 1)-1)), mostShared) }

// A met record is a record that Houndtrail read for the span, and that is of this lineage.
type met struct {
	id    int64
	index int // its index among the records read
}

// A metMinute has the met records of one minute, by id, each once.
type metMinute struct {
	at      int64
	records []met
}

// A comparison compares the records read for a span with the delivered ones.
type comparison struct {
	span   Span
	rows   rows
	marker marker
	marked int64 // the first minute that may get marks

	altered, gone []Ref
}

// collect puts the records from an instant on into minutes, without those of other lineages. The records are sorted by time.
func (c *comparison) collect(others []bool, from time.Time) (minutes []metMinute) {
	first := sort.Search(c.rows.size(), func(i int) bool { return !c.rows.name(i).CreatedAt.Before(from) })
	for i := first; i < c.rows.size(); i++ {
		if others[i] {
			continue
		}
		r := c.rows.name(i)
		at := minuteOf(r.CreatedAt)
		if n := len(minutes); n == 0 || minutes[n-1].at != at {
			minutes = append(minutes, metMinute{at: at})
		}
		last := &minutes[len(minutes)-1]
		last.records = append(last.records, met{r.ID, i})
	}
	marks := 0
	for i := range slices.Backward(minutes) {
		m := &minutes[i]
		slices.SortStableFunc(m.records, func(a, b met) int { return cmp.Compare(a.id, b.id) })
		m.records = slices.CompactFunc(m.records, func(a, b met) bool { return a.id == b.id })
		if marks += marksFor(len(m.records)); marks <= mostMarks {
			c.marked = m.at
		}
	}
	return minutes
}

// meet returns the minutes of the next set: with the delivered records, and with the met records, which will be delivered.
func (c *comparison) meet(own []minute, minutes []metMinute) []minute {
	all := make([]minute, 0, len(own)+len(minutes))
	for _, m := range minutes {
		for len(own) > 0 && own[0].at < m.at {
			all, own = append(all, c.minute(own[0], nil)), own[1:]
		}
		known := minute{at: m.at}
		if len(own) > 0 && own[0].at == m.at {
			known, own = own[0], own[1:]
		}
		all = append(all, c.minute(known, m.records))
	}
	for _, m := range own {
		all = append(all, c.minute(m, nil))
	}
	return all
}

// A shared mark tells which records came, among the records that share the mark.
type shared struct {
	was     uint16
	present uint16  // the mark of the records that came and were delivered before
	fresh   uint16  // the mark of the records that came and were not delivered before
	first   met     // the first of the present ones
	came    int     // how many records of the mark came
	missing []int64 // the delivered records that did not come
}

// minute compares one minute. It returns the minute that the next set remembers.
func (c *comparison) minute(known minute, came []met) minute {
	whole := !known.start().Before(c.span.From) && !known.end().After(c.span.Window.End)
	if len(came) == 0 && (known.marks == nil || !whole) {
		return known
	}
	next := minute{at: known.at, runs: union([]minute{known, {runs: runsOf(came)}})}
	if known.marks == nil && known.at < c.marked {
		return next
	}
	complete := (minute{runs: runsOf(came)}).covers(known)
	if known.marks != nil {
		next.marks = c.compare(known, came, whole)
	}
	if complete {
		next.marks = make([]uint16, marksFor(len(came)))
		for _, r := range came {
			next.marks[r.id&int64(len(next.marks)-1)] ^= c.rows.mark(r.index, &c.marker)
		}
	}
	if !slices.ContainsFunc(next.marks, func(mark uint16) bool { return mark != unmarked }) {
		next.marks = nil
	}
	return next
}

// compare tells which records are altered or gone. It returns the present marks. If Houndtrail did not read the whole minute,
// compare says of no record that it is gone. It compares a mark only if all records of the mark came.
func (c *comparison) compare(known minute, came []met, whole bool) []uint16 {
	marks := slices.Clone(known.marks)
	for i, s := range c.share(known, came) {
		switch lost := len(s.missing) > 0; {
		case !lost:
			if s.came > 0 && s.was != unmarked && s.was != s.present {
				c.altered = append(c.altered, c.rows.name(s.first.index))
			}
			marks[i] = s.present ^ s.fresh
		case s.was == unmarked:
		case !whole:
			marks[i] ^= s.fresh
		default: // compare says only once that a record is gone; the record may come back
			for _, id := range s.missing {
				c.gone = append(c.gone, Ref{id, known.start()})
			}
			marks[i] = unmarked
		}
	}
	return marks
}

// share sorts the records by the marks of a minute: those that came, and those that did not.
func (c *comparison) share(known minute, came []met) []shared {
	all := make([]shared, len(known.marks))
	for i, was := range known.marks {
		all[i].was = was
	}
	of := func(id int64) *shared { return &all[id&int64(len(all)-1)] }
	for _, r := range came {
		s, mark := of(r.id), c.rows.mark(r.index, &c.marker)
		if !known.has(r.id) {
			s.fresh ^= mark
			continue
		}
		if s.came++; s.came == 1 {
			s.first = r
		}
		s.present ^= mark
	}
	for id := range known.ids() {
		_, found := slices.BinarySearchFunc(came, id, func(r met, id int64) int { return cmp.Compare(r.id, id) })
		if !found && id < FirstHole {
			of(id).missing = append(of(id).missing, id)
		}
	}
	return all
}

func runsOf(came []met) (runs []run) {
	for _, r := range came {
		if n := len(runs); n > 0 && runs[n-1].last == r.id-1 {
			runs[n-1].last = r.id
		} else {
			runs = append(runs, run{r.id, r.id})
		}
	}
	return runs
}

// unmark returns the minutes without their marks.
func unmark(minutes []minute) []minute {
	bare := slices.Clone(minutes)
	for i := range bare {
		bare[i].marks = nil
	}
	return bare
}

// limitMarks removes the marks, except those of the newest minutes.
func limitMarks(minutes []minute) []minute {
	n := 0
	for i, m := range slices.Backward(minutes) {
		if n += len(m.marks); n > mostMarks {
			return slices.Concat(unmark(minutes[:i+1]), minutes[i+1:])
		}
	}
	return minutes
}
