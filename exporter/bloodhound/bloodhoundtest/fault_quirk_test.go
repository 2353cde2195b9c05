package bloodhoundtest_test

import (
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
)

func TestOldestFirst(t *testing.T) {
	d := newDouble(bt.V84, ago(1*time.Second), ago(2*time.Second), ago(3*time.Second))
	d.Fault(faults.OldestFirst())
	wantIDs(t, d.page(t, "?limit=2"), 3, 2)
	wantIDs(t, d.page(t, "?limit=2&skip=2&sort_by=-created_at"), 1)
	d.Add(bt.Row{ID: 9, CreatedAt: noon.Add(-3 * time.Second)})
	wantIDs(t, d.page(t, "?sort_by=-id"), 9, 3, 2, 1)
}

func TestNewestFirst(t *testing.T) {
	d := newDouble(bt.Legacy2024, ago(1*time.Second), ago(2*time.Second), bt.Row{ID: 9, CreatedAt: noon.Add(-2 * time.Second)})
	d.Fault(faults.NewestFirst())
	wantIDs(t, d.page(t, "?sort_by=created_at&sort_by=id"), 1, 2, 9)
	wantIDs(t, d.page(t, "?sort_by=created_at&sort_by=-id&limit=2"), 1, 9)
	wantIDs(t, d.page(t, "?sort_by=-created_at&sort_by=-id"), 1, 9, 2) // the one order that is the same on every server
}

func TestLaggingReplica(t *testing.T) {
	late := bt.Row{ID: 4, CreatedAt: noon.Add(-time.Hour), VisibleAt: noon.Add(-20 * time.Second)}
	d := newDouble(bt.V84, ago(10*time.Second), ago(40*time.Second), late)
	d.Fault(faults.Next(1, faults.Lagging(30*time.Second)))
	got := d.page(t, "")
	wantIDs(t, got, 40)
	if *got.Count != 1 {
		t.Errorf("count %d: the replica counts what it does not have", *got.Count)
	}
	wantIDs(t, d.page(t, ""), 10, 40, 4)
}

func TestCountIgnoresFilters(t *testing.T) {
	d := newDouble(bt.V84, ago(1*time.Second), ago(2*time.Second), ago(3*time.Second))
	d.Fault(faults.CountIgnoresFilters())
	got := d.page(t, "?created_at=gte:2026-01-15T12:34:55Z")
	wantIDs(t, got, 1)
	if *got.Count != 3 {
		t.Errorf("count %d", *got.Count)
	}
	wantError(t, d.get(auditPath+"?id=eq:x"), 500, "an internal error")
}

func TestIgnoresWindow(t *testing.T) {
	d := newDouble(bt.V84, ago(1*time.Second), ago(2*time.Second), ago(400*24*time.Hour))
	d.Fault(faults.IgnoresWindow())
	const target = "?before=2020-01-01T00:00:00Z&after=2019-01-01T00:00:00Z"
	wantIDs(t, d.page(t, target), 1, 2)
	d.page(t, target, signed(auditPath+target, "2026-01-15T12:34:56Z")...) // the signature still covers the sent target
}

func TestSameIDTwice(t *testing.T) {
	d := newDouble(bt.V84, ago(1*time.Second), ago(2*time.Second), ago(3*time.Second))
	d.Fault(faults.SameIDTwice())
	got := d.page(t, "")
	wantIDs(t, got, 1, 1, 2, 3)
	if first, second := got.Data.Logs[0], got.Data.Logs[1]; first.Action == second.Action {
		t.Errorf("the same twice: %+v", first)
	}
	wantIDs(t, d.page(t, "?limit=3"), 1, 1, 2)
	wantIDs(t, d.page(t, "?limit=1"), 1)
	wantIDs(t, d.page(t, "?id=gt:3"))
}

func TestQuirksAddUp(t *testing.T) {
	d := newDouble(bt.V84, ago(1*time.Second), ago(20*time.Second), ago(30*time.Second))
	d.Fault(faults.Lagging(10 * time.Second))
	d.Fault(faults.OldestFirst())
	wantIDs(t, d.page(t, ""), 30, 20)
}

func TestUnprintableRows(t *testing.T) {
	bad := ago(2 * time.Second)
	bad.Unprintable = true
	for _, p := range []bt.Profile{bt.Documented, bt.Legacy2024, bt.V84} {
		d := newDouble(p, ago(1*time.Second), bad, ago(3*time.Second))
		for _, query := range []string{"", "?limit=2", "?sort_by=id", "?status=eq:success"} {
			wantError(t, d.get(auditPath+query), 500, "an internal error has occurred")
		}
		wantIDs(t, d.page(t, "?limit=1"), 1)
		wantIDs(t, d.page(t, "?sort_by=created_at&limit=1"), 3)
		wantIDs(t, d.page(t, "?after=2026-01-15T12:34:55Z"), 1)
		wantIDs(t, d.page(t, "?before=2026-01-15T12:34:53.999999Z"), 3)
		if got := d.page(t, "?limit=1"); got.Count != nil && *got.Count != 3 {
			t.Errorf("%s: count %d: the database does not print to count", p, *got.Count)
		}
	}
}
