package exporter_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
)

const day = 24 * time.Hour

func TestRetention(t *testing.T) {
	now := time.Date(2026, 10, 12, 9, 0, 0, 0, time.UTC)
	aged := func(age time.Duration) checkpoint.Sighting {
		return checkpoint.Sighting{CreatedAt: now.Add(-age), SeenAt: now}
	}
	shrunk := func(age time.Duration) checkpoint.Sighting {
		return checkpoint.Sighting{CreatedAt: now.Add(-age - day), SeenAt: now.Add(-day)}.Next(now.Add(-age), now)
	}
	fixed := exporter.Retention{Fixed: 30 * day}
	for name, test := range map[string]struct {
		retention exporter.Retention
		seen      checkpoint.Sighting
		limit     time.Duration
		near      time.Duration // a lag at which a warning is due; 0 for none
	}{
		"nothing known":             {exporter.Retention{}, checkpoint.Sighting{}, 89 * day, 75*day + 1},
		"young":                     {exporter.Retention{}, aged(10 * day), 89 * day, 75*day + 1},
		"as old as the limit":       {exporter.Retention{}, aged(110 * day), 110 * day, 96*day + 1},
		"older than the limit":      {exporter.Retention{}, aged(125 * day), 0, 0},
		"it drops records":          {exporter.Retention{}, shrunk(95 * day), 95 * day, 81*day + 1},
		"it drops them sooner":      {exporter.Retention{}, shrunk(7 * day), 7 * day, 84*time.Hour + 1},
		"it drops them much later":  {exporter.Retention{}, shrunk(400 * day), 400 * day, 386*day + 1},
		"as it was told":            {fixed, shrunk(400 * day), 30 * day, 16*day + 1},
		"as it was told, and short": {exporter.Retention{Fixed: day}, aged(400 * day), day, 12*time.Hour + 1},
		"off":                       {exporter.Retention{Off: true}, shrunk(day), 0, 0},
	} {
		if got := test.retention.Limit(test.seen); got != test.limit {
			t.Errorf("%s: the limit is %s, want %s", name, got, test.limit)
		}
		cursor := now.Add(-test.near)
		if test.near == 0 {
			if cursor = now.Add(-1000 * day); test.retention.Near(cursor, test.seen, now) || !test.retention.Deadline(cursor, test.seen).IsZero() {
				t.Errorf("%s: a warning", name)
			}
			continue
		}
		if got, want := test.retention.Deadline(cursor, test.seen), cursor.Add(test.limit); !got.Equal(want) {
			t.Errorf("%s: the deadline is %s, want %s", name, got, want)
		}
		if !test.retention.Near(cursor, test.seen, now) || test.retention.Near(cursor.Add(1), test.seen, now) {
			t.Errorf("%s: a lag of %s is not where warnings begin", name, test.near)
		}
	}
	if fixed.Near(time.Time{}, aged(day), now) {
		t.Error("a stream without a position is warned about")
	}
}

func TestSighting(t *testing.T) {
	now := time.Date(2026, 10, 12, 9, 0, 0, 0, time.UTC)
	first := checkpoint.Sighting{}.Next(now.Add(-100*day), now)
	same := first.Next(now.Add(-100*day), now.Add(day))
	if first.Gone != 0 || same.Gone != 0 || same.Kept != 0 || !same.SeenAt.Equal(now.Add(day)) {
		t.Errorf("nothing has vanished: %+v, %+v", first, same)
	}
	gone := same.Next(now.Add(-90*day), now.Add(2*day))
	want := checkpoint.Sighting{CreatedAt: now.Add(-90 * day), SeenAt: now.Add(2 * day), Kept: 101 * 86400, Gone: 102 * 86400, Looks: 3}
	if gone != want || gone.Next(want.CreatedAt, now.Add(3*day)).Gone != want.Gone {
		t.Errorf("%+v, want %+v", gone, want)
	}
}

// watcher keeps the news of retention that an observer gets.
type watcher struct{ oldest, deadline time.Time }

func (*watcher) Committed(exporter.Commit)            {}
func (*watcher) CaughtUp(time.Time, time.Duration)    {}
func (*watcher) Clocks(time.Duration)                 {}
func (w *watcher) Guarded(oldest, deadline time.Time) { w.oldest, w.deadline = oldest, deadline }

func (s *quietStream) watch(log *zap.Logger) *watcher {
	w := &watcher{}
	s.Log, s.Observer = log, w
	return w
}

// A stream runs for weeks on a server that drops old months. It asks for the oldest record once a day, and notices when that
// record vanishes. If the stream stands still, it warns before the source drops its records.
func TestRetentionOverWeeks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuiet(t, bloodhoundtest.PR3049)
		june := time.Date(2026, 6, 20, 0, 0, 0, 0, time.UTC) // dropped at the start of October: not there from the beginning
		july := june.AddDate(0, 1, 0)                        // dropped at the start of November
		august := july.AddDate(0, 1, 0)
		for i, at := range []time.Time{june, july, august} {
			q.server.Add(bloodhoundtest.Row{ID: int64(1000 + i), CreatedAt: at, Action: "Old"})
		}
		q.server.DropMonths()
		core, logged := observer.New(zap.WarnLevel)
		s := q.stream("archive", whole{newReceiver()})
		told := s.watch(zap.New(core))
		asked := 0
		for range 25 * 24 {
			s.cycle(t)
			paths := q.requests()
			if len(paths) > 1 {
				asked++
			}
			time.Sleep(time.Hour)
		}
		entries := s.entries(t)
		last := entries[len(entries)-1]
		if first := entries[0]; !first.Oldest.CreatedAt.Equal(july) || !first.Window.Start.Equal(july) {
			t.Errorf("at its beginning at %s the stream knows %+v", first.Window.Start, first.Oldest)
		}
		if asked < 24 || asked > 32 { // the first cycles, and one a day
			t.Errorf("%d cycles took more than one request", asked)
		}
		if seen := last.Oldest; !seen.CreatedAt.Equal(august) || seen.Gone == 0 || !told.oldest.Equal(august) {
			t.Errorf("after July was dropped: %+v, told %+v", seen, told)
		}
		age := last.Oldest.SeenAt.Sub(august)
		if want := last.Cursor.Add(age); !told.deadline.Equal(want) {
			t.Errorf("the deadline is %s, want %s", told.deadline, want)
		}
		logged.TakeAll()
		// The server no longer answers. Houndtrail commits nothing, and the time until the deadline passes, also for another process.
		q.server.Fault(faults.InternalError())
		deadline := told.deadline
		told = s.watch(zap.New(core))
		warned := 0
		for range 10 {
			time.Sleep(7 * day)
			if err := s.RunOnce(t.Context()); err == nil {
				t.Fatal("no error")
			}
			if !told.deadline.Equal(deadline) || !told.oldest.Equal(august) {
				t.Fatalf("told %+v", told)
			}
			near := time.Until(told.deadline) < 14*day
			if got := logged.FilterMessageSnippet("may soon drop").Len() > 0; got != near {
				t.Errorf("%s before the deadline, warned: %t", time.Until(told.deadline), got)
			}
			if near {
				warned++
			}
			logged.TakeAll()
		}
		if warned == 0 || warned == 10 {
			t.Errorf("warned in %d of 10 weeks", warned)
		}
	})
}

// If the source cannot tell its oldest record, the stream goes on.
func TestRetentionUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, off := range map[string]bool{"off": true, "failing": false} {
			q := startQuiet(t, bloodhoundtest.V84)
			s := q.stream("archive", whole{newReceiver()})
			s.Start, s.Limits.Records = time.Now().Add(-2*day), 5
			core, logged := observer.New(zap.WarnLevel)
			told := s.watch(zap.New(core))
			s.Retention.Off = off
			source := &forgetful{Client: q.client}
			s.Source = source
			s.cycle(t)
			entries := s.entries(t)
			if len(entries) < 2 || !entries[0].Oldest.SeenAt.IsZero() || told.deadline.IsZero() != off {
				t.Errorf("%s: %d entries, told %+v", name, len(entries), told)
			}
			if source.asked != 1 || logged.Len() != source.asked { // the stream still looks for new history
				t.Errorf("%s: asked %d times, %d warnings", name, source.asked, logged.Len())
			}
		}
	})
}

// forgetful is a source that cannot tell its oldest record.
type forgetful struct {
	*bloodhound.Client
	asked int
}

var errForgotten = errors.New("no idea")

func (f *forgetful) Extent(context.Context, time.Time) (bloodhound.Extent, error) {
	f.asked++
	return bloodhound.Extent{}, errForgotten
}
