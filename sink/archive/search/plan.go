package search

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// A day is the objects of a day.
type day struct {
	at      time.Time
	objects []read.Object
}

// A listing is a request for all keys with a prefix. Only some days of them count.
type listing struct {
	prefix      string
	first, last time.Time // days, both included
}

// mostMonths is for how many months the search lists each month alone: without compaction, an archive has thousands of files a
// month.
const mostMonths = 24

// listings returns the listings of the wanted days, in the order of the answer. No request tells which days exist. So if there
// is no first day, or it is long ago, the search lists everything. But users mostly want the newest records, so it lists the
// last two months first, alone.
func (s *search) listings() []listing {
	last := midnight(s.Before)
	first := midnight(s.After) // the year 1, if the caller names no first day
	var months []listing
	for m := monthOf(last); !m.Before(monthOf(first)) && len(months) <= mostMonths; m = m.AddDate(0, -1, 0) {
		months = append(months, listing{
			prefix: read.Prefix(s.Tenant) + "dt=" + m.Format("2006-01-"), first: later(first, m),
			last: earlier(last, m.AddDate(0, 1, -1)),
		})
	}
	whole := listing{read.Prefix(s.Tenant), first, last}
	switch {
	case len(months) > mostMonths && s.OldestFirst:
		return []listing{whole}
	case len(months) > mostMonths:
		whole.last = months[1].first.AddDate(0, 0, -1)
		return append(months[:2:2], whole)
	case s.OldestFirst:
		slices.Reverse(months)
	}
	return months
}

func midnight(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func monthOf(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// days lists the days, in the order of the answer.
func (s *search) days(ctx context.Context) iter.Seq2[day, error] {
	return func(yield func(day, error) bool) {
		for _, l := range s.listings() {
			found, err := s.list(ctx, l)
			if err != nil {
				yield(day{}, err)
				return
			}
			for _, d := range found {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

// list lists days. If a key is not the archive's, that is a problem: the object may have records.
func (s *search) list(ctx context.Context, l listing) ([]day, error) {
	keys, err := s.Files.List(ctx, l.prefix, "")
	if err != nil {
		return nil, fmt.Errorf("look for the files of tenant %s: %w", s.Tenant, err)
	}
	within := func(at time.Time) bool { return !at.Before(l.first) && !at.After(l.last) }
	found := map[time.Time][]read.Object{}
	for _, key := range keys {
		o, ok := read.Parse(key)
		switch {
		case ok && within(o.Day):
			found[o.Day] = append(found[o.Day], o)
		case !ok && !read.Rewritten(key) && within(dayOf(key, l.first)):
			s.problem(key, fmt.Errorf("%s: no archive gives a file that name, so it was not read: rename it back, or move it out of "+
				"the archive", key))
		}
	}
	days := slices.SortedFunc(maps.Keys(found), func(a, b time.Time) int { return s.direction() * a.Compare(b) })
	all := make([]day, len(days))
	for i, at := range days {
		all[i] = day{at, found[at]}
	}
	return all, nil
}

// dayOf returns the day of a key's folder. For a key without such a folder, it returns another day.
func dayOf(key string, otherwise time.Time) time.Time {
	for part := range strings.SplitSeq(key, "/") {
		if name, ok := strings.CutPrefix(part, "dt="); ok {
			if at, err := time.Parse(time.DateOnly, name); err == nil {
				return at
			}
		}
	}
	return otherwise
}

// How many objects and days the search reads at the same time. It searches the first days alone, since these often have a whole
// page of records.
const (
	chunkObjects = 64
	chunkDays    = 32
)

// chunks groups the days that the search reads at the same time.
func (s *search) chunks(ctx context.Context) iter.Seq2[[]day, error] {
	return func(yield func([]day, error) bool) {
		var chunk []day
		objects, most := 0, 1
		for d, err := range s.days(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			chunk = append(chunk, d)
			if objects += len(d.objects); objects < chunkObjects && len(chunk) < most {
				continue
			}
			if !yield(chunk, nil) {
				return
			}
			chunk, objects, most = nil, 0, min(2*most, chunkDays)
		}
		if len(chunk) > 0 {
			yield(chunk, nil)
		}
	}
}
