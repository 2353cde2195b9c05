package exporter_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"houndtrail/checkpoint"
	"houndtrail/checkpoint/checkpointtest"
	"houndtrail/exporter"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/bloodhound/bloodhoundtest"
	"houndtrail/exporter/window"
)

// The world of a backfill: ten days of rows, of which the stream itself delivers the last three.
const (
	backfillRows = 300
	backfillDays = 10
	ownDays      = 3
)

var backfillStart = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// dayAt is an instant of the world, counted from its beginning.
func dayAt(n float64) time.Time { return backfillStart.Add(time.Duration(n * 24 * float64(time.Hour))) }

// halfway is a world whose stream has run once, and began long after the oldest record.
func halfway(t *testing.T) *world {
	t.Helper()
	rows := bloodhoundtest.History(bloodhoundtest.HistoryOptions{
		Seed: 5, N: backfillRows, Start: backfillStart, End: dayAt(backfillDays),
	})
	for i := range rows {
		rows[i].VisibleAt = time.Time{}
	}
	// Records on the seam, where one journal's account ends and the other's begins.
	for i, d := range []time.Duration{-time.Microsecond, 0, time.Microsecond} {
		rows = append(rows, bloodhoundtest.Row{
			ID: int64(1_000_000 + i), CreatedAt: dayAt(backfillDays - ownDays).Add(d), Action: "Seam",
		})
	}
	w := startWorld(t, 5, bloodhoundtest.V84, dayAt(backfillDays).Add(time.Hour), rows)
	w.positions.Locks, w.records = true, 50
	if err := w.own(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// own is the stream itself.
func (w *world) own(positions, objects checkpoint.Bucket) *exporter.Exporter {
	e := w.process(positions, objects)
	e.Start = dayAt(backfillDays - ownDays)
	return e
}

// backfill is one run's backfill of everything before, over its views of the stores.
func (w *world) backfill(positions, objects checkpoint.Bucket) *exporter.Backfill {
	return &exporter.Backfill{
		Stream: *w.own(positions, objects), Past: w.journal(positions), Journal: w.backfilled(positions),
	}
}

// backfilled is the journal of the backfill.
func (w *world) backfilled(b checkpoint.Bucket) *checkpoint.Journal {
	return checkpoint.Open(b, checkpoint.Identity{
		Stream: "archive-backfill", Source: w.http.URL, Destination: "memory://archive",
	}, checkpoint.Scattered())
}

func (w *world) runBackfill(change ...func(*exporter.Backfill)) (plan exporter.BackfillPlan) {
	w.t.Helper()
	b := w.backfill(w.positions, w.objects)
	b.Planned = func(p exporter.BackfillPlan) { plan = p }
	for _, f := range change {
		f(b)
	}
	if err := b.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return plan
}

func between(from, to time.Time) func(*exporter.Backfill) {
	return func(b *exporter.Backfill) { b.From, b.To = from, to }
}

// checkBackfill verifies that both journals together account for every object and for no time twice, and that every
// row up to the stream's cursor is archived exactly once.
func (w *world) checkBackfill() tally {
	w.t.Helper()
	n, cursor, accounted := w.checkJournal(w.positions)
	taken := []window.Window{{Start: dayAt(backfillDays - ownDays), End: cursor}}
	for entry, err := range w.backfilled(w.positions).Entries(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		n.entries++
		own := window.Window(entry.Window)
		for _, other := range taken {
			if common := own.Intersect(other); common.Span() > 0 {
				w.t.Errorf("backfill entry %d: %v is accounted for twice", entry.Serial, common)
			}
		}
		taken = append(taken, own)
		if !entry.Cursor.Equal(own.End) || entry.Records.Duplicate != 0 || entry.Records.Late != 0 {
			w.t.Errorf("backfill entry %d: cursor %s, %+v of %v", entry.Serial, entry.Cursor, entry.Records, own)
		}
		for _, o := range entry.Objects {
			if _, twice := accounted[o.Key]; twice {
				w.t.Errorf("%s is in two entries", o.Key)
			}
			accounted[o.Key] = o.SHA256
		}
	}
	return w.checkObjects(w.objects, n, cursor, accounted)
}

func TestBackfill(t *testing.T) {
	w := halfway(t)
	before, err := w.journal(w.positions).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plan := w.runBackfill()
	if !plan.Asked.End.Equal(dayAt(backfillDays-ownDays)) || plan.Asked.Start.Before(dayAt(0)) || plan.Asked.Start.After(dayAt(1)) {
		t.Errorf("without a range it took %v", plan.Asked)
	}
	if diff := cmp.Diff([]window.Window{plan.Asked}, plan.Gaps); diff != "" || len(plan.Skipped) > 0 {
		t.Errorf("the plan is %v, and skips %v", plan.Gaps, plan.Skipped)
	}
	got := w.checkBackfill()
	if got.records != backfillRows+3 || got.entries < 6 {
		t.Errorf("%d records in %d entries", got.records, got.entries)
	}
	after, err := w.journal(w.positions).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the stream's own position has changed:\n%s", diff)
	}

	// The same again: everything is done, and nothing is written.
	was := w.keys()
	plan = w.runBackfill()
	want := []exporter.Skipped{{Window: plan.Asked, Reason: exporter.SkippedDone}}
	if diff := cmp.Diff(want, plan.Skipped); diff != "" || plan.Span() != 0 {
		t.Errorf("the second run's plan is %v (-want +got):\n%s", plan.Gaps, diff)
	}
	if diff := cmp.Diff(was, w.keys()); diff != "" {
		t.Errorf("the second run wrote something:\n%s", diff)
	}

	// The stream goes on from where it was.
	w.pass(time.Hour)
	w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-30 * time.Minute), Action: "New"})
	if err := w.own(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.checkBackfill(); got.records != backfillRows+4 {
		t.Errorf("%d records", got.records)
	}
}

// Whatever is asked for and in whichever order, nothing is delivered twice, and each run says what it leaves out.
func TestBackfillsThatOverlap(t *testing.T) {
	w := halfway(t)
	w.runBackfill(between(dayAt(2), dayAt(3)))
	w.runBackfill(between(dayAt(5), dayAt(6)))
	_, cursor, _ := w.checkJournal(w.positions)
	from, to := dayAt(-30), cursor.Add(-time.Hour)
	plan := w.runBackfill(between(from, to))
	want := []exporter.Skipped{
		{Window: window.Window{Start: from, End: plan.Gaps[0].Start}, Reason: exporter.SkippedEmpty},
		{Window: window.Window{Start: dayAt(2), End: dayAt(3)}, Reason: exporter.SkippedDone},
		{Window: window.Window{Start: dayAt(5), End: dayAt(6)}, Reason: exporter.SkippedDone},
		{Window: window.Window{Start: dayAt(7), End: to}, Reason: exporter.SkippedDelivered},
	}
	if diff := cmp.Diff(want, plan.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	oldest := plan.Gaps[0].Start
	gaps := []window.Window{{Start: oldest, End: dayAt(2)}, {Start: dayAt(3), End: dayAt(5)}, {Start: dayAt(6), End: dayAt(7)}}
	if diff := cmp.Diff(gaps, plan.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	w.checkBackfill()

	// What the stream has not come to yet is its own all the same.
	w.pass(24 * time.Hour)
	plan = w.runBackfill(between(dayAt(7), w.now().Add(-settle-overlap)))
	want = []exporter.Skipped{
		{Window: window.Window{Start: dayAt(7), End: cursor}, Reason: exporter.SkippedDelivered},
		{Window: window.Window{Start: cursor, End: w.now().Add(-settle - overlap)}, Reason: exporter.SkippedDue},
	}
	if diff := cmp.Diff(want, plan.Skipped); diff != "" || len(plan.Gaps) > 0 {
		t.Errorf("gaps %v, skipped (-want +got):\n%s", plan.Gaps, diff)
	}
}

func TestBackfillRefuses(t *testing.T) {
	w := halfway(t)
	now := w.now()
	for name, tc := range map[string]struct {
		from, to time.Time
		want     string
	}{
		"an empty range": {dayAt(2), dayAt(2), "--from 2026-10-03T00:00:00Z is not before --to 2026-10-03T00:00:00Z"},
		"a turned one":   {dayAt(3), dayAt(2), "--from 2026-10-04T00:00:00Z is not before --to 2026-10-03T00:00:00Z"},
		"after the stream's start": {
			dayAt(8),
			time.Time{},
			"--from 2026-10-09T00:00:00Z is not before the stream's own start 2026-10-08T00:00:00Z",
		},
		"the future": {
			dayAt(2), now.Add(time.Hour),
			"--to 2026-10-11T02:00:00Z is not yet 12m0s ago (HOUNDTRAIL_SETTLE and HOUNDTRAIL_OVERLAP together) by BloodHound's " +
				"clock: records of that time may still appear; wait, or give --to 2026-10-11T00:48:00Z or earlier",
		},
		"what is not settled": {
			dayAt(2), now.Add(-settle - overlap + time.Second),
			"--to 2026-10-11T00:48:01Z is not yet 12m0s ago (HOUNDTRAIL_SETTLE and HOUNDTRAIL_OVERLAP together) by BloodHound's " +
				"clock: records of that time may still appear; wait, or give --to 2026-10-11T00:48:00Z or earlier",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.backfill(w.positions, w.objects)
			b.From, b.To = tc.from, tc.to
			w.refuses(b, tc.want)
		})
	}
}

// refuses verifies that a backfill does nothing, and why.
func (w *world) refuses(b *exporter.Backfill, want string) {
	w.t.Helper()
	before := w.keys()
	err := b.Run(w.t.Context())
	if problem := (*exporter.RangeError)(nil); !errors.As(err, &problem) || err.Error() != want {
		w.t.Errorf("got  %v\nwant %s", err, want)
	}
	if diff := cmp.Diff(before, w.keys()); diff != "" {
		w.t.Errorf("something was written:\n%s", diff)
	}
}

func (w *world) keys() (keys []string) {
	w.t.Helper()
	for _, store := range []checkpoint.Bucket{w.positions, w.objects} {
		all, err := store.List(w.t.Context(), "", "")
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, all...)
	}
	return keys
}

// A stream that has not begun, or has only just begun, may still deliver what a backfill would.
func TestBackfillBeforeTheStream(t *testing.T) {
	w := startWorld(t, 1, bloodhoundtest.V84, dayAt(1), []bloodhoundtest.Row{{ID: 1, CreatedAt: dayAt(0.5), Action: "A"}})
	w.refuses(w.backfill(w.positions, w.objects), "the stream has not committed anything yet, so it is not known what it "+
		"will deliver itself: run houndtrail run --once first")
	e := w.process(w.positions, w.objects)
	e.Start = w.now().Add(-5 * time.Minute)
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.refuses(w.backfill(w.positions, w.objects), "the stream's own start 2026-10-01T23:55:00Z is not yet 12m0s ago "+
		"(HOUNDTRAIL_SETTLE and HOUNDTRAIL_OVERLAP together) by BloodHound's clock: records of that time may still appear; wait, "+
		"or give --to 2026-10-01T23:48:00Z or earlier")
	w.pass(7 * time.Minute)
	w.runBackfill()
	if got := w.archived(w.objects); len(got) != 1 {
		t.Errorf("%d records", len(got))
	}
}

// There is nothing before a stream that began at the oldest record.
func TestBackfillOfNothing(t *testing.T) {
	w := startWorld(t, 1, bloodhoundtest.V84, dayAt(1), []bloodhoundtest.Row{{ID: 1, CreatedAt: dayAt(0.5), Action: "A"}})
	if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	plan := w.runBackfill()
	if diff := cmp.Diff(exporter.BackfillPlan{Asked: window.Window{Start: dayAt(0.5), End: dayAt(0.5)}}, plan); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.checkArchive(w.objects, w.positions)
}

// Of what the stream has delivered nobody says that there are no records: it looked.
func TestBackfillBeforeAnEarlyStart(t *testing.T) {
	w := startWorld(t, 1, bloodhoundtest.V84, dayAt(1), []bloodhoundtest.Row{{ID: 1, CreatedAt: dayAt(0.5), Action: "A"}})
	e := w.process(w.positions, w.objects)
	e.Start = dayAt(0.25)
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	plan := w.runBackfill(between(dayAt(0), dayAt(0.75)))
	want := []exporter.Skipped{
		{Window: window.Window{Start: dayAt(0), End: dayAt(0.25)}, Reason: exporter.SkippedEmpty},
		{Window: window.Window{Start: dayAt(0.25), End: dayAt(0.75)}, Reason: exporter.SkippedDelivered},
	}
	if diff := cmp.Diff(want, plan.Skipped); diff != "" || len(plan.Gaps) > 0 {
		t.Errorf("gaps %v, skipped (-want +got):\n%s", plan.Gaps, diff)
	}
}

// A process dies at every single call of a store, before or after the call has its effect. The next one goes on.
func TestBackfillIsKilledAtEveryStep(t *testing.T) {
	for _, after := range []bool{false, true} {
		for call := int64(1); ; call++ {
			w := halfway(t)
			if !w.killedAt(call, after) {
				if call < 40 {
					t.Errorf("a whole backfill makes %d calls", call)
				}
				break
			}
			w.runBackfill()
			if got := w.checkBackfill(); got.records != backfillRows+3 {
				t.Errorf("call %d: %d records", call, got.records)
			}
			if t.Failed() {
				t.Fatalf("killed at call %d, after its effect: %v", call, after)
			}
		}
	}
}

// killedAt runs a backfill that dies at a call, and tells whether it came so far.
func (w *world) killedAt(at int64, after bool) bool {
	w.t.Helper()
	positions, objects := checkpointtest.NewFaulty(w.positions), checkpointtest.NewFaulty(w.objects)
	var calls atomic.Int64
	hook := func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
		switch n := calls.Add(1); {
		case n == at && after:
			return checkpointtest.Fault{After: checkpointtest.ErrDead}
		case n >= at:
			return checkpointtest.Fault{Before: checkpointtest.ErrDead}
		default:
			return checkpointtest.Fault{}
		}
	}
	positions.On(hook)
	objects.On(hook)
	err := w.backfill(positions, objects).Run(w.t.Context())
	if dead := errors.Join(positions.Kill(), objects.Kill()); dead != nil {
		w.t.Fatal(dead)
	}
	switch {
	case calls.Load() < at:
		if err != nil {
			w.t.Fatal(err)
		}
		return false
	case err == nil && calls.Load() > at: // the note of the last commit may fail, and whatever comes after everything
		w.t.Errorf("it died at call %d of %d and says nothing", at, calls.Load())
	}
	return true
}

// interrupted is a world in which a backfill has written its second window and died before the commit.
func interrupted(t *testing.T) (*world, window.Window) {
	t.Helper()
	w := halfway(t)
	positions := checkpointtest.NewFaulty(w.positions)
	positions.On(checkpointtest.Always(checkpointtest.Put, "archive-backfill/00000000000000000002.json",
		checkpointtest.Fault{Before: errStorm}))
	if err := w.backfill(positions, w.objects).Run(t.Context()); !errors.Is(err, errStorm) {
		t.Fatalf("the first run says %v", err)
	}
	if err := positions.Kill(); err != nil {
		t.Fatal(err)
	}
	return w, w.intended()
}

func (w *world) intended() window.Window {
	w.t.Helper()
	lease, err := w.backfilled(w.positions).Acquire(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	intent, ok := lease.Intent()
	if err := lease.Release(w.t.Context()); err != nil || !ok {
		w.t.Fatalf("no intent was left behind: %v", err)
	}
	return window.Window(intent)
}

// The window that an interrupted run had begun is taken whole and first, whatever the next run is asked for and however
// small its windows are.
func TestBackfillTakesTheIntendedWindow(t *testing.T) {
	for name, asked := range map[string]func(w window.Window) (from, to time.Time){
		"everything":      func(window.Window) (from, to time.Time) { return time.Time{}, time.Time{} },
		"from its middle": func(w window.Window) (from, to time.Time) { return w.Start.Add(w.Span() / 2), time.Time{} },
		"elsewhere":       func(window.Window) (from, to time.Time) { return dayAt(6), dayAt(6.5) },
		"what is done":    func(w window.Window) (from, to time.Time) { return dayAt(0), w.Start },
	} {
		t.Run(name, func(t *testing.T) {
			w, intent := interrupted(t)
			w.records = 20
			plan := w.runBackfill(between(asked(intent)))
			if diff := cmp.Diff(intent, plan.Gaps[0]); diff != "" || !plan.Resumed {
				t.Errorf("resumed: %v, first (-want +got):\n%s", plan.Resumed, diff)
			}
			for entry, err := range w.backfilled(w.positions).Entries(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if entry.Serial == 3 && window.Window(entry.Window) != intent {
					t.Errorf("the window %v was taken, %v was intended", entry.Window, intent)
				}
			}
			if plan = w.runBackfill(); plan.Resumed {
				t.Error("a window that was committed is taken again")
			}
			w.checkBackfill()
		})
	}
}

// A stream that was begun anew, earlier, would deliver the window a second time.
func TestBackfillWhoseStreamWasReplaced(t *testing.T) {
	w, intent := interrupted(t)
	keys, err := w.positions.List(t.Context(), "archive/", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		w.positions.Remove(key)
	}
	e := w.process(w.positions, &checkpointtest.Memory{Now: w.now})
	e.Start = intent.End.Add(-time.Microsecond)
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = w.backfill(w.positions, w.objects).Run(t.Context())
	if !errors.Is(err, checkpoint.ErrCorrupt) || !strings.Contains(err.Error(), intent.Start.Format(time.RFC3339Nano)) {
		t.Errorf("it says %v", err)
	}
}

// A second backfill of the same stream waits for no one, and the stream itself is not held up.
func TestBackfillBesideTheStream(t *testing.T) {
	w := halfway(t)
	b := w.backfill(w.positions, w.objects)
	windows := 0
	b.Stream.Observer = watching(func(exporter.Commit) {
		windows++
		w.pass(time.Hour)
		w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-20 * time.Minute), Action: "Meanwhile"})
		if err := w.own(w.positions, w.objects).RunOnce(t.Context()); err != nil {
			t.Errorf("the stream itself: %v", err)
		}
		second := w.backfill(w.positions, w.objects)
		if err := second.Run(t.Context()); !isLeaseHeld(err) {
			t.Errorf("a second backfill says %v", err)
		}
	})
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.checkBackfill(); got.records != backfillRows+3+windows || windows < 3 {
		t.Errorf("%d records, %d windows", got.records, windows)
	}
}

// watching is an observer of commits.
type watching func(exporter.Commit)

func (f watching) Committed(c exporter.Commit) { f(c) }
func (watching) CaughtUp(until time.Time, _ time.Duration) {
	panic("nothing is idle: " + until.String())
}

// Ids of older windows are lower, which is no sign of a restored database; the highest one stands.
func TestBackfillKeepsTheHighestID(t *testing.T) {
	w := halfway(t)
	w.runBackfill(between(dayAt(4), dayAt(5)))
	newest, err := w.backfilled(w.positions).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.runBackfill()
	for entry, err := range w.backfilled(w.positions).Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Serial > newest.Serial && entry.MaxID < newest.MaxID {
			t.Errorf("entry %d: highest id %d after %d", entry.Serial, entry.MaxID, newest.MaxID)
		}
	}
}

// TestBackfillSimulation: backfills of any range and cycles of the stream take turns in a stormy world. In the end both
// journals account for all of time, and every row is archived exactly once.
func TestBackfillSimulation(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := halfway(t)
			w.rand = rand.New(rand.NewPCG(seed, 17))
			failures := 0
			for range 12 {
				failures += w.backfillInStorm()
				if w.rand.IntN(3) == 0 {
					w.pass(time.Hour)
					if err := w.own(w.positions, w.objects).RunOnce(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			w.runBackfill()
			w.checkBackfill()
			t.Logf("%d of 12 backfills failed", failures)
		})
	}
}

// backfillInStorm backfills some range and returns 1 if that failed.
func (w *world) backfillInStorm() int {
	positions, objects := checkpointtest.NewFaulty(w.positions), checkpointtest.NewFaulty(w.objects)
	if w.rand.IntN(3) == 0 {
		w.server.Fault(bloodhoundtest.Sequence(append(make([]bloodhoundtest.Fault, w.rand.IntN(8)), w.fault(), w.fault())...))
	}
	if w.rand.IntN(2) == 0 {
		w.storm(positions)
	}
	if w.rand.IntN(2) == 0 {
		w.storm(objects)
	}
	w.records = 30 + w.rand.IntN(200)
	b := w.backfill(positions, objects)
	from := 7 * w.rand.Float64()
	b.From, b.To = dayAt(from-0.5), dayAt(from+w.rand.Float64()*2.9)
	err := b.Run(w.t.Context())
	_, _ = positions.Kill(), objects.Kill()
	w.server.ClearFaults()
	if err == nil {
		return 0
	}
	if !errors.As(err, new(*exporter.Error)) {
		w.t.Errorf("an error without a stage: %v", err)
	}
	return 1
}

// A sink of another kind gets each record once too.
func TestBackfillOfAWebhook(t *testing.T) {
	w := halfway(t)
	sink := &collector{got: map[int64]int{}}
	positions := &checkpointtest.Memory{Now: w.now, Locks: true}
	own := w.own(positions, w.objects)
	own.Sink = sink
	if err := own.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	already := maps.Clone(sink.got)
	run := func(fail int) error {
		b := w.backfill(positions, w.objects)
		b.Stream.Sink, sink.fail = sink, fail
		return b.Run(t.Context())
	}
	if err := run(3); !errors.Is(err, errStorm) {
		t.Fatalf("a receiver that is down: %v", err)
	}
	if err := run(0); err != nil {
		t.Fatal(err)
	}
	for _, row := range w.server.Rows() {
		if sink.got[row.ID] != 1 {
			t.Errorf("id %d of %s came %d times", row.ID, row.CreatedAt, sink.got[row.ID])
		}
	}
	if len(already) == len(sink.got) {
		t.Error("the backfill delivered nothing")
	}
}

// A collector is a sink that cannot prepare, as a webhook is not bound to.
type collector struct {
	got  map[int64]int
	fail int // the write that fails; 0 for none
}

func (c *collector) Write(_ context.Context, _ window.Window, records []bloodhound.Record) (checkpoint.Receipt, error) {
	if c.fail--; c.fail == 0 {
		return checkpoint.Receipt{}, errStorm
	}
	for _, r := range records {
		c.got[r.ID]++
	}
	return checkpoint.Receipt{}, nil
}
