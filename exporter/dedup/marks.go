package dedup

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
	"time"
)

// A minute marks its records to tell later on whether one was altered or is gone. There is a power of two of marks; each is
// the XOR of what marker.mark makes of the records whose id ends in its number, so that it can be added to. In a minute of few
// records each has a mark of its own; in a busy one some share it: then a change is seen all the same, and only known to be
// of one of these.
const (
	// mostShared is how many marks a minute may have. Of a minute with more records an altered one is named by the first
	// of those that share its mark.
	mostShared = 8
	// mostMarks is how many a set may have, in its newest minutes: 4 KB. What is older is remembered by ids alone.
	mostMarks = 2048
)

// unmarked stands for records that are not compared. Once in 65,536 times it is the XOR of some: they go without.
const unmarked uint16 = 0

// marksFor is how many marks n records of a minute get.
func marksFor(n int) int { return min(1<<bits.Len(uint(max(n, 1)-1)), mostShared) }

// A met record is one that was read, and is not one of an earlier lineage.
type met struct {
	id    int64
	index int // in what was read
}

// A metMinute is what was met of a minute, by id and each once.
type metMinute struct {
	at      int64
	records []met
}

// A comparison holds what was read of a span against what was delivered of it.
type comparison struct {
	span   Span
	rows   rows
	marker marker
	marked int64 // the first minute that may get marks

	altered, gone []Ref
}

// collect makes minutes of the records from an instant on, which are sorted by time, without those of other lineages.
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

// meet is the delivered records once those that were met are delivered as well.
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

// A shared mark is what was met of the records that share one.
type shared struct {
	was     uint16
	present uint16  // the mark of those that were delivered before, and came
	fresh   uint16  // of those that were not
	first   met     // of those present
	came    int     // how many are present
	missing []int64 // delivered, and did not come
}

// minute compares one minute and returns it as it is to be remembered.
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

// compare tells what is not as it was, and returns the marks as they are now. Of a minute that was not read whole nothing
// can be gone, and only marks of which all records came can be compared.
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
		default: // it is told once, and may come back
			for _, id := range s.missing {
				c.gone = append(c.gone, Ref{id, known.start()})
			}
			marks[i] = unmarked
		}
	}
	return marks
}

// share sorts what came, and what did not, by the marks of a minute.
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

// unmark is the minutes without the marks.
func unmark(minutes []minute) []minute {
	bare := slices.Clone(minutes)
	for i := range bare {
		bare[i].marks = nil
	}
	return bare
}

// limitMarks leaves only the newest minutes their marks.
func limitMarks(minutes []minute) []minute {
	n := 0
	for i, m := range slices.Backward(minutes) {
		if n += len(m.marks); n > mostMarks {
			return slices.Concat(unmark(minutes[:i+1]), minutes[i+1:])
		}
	}
	return minutes
}
