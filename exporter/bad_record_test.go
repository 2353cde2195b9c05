package exporter_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// badEnds is a log of some days with bad rows at its ends: the server cannot print them, or they are no records.
func badEnds(t *testing.T, unprintable, first, last bool) (w *world, good int, bad []time.Time) {
	w = month(t, bloodhoundtest.V84, 300)
	rows := slices.SortedFunc(slices.Values(w.server.Rows()), func(a, b bloodhoundtest.Row) int { return a.CreatedAt.Compare(b.CreatedAt) })
	add := func(id int64, at time.Time) {
		bad = append(bad, at)
		w.server.Add(bloodhoundtest.Row{ID: id, CreatedAt: at, Action: "Bad", Unprintable: unprintable})
	}
	id := int64(-5)
	if unprintable {
		id = 1_000_000
	}
	if first {
		add(id, rows[0].CreatedAt.Add(-40*24*time.Hour))
	}
	if last {
		add(id-1, w.now().Add(-settle-time.Second))
	}
	return w, len(rows), bad
}

// holes are the times of the rows that the journal lists as holes.
func (w *world) holes() (at []time.Time) {
	for _, entry := range w.entries() {
		for _, h := range entry.Holes {
			at = append(at, h.CreatedAt)
		}
	}
	return at
}

// The first run over a log with bad ends names the bad row. It exports no record after that row. With quarantine, it delivers
// all other records and names the holes. Once a person has repaired the row, no record is missing.
func TestFirstRunWithBadEnds(t *testing.T) {
	for name, test := range map[string]struct{ unprintable, first, last bool }{
		"unprintable, the oldest":         {true, true, false},
		"unprintable, the newest":         {true, false, true},
		"unprintable, both":               {true, true, true},
		"not one for us, the oldest":      {false, true, false},
		"not one for us, the newest":      {false, false, true},
		"not one for us, both ends of it": {false, true, true},
	} {
		t.Run("goes on: "+name, func(t *testing.T) {
			w, good, bad := badEnds(t, test.unprintable, test.first, test.last)
			w.quarantine = true
			w.run()
			if n := w.checkArchive(w.objects, w.positions); n.records != good {
				t.Errorf("%d records", n.records)
			}
			if got := w.holes(); !slices.EqualFunc(got, bad, time.Time.Equal) {
				t.Errorf("holes %v, want %v", got, bad)
			}
			w.pass(20 * time.Minute)
			w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-10 * time.Minute), Action: "Later"})
			w.run()
			if n := w.checkArchive(w.objects, w.positions); n.records != good+1 || len(w.holes()) != len(bad) {
				t.Errorf("%d records and %d holes after the second run", n.records, len(w.holes()))
			}
		})
		t.Run("stops: "+name, func(t *testing.T) {
			w, good, bad := badEnds(t, test.unprintable, test.first, test.last)
			for _, at := range bad {
				err := w.process(w.positions, w.objects).RunOnce(t.Context())
				row, ok := errors.AsType[*bloodhound.BadRecordError](err)
				if !ok || !row.CreatedAt.Equal(at) {
					t.Fatalf("the cycle says %v, want the row of %s", err, at)
				}
				for _, r := range w.archived(w.objects) {
					if r.CreatedAt.After(at) {
						t.Fatalf("a record of %s is exported, and the row of %s is not", r.CreatedAt, at)
					}
				}
				w.repair(at)
			}
			w.run()
			if n := w.checkArchive(w.objects, w.positions); n.records != good+len(bad) || len(w.holes()) > 0 {
				t.Errorf("%d records, %d holes", n.records, len(w.holes()))
			}
		})
	}
}

// repair repairs the row of an instant, as a person does.
func (w *world) repair(at time.Time) {
	rows := w.server.Rows()
	for i := range rows {
		if r := &rows[i]; r.CreatedAt.Equal(at) && bad(*r) {
			r.Unprintable = false
			r.ID = max(r.ID, 2_000_000+int64(i))
		}
	}
	w.server.Restore(rows...)
}

// If a bad row is stamped ahead of the clocks, the run names it. With quarantine, the row is a hole, and the run delivers the
// records around it.
func TestBadRowAhead(t *testing.T) {
	for _, quarantine := range []bool{false, true} {
		w := month(t, bloodhoundtest.V84, 300)
		w.quarantine = quarantine
		w.run()
		w.pass(20 * time.Minute)
		at := w.now().Add(5 * time.Hour)
		w.server.Add(
			bloodhoundtest.Row{CreatedAt: w.now().Add(-10 * time.Minute), Action: "Due"},
			bloodhoundtest.Row{CreatedAt: at.Add(-time.Hour), VisibleAt: w.now(), Action: "Ahead"},
			bloodhoundtest.Row{CreatedAt: at, VisibleAt: w.now(), Action: "Bad", Unprintable: true},
		)
		err := w.process(w.positions, w.objects).RunOnce(t.Context())
		row, stopped := errors.AsType[*bloodhound.BadRecordError](err)
		if stopped == quarantine || stopped && !row.CreatedAt.Equal(at) || !stopped && err != nil {
			t.Fatalf("the cycle says %v", err)
		}
		if !quarantine {
			continue
		}
		all := w.entries()
		if last := all[len(all)-1]; last.Kind != checkpoint.KindAhead || len(last.Holes) != 1 || !last.Holes[0].CreatedAt.Equal(at) {
			t.Errorf("the last entry is %+v", last)
		}
		if got := w.actions(); got["Due"] != 1 || got["Ahead"] != 1 {
			t.Errorf("%d records were due, %d ahead", got["Due"], got["Ahead"])
		}
	}
}
