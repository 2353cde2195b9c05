package dedup

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
	"time"
)

// A minute marks its records to tell later whether one was altered or is gone. It has a power of two of marks. Each mark is the
// XOR of marker.mark of all records whose id ends in the mark's number, so that more records can be added to it. In a minute of
// few records each has a mark of its own. In a busy minute some share a mark: a change is still seen, but not in which of these
// records.
const (
	// mostShared is how many marks a minute may have. If a minute has more records, Admit names an altered one by the first of
	// those that share its mark.
	mostShared = 8
	// mostMarks is how many marks a set may have, in its newest minutes: 4 KB. For older records it remembers the ids alone.
	mostMarks = 2048
)

// unmarked stands for records that Admit does not compare. Once in 65,536 times it is the XOR of some records: they then have
// no mark.
const unmarked uint16 = 0

// marksFor is how many marks n records of a minute get.
func marksFor(n int) int { return min(1<<bits.Len(uint(max(n, 1)-1)), mostShared) }

// A met record is one that was read, and that is not of an earlier lineage.
type met struct {
	id    int64
	index int // among the records read
}

// A metMinute has the met records of a minute, by id and each once.
type metMinute struct {
	at      int64
	records []met
}

// A comparison compares the records read of a span with the delivered ones.
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

// meet returns the minutes of the delivered records once the met records are delivered as well.
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

// A shared mark says which records that share a mark were met.
type shared struct {
	was     uint16
	present uint16  // the mark of the records that were delivered before, and came
	fresh   uint16  // of the records that came, and were not delivered before
	first   met     // the first of the present ones
	came    int     // how many are present
	missing []int64 // delivered, and did not come
}

// minute compares one minute, and returns the minute that the next set remembers.
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

// compare tells the altered and gone records, and returns the present marks. If a minute was not read whole, compare tells no
// record of it as gone. It compares a mark only if all its records came.
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
		default: // compare tells a gone record once, and it may come back
			for _, id := range s.missing {
				c.gone = append(c.gone, Ref{id, known.start()})
			}
			marks[i] = unmarked
		}
	}
	return marks
}

// share sorts the records that came, and those that did not, by the marks of a minute.
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

// unmark returns the minutes without the marks.
func unmark(minutes []minute) []minute {
	bare := slices.Clone(minutes)
	for i := range bare {
		bare[i].marks = nil
	}
	return bare
}

// limitMarks removes the marks of all but the newest minutes.
func limitMarks(minutes []minute) []minute {
	n := 0
	for i, m := range slices.Backward(minutes) {
		if n += len(m.marks); n > mostMarks {
			return slices.Concat(unmark(minutes[:i+1]), minutes[i+1:])
		}
	}
	return minutes
}
