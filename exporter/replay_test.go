package exporter_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/replay"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// replays is a run that sends a time of the archive again.
func (w *world) replays(to *inbox, from, until time.Time, absent ...window.Window) program {
	return func(positions, objects bucket.Bucket) error {
		e := w.follower(positions, objects, to)
		journal := checkpoint.Open(positions, checkpoint.Identity{
			Tenant: "a", Stream: "webhook-replay", Source: w.http.URL, Destination: "https://siem",
		}, checkpoint.AnyOrder(), w.sign())
		b := exporter.Backfill{Stream: *e, Journal: journal, Again: true, Absent: absent, From: from, To: until}
		return b.Run(w.t.Context())
	}
}

// A replay dies at thirty of its writes, one after the other. It goes on each time, and sends at most the windows again that were under
// way, each of which is a batch.
func TestReplayKilled(t *testing.T) {
	t.Parallel()
	w := month(t, bloodhoundtest.V84, 1500)
	w.records = 300
	w.run()
	to, kills := &inbox{got: map[string]int{}}, 0
	run := w.replays(to, time.Time{}, w.entries()[len(w.entries())-1].Cursor)
	for kills < 30 && w.dies(int64(5+kills%4), kills%2 == 0, run) {
		kills++
		w.pass(10 * time.Minute) // until its lease ends
	}
	if kills < 30 {
		t.Fatalf("it died %d times only", kills)
	}
	if err := run(w.positions, w.objects); err != nil {
		t.Fatal(err)
	}
	total, archived := 0, w.archived(w.objects)
	for _, r := range archived {
		if to.got[eventOf(&r)] == 0 {
			t.Errorf("id %d of %s was not sent", r.ID, r.CreatedAt)
		}
		total += to.got[eventOf(&r)]
	}
	const underWay, batch = 6, 40
	if again := total - len(archived); again > kills*underWay*batch {
		t.Errorf("%d records were sent again after %d kills", again, kills)
	} else {
		t.Logf("%d of %d records were sent again after %d kills", again, len(archived), kills)
	}
	posts := to.posts
	if err := run(w.positions, w.objects); err != nil || to.posts != posts {
		t.Errorf("a replay that was done posted %d batches more, %v", to.posts-posts, err)
	}
}

// What the archive does not hold is said, whatever the reason, and never sent as if it were empty.
func TestReplayLacks(t *testing.T) {
	t.Parallel()
	w := halfway(t)
	source := w.source(w.positions, w.objects)
	cursor := w.entries()[len(w.entries())-1].Cursor
	whole := window.Window{Start: dayAt(backfillDays - ownDays), End: cursor}
	missing := func(asked window.Window) []replay.Missing {
		all, until, err := w.source(w.positions, w.objects).Missing(t.Context(), asked)
		if err != nil || !until.Equal(cursor) && !until.After(cursor) {
			t.Fatalf("the archive has its records up to %s, %v", until, err)
		}
		return all
	}
	if got := missing(whole); len(got) > 0 {
		t.Errorf("%+v is missing in a whole archive", got)
	}
	early := window.Window{Start: dayAt(1), End: cursor}
	if got := missing(early); len(got) != 1 || !got[0].Absent || !got[0].Start.Equal(dayAt(1)) || !got[0].End.Equal(whole.Start) {
		t.Errorf("%+v is missing before the start", got)
	}
	if _, err := source.Fetch(t.Context(), dayAt(1), dayAt(2), w.process(w.positions, w.objects).Limits); !errors.Is(err, replay.ErrNotHeld) {
		t.Errorf("a time that nothing accounts for is %v", err)
	}
	if _, err := source.Fetch(t.Context(), whole.Start, cursor, w.process(w.positions, w.objects).Limits); !errors.Is(err, replay.ErrNotHeld) {
		t.Errorf("the time after the cursor is %v", err)
	}
	w.runBackfill(between(dayAt(1), dayAt(7)))
	if got := missing(early); len(got) > 0 {
		t.Errorf("%+v is missing after the backfill", got)
	}
	d := &drama{world: w}
	err := d.compactor().Forget(t.Context(), compact.Order{Before: dayAt(2), Reason: "a test"}, func(*compact.Plan) error { return nil },
		func(compact.Forgotten) {})
	if err != nil {
		t.Fatal(err)
	}
	got := missing(early)
	if !slices.ContainsFunc(got, func(m replay.Missing) bool { return m.Start.Equal(dayAt(1)) && m.End.Equal(dayAt(2)) }) {
		t.Errorf("%+v is missing after a removal", got)
	}
}

// A stream that follows an archive delivers the records that a removal took away before as a hole, and never in silence.
func TestFollowForgotten(t *testing.T) {
	t.Parallel()
	w := halfway(t)
	w.runBackfill()
	to := &inbox{got: map[string]int{}}
	d := &drama{world: w}
	err := d.compactor().Forget(t.Context(), compact.Order{Before: dayAt(3), Reason: "a test"}, func(*compact.Plan) error { return nil },
		func(compact.Forgotten) {})
	if err != nil {
		t.Fatal(err)
	}
	// It has followed the archive up to an entry before the removal, and its cursor is before the removed days.
	e := w.follower(w.positions, w.objects, to)
	e.Start = dayAt(0)
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	newest, err := w.siem(w.positions).Load(t.Context())
	if err != nil || newest.HolesTotal == 0 {
		t.Errorf("the removed records are %d holes, %v", newest.HolesTotal, err)
	}
	for _, r := range w.archived(w.objects) {
		if to.got[eventOf(&r)] != 1 {
			t.Errorf("id %d of %s was delivered %d times", r.ID, r.CreatedAt, to.got[eventOf(&r)])
		}
	}
}

// If the archive's journal is not the one that the stream has followed, the stream stops, and says what to do.
func TestFollowAnotherJournal(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world){
		"rolled back": func(w *world) {
			entries := w.entries()
			w.positions.Remove(w.journal(w.positions).Key(entries[len(entries)-1].Serial))
			w.positions.Remove(w.journal(w.positions).HintKey())
		},
		"pruned": func(w *world) {
			for range 3 {
				w.pass(2 * time.Hour)
				w.run()
			}
			for _, e := range w.entries()[:len(w.entries())-1] {
				w.positions.Remove(w.journal(w.positions).Key(e.Serial))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := month(t, bloodhoundtest.V84, 200)
			w.pageSize, w.records = 20, 21
			w.run()
			to := &inbox{got: map[string]int{}}
			if err := w.follower(w.positions, w.objects, to).RunOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			change(w)
			err := w.follower(w.positions, w.objects, to).RunOnce(t.Context())
			if !errors.Is(err, replay.ErrUnfollowable) && !errors.Is(err, checkpoint.ErrCorrupt) {
				t.Errorf("the stream goes on: %v", err)
			}
			t.Log(err)
		})
	}
}
