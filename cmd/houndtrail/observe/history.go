package observe

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
)

const (
	// shownDays is how far back the days of a History go: the calendar has 53 weeks.
	shownDays = 53 * 7
	// shownHours is how far back its hours and commits go.
	shownHours = 24 * time.Hour
	// mostCommits is how many commits it keeps: a stream that works through a backlog makes many a minute.
	mostCommits = 2000
	// parallel is how many entries an observer asks for at a time.
	parallel = 8
	// segment is how many entries a folder of the journal has: they are listed with one request.
	segment = 1000
)

// A History is what the entries of a journal tell about days and hours. An observer reads the newest entries first, and the older
// ones in later rounds, so that a long journal holds up nothing.
type History struct {
	Days    map[time.Time]Day   // by their beginning, in UTC
	Hours   map[time.Time]int64 // records of the last hours by created_at
	Commits []Commit            // those of the last hours, newest first
	From    time.Time           // entries that account for an earlier time were not read; zero before the first round
	Whole   bool                // every day that the page shows was read
	Unread  uint64              // the entries that are still to be read, at most
	Err     error               // why the last round could not read everything; nil if it could

	first, last uint64 // the span of serials that was read; 0 for none
}

// A Day is what the entries tell about one day of created_at.
type Day struct {
	Records int64
	// Count is the worst that the server's own count says of a window of the day: exact, bounded, unknown or off. It is "" if no
	// entry accounts for the day.
	Count string
	Holes int // records that could not be read, and were left out
}

// A Commit is one entry of the journal.
type Commit struct {
	Serial      uint64
	Kind        checkpoint.Kind
	At          time.Time // committed_at
	Start, End  time.Time // of the window
	Cursor      time.Time
	Fresh, Late int
	Objects     int
	Count       *checkpoint.ServerCount
}

// clone is a copy that later rounds do not change.
func (h *History) clone() History {
	c := *h
	c.Days, c.Hours, c.Commits = maps.Clone(h.Days), maps.Clone(h.Hours), slices.Clone(h.Commits)
	return c
}

// read reads the entries that are new, and up to most of the older ones.
func (h *History) read(ctx context.Context, j *checkpoint.Journal, newest uint64, most int, now time.Time) error {
	h.Err = nil
	if h.Days == nil {
		h.Days, h.Hours = map[time.Time]Day{}, map[time.Time]int64{}
	}
	h.forget(now)
	if newest == 0 {
		return nil
	}
	if h.last == 0 { // begin at the segment of the newest entry
		h.first = max(1, newest/segment*segment)
		h.last = h.first - 1
	}
	if _, err := h.add(ctx, j, h.last+1, newest, now); err != nil {
		return err
	}
	for read := 0; read < most && !h.Whole; {
		if h.first <= 1 {
			h.Whole = true
			break
		}
		first := max(1, (h.first-1)/segment*segment)
		found, err := h.add(ctx, j, first, h.first-1, now)
		if err != nil {
			return err
		}
		read += int(h.first - first)
		h.first = first
		h.Whole = h.first <= 1 || found == 0 /* pruned */ || h.From.Before(now.Add(-shownDays*24*time.Hour))
	}
	if h.Unread = 0; !h.Whole {
		h.Unread = h.first - 1
	}
	return nil
}

// add reads a span of entries. If one of them cannot be read, that span counts as read: houndtrail verify finds the fault, and the
// days of those entries stay without an account. It returns how many entries it could read.
func (h *History) add(ctx context.Context, j *checkpoint.Journal, first, last uint64, now time.Time) (read int, err error) {
	if first > last {
		return 0, nil
	}
	var found []checkpoint.Stored
	for entry, err := range j.Readings(ctx, first, last, parallel) {
		if err != nil && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err != nil && entry.Serial == 0 { // an error of the store
			return 0, err
		}
		if err == nil {
			entry.Delivered = nil // it may be large
			found = append(found, entry)
		}
	}
	for i := range found {
		h.take(&found[i].Checkpoint, now)
	}
	slices.SortFunc(h.Commits, func(a, b Commit) int { return int(b.Serial) - int(a.Serial) })
	h.Commits = h.Commits[:min(len(h.Commits), mostCommits)]
	h.last = max(h.last, last)
	return len(found), nil
}

// take counts one entry.
func (h *History) take(e *checkpoint.Checkpoint, now time.Time) {
	start := e.Window.Start
	if !start.IsZero() && (h.From.IsZero() || start.Before(h.From)) {
		h.From = start
	}
	oldest := day(now).AddDate(0, 0, -shownDays)
	if count := countOf(e); count != "" {
		for d := later(day(start), oldest); d.Before(e.Window.End) && !d.After(now); d = d.AddDate(0, 0, 1) {
			is := h.Days[d]
			is.Count = worse(is.Count, count)
			h.Days[d] = is
		}
	}
	if e.Kind != checkpoint.KindCompact { // its records were counted when they were delivered
		for _, o := range e.Objects {
			h.arrived(o, oldest, now)
		}
	}
	for _, hole := range e.Holes {
		d := day(hole.CreatedAt)
		is := h.Days[d]
		is.Holes++
		h.Days[d] = is
	}
	if e.CommittedAt.After(now.Add(-shownHours)) {
		h.Commits = append(h.Commits, Commit{
			Serial: e.Serial, Kind: e.Kind, At: e.CommittedAt.UTC(), Start: start.UTC(), End: e.Window.End.UTC(), Cursor: e.Cursor.UTC(),
			Fresh: e.Records.Fresh, Late: e.Records.Late, Objects: len(e.Objects), Count: e.ServerCount,
		})
	}
}

// arrived counts the records of an object. Those of an object of the archive are of one day. A batch of the webhook may have
// records of several days, and counts for the day of the newest one.
func (h *History) arrived(o checkpoint.Object, oldest, now time.Time) {
	at := o.MaxCreatedAt.UTC()
	if d := day(at); !d.Before(oldest) {
		is := h.Days[d]
		is.Records += int64(o.Records)
		h.Days[d] = is
	}
	if hour := at.Truncate(time.Hour); hour.After(now.Add(-shownHours)) {
		h.Hours[hour] += int64(o.Records)
	}
}

// forget drops days, hours and commits that are too old to be shown.
func (h *History) forget(now time.Time) {
	oldest := day(now).AddDate(0, 0, -shownDays)
	maps.DeleteFunc(h.Days, func(d time.Time, _ Day) bool { return d.Before(oldest) })
	maps.DeleteFunc(h.Hours, func(t time.Time, _ int64) bool { return !t.After(now.Add(-shownHours)) })
	h.Commits = slices.DeleteFunc(h.Commits, func(c Commit) bool { return !c.At.After(now.Add(-shownHours)) })
}

// countOf is what the server's own count says of an entry's window; "" if the entry accounts for no window.
func countOf(e *checkpoint.Checkpoint) string {
	switch {
	case !e.Window.Start.Before(e.Window.End):
		return ""
	case e.Kind != checkpoint.KindExport && e.Kind != checkpoint.KindHistory && e.Kind != checkpoint.KindRescan:
		return ""
	case e.ServerCount == nil:
		return checkpoint.CountUnknown
	}
	return e.ServerCount.Status
}

// worse is the worse of two counts.
func worse(a, b string) string {
	order := []string{"", checkpoint.CountExact, checkpoint.CountBounded, checkpoint.CountOff, checkpoint.CountUnknown}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
