package dedup

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"time"
)

// A minute has the delivered records that were created in one minute.
type minute struct {
	at    int64    // since the epoch, in minutes
	runs  []run    // runs of ids, ascending, with gaps between them
	marks []uint16 // see marks.go; nil if no record is marked
}

// A run has ids without a gap, both ends included.
type run struct{ first, last int64 }

func minuteOf(t time.Time) int64 {
	seconds := t.Unix()
	if seconds < 0 {
		seconds -= 59 // it rounds down, not towards zero
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

// ids returns all ids, ascending.
func (m minute) ids() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for _, r := range m.runs {
			for id := r.first; id <= r.last; id++ {
				if !yield(id) {
					return
				}
			}
		}
	}
}

func (m minute) has(id int64) bool { return contains(m.runs, id) }

// covers tells whether m has all records of another minute.
func (m minute) covers(other minute) bool {
	for _, r := range other.runs {
		if r.first >= FirstHole {
			break
		}
		i := sort.Search(len(m.runs), func(i int) bool { return m.runs[i].last >= r.first })
		if i == len(m.runs) || m.runs[i].first > r.first || m.runs[i].last < r.last {
			return false
		}
	}
	return true
}

// A lookup finds records that the caller asks for in order of time.
type lookup struct {
	minutes []minute
	at      int // the index of the last found minute
}

func (l *lookup) has(r Ref) bool {
	if len(l.minutes) == 0 {
		return false
	}
	want := minuteOf(r.CreatedAt)
	if l.at >= len(l.minutes) || l.minutes[l.at].at != want {
		l.at = sort.Search(len(l.minutes), func(i int) bool { return l.minutes[i].at >= want })
	}
	return l.at < len(l.minutes) && l.minutes[l.at].at == want && l.minutes[l.at].has(r.ID)
}

// union returns all ids of the minutes, without their times.
func union(minutes []minute) []run {
	var all []run
	for _, m := range minutes {
		all = append(all, m.runs...)
	}
	return join(all)
}

// join sorts runs, and joins runs that touch.
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

// since returns the minutes that a set needs if it begins at an instant.
func since(minutes []minute, from time.Time) []minute {
	i := sort.Search(len(minutes), func(i int) bool { return minutes[i].end().After(from) })
	return minutes[i:]
}

// at returns the minute of that number, an empty one if there is none.
func at(minutes []minute, number int64) minute {
	i := sort.Search(len(minutes), func(i int) bool { return minutes[i].at >= number })
	if i == len(minutes) || minutes[i].at != number {
		return minute{at: number}
	}
	return minutes[i]
}

// merge returns all records of two sorted lists of minutes.
func merge(a, b []minute) []minute {
	all := make([]minute, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].at < b[0].at:
			all, a = append(all, a[0]), a[1:]
		case a[0].at > b[0].at:
			all, b = append(all, b[0]), b[1:]
		default:
			all = append(all, a[0].and(b[0]))
			a, b = a[1:], b[1:]
		}
	}
	return append(append(all, a...), b...)
}

// and joins two minutes. It keeps marks only if one of the two has all records of the other.
func (m minute) and(other minute) minute {
	both := minute{at: m.at, runs: join(slices.Concat(m.runs, other.runs))}
	switch {
	case other.covers(m) && other.marks != nil:
		both.marks = other.marks
	case m.covers(other):
		both.marks = m.marks
	}
	return both
}
