package checkpointtest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

func accountCases() []testCase {
	return []testCase{
		{"totals add up", totals},
		{"scattered windows make up what is covered", coveredWindows},
	}
}

func totals(t *world) {
	a, b := t.journals()
	counted := func(kind checkpoint.Kind, status string, read, fresh int) checkpoint.Checkpoint {
		next := position(1)
		next.Kind, next.Records, next.Objects = kind, checkpoint.Counts{Read: read, Fresh: fresh}, nil
		for i := range fresh / 2 { // of 10 bytes each
			next.Objects = append(next.Objects, checkpoint.Object{Key: fmt.Sprintf("%d-%d", read, i), Bytes: 10})
		}
		if status != "" {
			next.ServerCount = &checkpoint.ServerCount{Status: status}
		}
		return next
	}
	holes := counted(checkpoint.KindExport, checkpoint.CountExact, 1, 1)
	holes.Holes = []checkpoint.Hole{{Reason: "x"}, {Reason: "y"}}
	changed := counted(checkpoint.KindRescan, checkpoint.CountExact, 100, 3)
	changed.Changed = &checkpoint.Changes{Altered: 3, Gone: 4}
	liar := counted(checkpoint.KindBarrier, "", 0, 0) // Commit ignores the caller's values of the fields that it fills in
	liar.Totals, liar.HolesTotal, liar.ChangedTotal = checkpoint.Totals{Delivered: 99}, 99, 99
	liar.HoledAt = liar.Cursor
	liar.Covered = []window.Window{windowOf(1)}
	var last checkpoint.Stored
	var holedAt time.Time
	for i, c := range []struct {
		next           checkpoint.Checkpoint
		want           checkpoint.Totals
		holes, changes int64
	}{
		{next: counted(checkpoint.KindExport, checkpoint.CountExact, 10, 9), want: checkpoint.Totals{Delivered: 9, Objects: 4, Bytes: 40, Exact: 10}},
		{next: counted(checkpoint.KindHistory, checkpoint.CountBounded, 20, 2), want: checkpoint.Totals{Delivered: 11, Objects: 5, Bytes: 50, Exact: 10, Bounded: 20}},
		{next: counted(checkpoint.KindExport, checkpoint.CountOff, 3, 0), want: checkpoint.Totals{Delivered: 11, Objects: 5, Bytes: 50, Exact: 10, Bounded: 20, Unknown: 3}},
		{next: counted(checkpoint.KindExport, "", 4, 0), want: checkpoint.Totals{Delivered: 11, Objects: 5, Bytes: 50, Exact: 10, Bounded: 20, Unknown: 7}},
		{next: holes, want: checkpoint.Totals{Delivered: 12, Objects: 5, Bytes: 50, Exact: 11, Bounded: 20, Unknown: 7}, holes: 2},
		{next: changed, want: checkpoint.Totals{Delivered: 15, Objects: 6, Bytes: 60, Exact: 11, Bounded: 20, Unknown: 7}, holes: 2, changes: 7},
		{next: liar, want: checkpoint.Totals{Delivered: 15, Objects: 6, Bytes: 60, Exact: 11, Bounded: 20, Unknown: 7}, holes: 2, changes: 7},
		{next: holes, want: checkpoint.Totals{Delivered: 16, Objects: 6, Bytes: 60, Exact: 12, Bounded: 20, Unknown: 7}, holes: 4, changes: 7},
	} {
		var err error
		_, err = a.Commit(t.Context(), last, c.next)
		check(t, err)
		last, err = b.Load(t.Context())
		check(t, err)
		if len(last.Holes) > 0 {
			holedAt = last.CommittedAt
		}
		if !last.HoledAt.Equal(holedAt) || holedAt.IsZero() != (last.HolesTotal == 0) {
			t.Errorf("after entry %d: the newest hole was left at %s, want %s", i+1, last.HoledAt, holedAt)
		}
		if last.Totals != c.want || last.HolesTotal != c.holes || last.ChangedTotal != c.changes || last.Covered != nil {
			t.Errorf("after entry %d: %+v, %d holes, %d changes, covered %v; want %+v, %d, %d", i+1,
				last.Totals, last.HolesTotal, last.ChangedTotal, last.Covered, c.want, c.holes, c.changes)
		}
	}
}

func coveredWindows(t *world) {
	j := checkpoint.Open(t.a, identity("host-a"), checkpoint.LeaseTTL(TTL), checkpoint.AnyOrder())
	start := position(0).Window.Start
	span := func(from, to int) window.Window {
		return window.Window{Start: start.Add(time.Duration(from) * time.Hour), End: start.Add(time.Duration(to) * time.Hour)}
	}
	var last checkpoint.Stored
	for i, c := range []struct {
		window window.Window
		want   []window.Window
	}{
		{span(10, 12), []window.Window{span(10, 12)}},
		{span(2, 4), []window.Window{span(2, 4), span(10, 12)}},
		{span(3, 3), []window.Window{span(2, 4), span(10, 12)}}, // a barrier
		{span(7, 7), []window.Window{span(2, 4), span(10, 12)}},
		{span(4, 5), []window.Window{span(2, 5), span(10, 12)}},
		{span(8, 9), []window.Window{span(2, 5), span(8, 9), span(10, 12)}},
		{span(10, 11), []window.Window{span(2, 5), span(8, 9), span(10, 12)}},
		{span(1, 13), []window.Window{span(1, 13)}},
	} {
		next := position(1)
		next.Window, next.Window.Pass = c.window, 7
		_, err := j.Commit(t.Context(), last, next)
		check(t, err)
		last, err = j.Load(t.Context())
		check(t, err)
		if diff := cmp.Diff(c.want, last.Covered); diff != "" {
			t.Fatalf("covered after entry %d (-want +got):\n%s", i+1, diff)
		}
	}
}
