package exporter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/window"
)

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

	// The same again: all is done, and the run writes nothing.
	was := w.keys()
	plan = w.runBackfill()
	want := []exporter.Skipped{{Window: plan.Asked, Reason: exporter.SkippedDone}}
	if diff := cmp.Diff(want, plan.Skipped); diff != "" || plan.Span() != 0 {
		t.Errorf("the second run's plan is %v (-want +got):\n%s", plan.Gaps, diff)
	}
	if diff := cmp.Diff(was, w.keys()); diff != "" {
		t.Errorf("the second run wrote something:\n%s", diff)
	}

	// The stream goes on from its position.
	w.pass(time.Hour)
	w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-30 * time.Minute), Action: "New"})
	if err := w.own(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.checkBackfill(); got.records != backfillRows+4 {
		t.Errorf("%d records", got.records)
	}
}

// The user may ask for any time, in any order: no record is delivered twice, and each run names the times that it leaves out.
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

	// The time that the stream has not reached yet is also its own.
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
	for _, store := range []bucket.Bucket{w.positions, w.objects} {
		all, err := store.List(w.t.Context(), "", "")
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, all...)
	}
	return keys
}

// A stream that has not begun, or has only just begun, may still deliver the same records as a backfill.
func TestBackfillBeforeTheStream(t *testing.T) {
	w := startWorld(t, 1, bloodhoundtest.V84, dayAt(1), []bloodhoundtest.Row{{ID: 1, CreatedAt: dayAt(0.5), Action: "A"}})
	w.refuses(w.backfill(w.positions, w.objects), "the stream has not committed anything yet, so Houndtrail does not know which records it "+
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

// If a stream began at the oldest record, no time before it is left.
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

// Backfill does not say that the stream's own time has no records: the stream has delivered it.
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
