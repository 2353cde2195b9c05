package dedup

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"houndtrail/exporter/bloodhound"
)

// A minute is the delivered records that were created in one minute.
type minute struct {
	at    int64    // since the epoch, in minutes
	runs  []run    // of ids, ascending, with gaps between them
	marks []uint16 // of each id, in order; nil if none is marked
}

// A run is ids without a gap, both ends included.
type run struct{ first, last int64 }

func minuteOf(t time.Time) int64 {
	seconds := t.Unix()
	if seconds < 0 {
		seconds -= 59 // down, not towards zero
	}
	return seconds / 60
}

func (m minute) start() time.Time { return time.Unix(m.at*60, 0).UTC() }
func (m minute) end() time.Time   { return m.start().Add(time.Minute) }

func (m minute) count() (n int) {
	for _, r := range m.runs {
		n += int(r.last - r.first + 1)
	}
	return n
}

// all are the ids, ascending.
func (m minute) all() []int64 {
	ids := make([]int64, 0, m.count())
	for _, r := range m.runs {
		for id := r.first; id <= r.last; id++ {
			ids = append(ids, id)
		}
	}
	return ids
}

// find is the mark of an id; ok is false if the minute does not have it.
func (m minute) find(id int64) (mark uint16, ok bool) {
	before := 0
	for _, r := range m.runs {
		if id < r.first {
			break
		}
		if id <= r.last {
			if m.marks == nil {
				return unmarked, true
			}
			return m.marks[before+int(id-r.first)], true
		}
		before += int(r.last - r.first + 1)
	}
	return unmarked, false
}

// A lookup finds records that come in order of time.
type lookup struct {
	minutes []minute
	at      int // of the minute that was found last
}

func (l *lookup) find(r *bloodhound.Record) (mark uint16, ok bool) {
	if len(l.minutes) == 0 {
		return unmarked, false
	}
	want := minuteOf(r.CreatedAt)
	if l.at >= len(l.minutes) || l.minutes[l.at].at != want {
		l.at = sort.Search(len(l.minutes), func(i int) bool { return l.minutes[i].at >= want })
	}
	if l.at == len(l.minutes) || l.minutes[l.at].at != want {
		return unmarked, false
	}
	return l.minutes[l.at].find(r.ID)
}

// union is all ids of the minutes, whatever their time.
func union(minutes []minute) []run {
	var all []run
	for _, m := range minutes {
		all = append(all, m.runs...)
	}
	return join(all)
}

// join sorts runs, and makes one of those that touch.
func join(runs []run) []run {
	slices.SortFunc(runs, func(a, b run) int { return cmp.Compare(a.first, b.first) })
	joined := runs[:0]
	for _, r := range runs {
		if n := len(joined); n > 0 && r.first <= joined[n-1].last+1 {
			joined[n-1].last = max(joined[n-1].last, r.last)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

func contains(runs []run, id int64) bool {
	i := sort.Search(len(runs), func(i int) bool { return runs[i].last >= id })
	return i < len(runs) && runs[i].first <= id
}

// since are the minutes that a set which begins at an instant has to know.
func since(minutes []minute, from time.Time) []minute {
	i := sort.Search(len(minutes), func(i int) bool { return minutes[i].end().After(from) })
	return minutes[i:]
}

// at is the minute of that number, empty if there is none.
func at(minutes []minute, number int64) minute {
	i := sort.Search(len(minutes), func(i int) bool { return minutes[i].at >= number })
	if i == len(minutes) || minutes[i].at != number {
		return minute{at: number}
	}
	return minutes[i]
}

// collect makes minutes of the records from an instant on, which are sorted by time, without those of other lineages. It
// marks only as many as a set may keep marks of, the newest.
func collect(records []bloodhound.Record, others []bool, from time.Time) (minutes []minute) {
	var ids []idMark
	var marks marker
	flush := func(at int64) {
		if len(ids) > 0 {
			minutes = append(minutes, newMinute(at, ids))
			ids = ids[:0]
		}
	}
	first := sort.Search(len(records), func(i int) bool { return !records[i].CreatedAt.Before(from) })
	current := int64(0)
	for i := range records[first:] {
		r := &records[first+i]
		if others[first+i] {
			continue
		}
		if at := minuteOf(r.CreatedAt); at != current {
			flush(current)
			current = at
		}
		next := idMark{r.ID, unmarked}
		if first+i >= len(records)-mostMarks {
			next.mark = marks.mark(r)
		}
		ids = append(ids, next)
	}
	flush(current)
	return minutes
}

// An idMark is a record of a minute that is being made.
type idMark struct {
	id   int64
	mark uint16
}

// newMinute makes a minute of its records, which come in any order.
func newMinute(at int64, ids []idMark) minute {
	slices.SortStableFunc(ids, func(a, b idMark) int { return cmp.Compare(a.id, b.id) })
	m := minute{at: at, marks: make([]uint16, 0, len(ids))}
	marked := false
	for i, r := range ids {
		if i > 0 && r.id == ids[i-1].id {
			continue
		}
		if n := len(m.runs); n > 0 && m.runs[n-1].last == r.id-1 {
			m.runs[n-1].last = r.id
		} else {
			m.runs = append(m.runs, run{r.id, r.id})
		}
		m.marks = append(m.marks, r.mark)
		marked = marked || r.mark != unmarked
	}
	if !marked {
		m.marks = nil
	}
	return m
}

// merge is all records of two sorted lists of minutes. If both have one, the mark is that of the second.
func merge(a, b []minute) []minute {
	all := make([]minute, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].at < b[0].at:
			all, a = append(all, a[0]), a[1:]
		case a[0].at > b[0].at:
			all, b = append(all, b[0]), b[1:]
		default:
			all = append(all, newMinute(a[0].at, append(b[0].idMarks(), a[0].idMarks()...)))
			a, b = a[1:], b[1:]
		}
	}
	return append(append(all, a...), b...)
}

func (m minute) idMarks() []idMark {
	list := make([]idMark, 0, m.count())
	for i, id := range m.all() {
		mark := unmarked
		if m.marks != nil {
			mark = m.marks[i]
		}
		list = append(list, idMark{id, mark})
	}
	return list
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
