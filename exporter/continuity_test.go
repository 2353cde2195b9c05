package exporter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// accept accepts the reset, as a person does who knows what happened.
func (w *world) accept() {
	w.t.Helper()
	if _, err := w.process(w.positions, w.objects).AcceptReset(w.t.Context(), w.journal(w.positions), time.Time{}, "a test"); err != nil {
		w.t.Fatal(err)
	}
}

// actions are the archived records' actions, each with its number.
func (w *world) actions() map[string]int {
	w.t.Helper()
	n := map[string]int{}
	for _, r := range w.archived(w.objects) {
		n[r.Action]++
	}
	return n
}

func TestSourceChanged(t *testing.T) {
	newRow := func(w *world, action string, id int64) {
		w.server.Add(bloodhoundtest.Row{ID: id, CreatedAt: w.now().Add(time.Minute), Action: action})
	}
	for name, tc := range map[string]struct {
		change func(w *world)
		says   string
	}{
		"restored from a backup": {func(w *world) {
			backup := w.now().Add(-30 * time.Hour)
			rows := slices.DeleteFunc(w.server.Rows(), func(r bloodhoundtest.Row) bool { return r.CreatedAt.After(backup) })
			w.server.Restore(rows...)
			newRow(w, "After", 0)
		}, "is not there any more"},
		"begun anew": {func(w *world) {
			w.server.Restore()
			newRow(w, "After", 0)
		}, "is not there any more"},
		"another server, with higher ids": {func(w *world) {
			w.server.Restore()
			newRow(w, "After", 1_000_000)
		}, "is not there any more"},
		"an id for a second time": {func(w *world) {
			rows := slices.DeleteFunc(w.server.Rows(), func(r bloodhoundtest.Row) bool { return r.CreatedAt.After(w.now().Add(-4 * time.Hour)) })
			newRow(w, "After", rows[len(rows)-1].ID) // of a record that Houndtrail did not read again
		}, "has a new record with the id"},
		"a clock that was set back": {func(w *world) {
			w.pass(-60 * time.Hour)
			newRow(w, "After", 0)
		}, "the server's clock says"},
		"old records were dropped while no cycle ran": {func(w *world) {
			w.pass(100 * 24 * time.Hour)
			w.server.Prune(w.now().Add(-90 * 24 * time.Hour))
			newRow(w, "After", 0)
		}, "drops old records, and may have dropped some"},
	} {
		t.Run(name, func(t *testing.T) {
			w := month(t, bloodhoundtest.V84, 2000)
			w.rescan = 24 * time.Hour
			w.run()
			before, archived := len(w.entries()), len(w.archived(w.objects))
			tc.change(w)
			w.pass(20 * time.Minute)
			err := w.process(w.positions, w.objects).RunOnce(t.Context())
			if !errors.Is(err, exporter.ErrSourceChanged) || !strings.Contains(err.Error(), tc.says) ||
				!strings.Contains(err.Error(), "houndtrail accept-reset") {
				t.Fatalf("the cycle says %v, want %v with %q and what to do", err, exporter.ErrSourceChanged, tc.says)
			}
			if got := len(w.entries()); got != before || len(w.archived(w.objects)) != archived {
				t.Errorf("%d entries before, %d after", before, got)
			}
			w.accept()
			w.run()
			w.pass(20 * time.Minute)
			newRow(w, "Later", 0)
			w.pass(20 * time.Minute)
			w.run()
			if got := w.actions(); got["After"] != 1 || got["Later"] != 1 {
				t.Errorf("%d records of after the change, %d of later on", got["After"], got["Later"])
			}
			if got := len(w.archived(w.objects)); got < archived {
				t.Errorf("%d records were archived before, %d now", archived, got)
			}
		})
	}
}

// These events may happen to any log. None of them is a change of the source.
func TestSourceGoesOn(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"retention drops what was exported": func(w *world) { w.server.Prune(w.now().Add(-time.Hour)) },
		"the clock is set back a little":    func(w *world) { w.pass(-8 * time.Minute) },
		"a record after a quiet month": func(w *world) {
			for range 30 {
				w.pass(24 * time.Hour)
				w.run()
			}
		},
		"a record after a quiet half year, the rest was dropped": func(w *world) {
			for range 180 {
				w.pass(24 * time.Hour)
				w.run()
			}
			w.server.Prune(w.now().Add(-90 * 24 * time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := month(t, bloodhoundtest.V84, 2000)
			w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-settle - time.Minute), Action: "Last"})
			w.rescan = 24 * time.Hour
			w.run()
			change(w)
			w.server.Add(bloodhoundtest.Row{CreatedAt: w.now(), Action: "After"})
			w.pass(20 * time.Minute)
			w.run()
			if got := w.actions(); got["After"] != 1 {
				t.Errorf("%d records of after the change", got["After"])
			}
		})
	}
}

// A person may restore the log between two cycles. The next cycle notices it even if no window is due, as directly after
// another cycle.
func TestSourceChangedAtOnce(t *testing.T) {
	w := month(t, bloodhoundtest.V84, 200)
	w.run()
	w.run() // nothing is due, and all is well
	w.server.Restore()
	if err := w.process(w.positions, w.objects).RunOnce(t.Context()); !errors.Is(err, exporter.ErrSourceChanged) {
		t.Errorf("the cycle says %v, want %v", err, exporter.ErrSourceChanged)
	}
}

// A stream stood still right after it had searched the last day once more. Then a reset takes along only the records that the
// entries really know. The search finds few records, and its objects have no other records of its window.
func TestResetAfterRescan(t *testing.T) {
	w := straggling(t, 24*time.Hour)
	w.pass(25 * time.Hour)
	newest := func() checkpoint.Kind { return w.entries()[len(w.entries())-1].Kind }
	dying := &checkpointtest.Faulty{Bucket: w.positions}
	dying.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		if op == checkpointtest.Put && !checkpoint.Rewritten(key) && newest() == checkpoint.KindRescan {
			return checkpointtest.Fault{Before: errStorm}
		}
		return checkpointtest.Fault{}
	})
	if err := w.process(dying, w.objects).RunOnce(t.Context()); !errors.Is(err, errStorm) || newest() != checkpoint.KindRescan {
		t.Fatalf("the newest entry is of kind %s, and the cycle says %v", newest(), err)
	}
	w.pass(30 * 24 * time.Hour)
	w.accept()
	w.run()
	w.checkArchive(w.objects, w.positions)
}

// A reset knows the records that an attempt at a history has left. No run makes that attempt again: its records may be in a
// part of the log that a restore removed.
func TestResetEndsAnAttempt(t *testing.T) {
	now := time.Date(2026, 10, 12, 12, 0, 0, 0, time.UTC)
	w := startWorld(t, 3, bloodhoundtest.V84, now, []bloodhoundtest.Row{{ID: 10, CreatedAt: now.Add(-time.Hour), Action: "First"}})
	w.rescan = 24 * time.Hour
	w.run()
	w.server.Add(bloodhoundtest.Row{ID: 9, CreatedAt: now.Add(-40 * 24 * time.Hour), Action: "Old"})
	w.pass(2 * time.Hour)
	w.server.Add(bloodhoundtest.Row{ID: 11, CreatedAt: w.now().Add(-time.Hour), Action: "Next"})
	attempts := &checkpointtest.Faulty{Bucket: w.positions}
	attempts.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		old := len(w.archived(w.objects)) == 3 // the history's object is written
		if op == checkpointtest.Put && old && !checkpoint.Rewritten(key) {
			return checkpointtest.Fault{Before: errStorm}
		}
		return checkpointtest.Fault{}
	})
	if err := w.process(attempts, w.objects).RunOnce(t.Context()); !errors.Is(err, errStorm) {
		t.Fatalf("the attempt says %v", err)
	}
	w.server.Delete(9, 11)
	w.pass(time.Hour)
	again := func() error {
		e := w.process(w.positions, w.objects)
		e.Destination.Attempt = func(ctx context.Context, of window.Window) ([]string, error) {
			var keys []string
			for key := range w.bodies(w.objects) {
				if strings.Contains(key, of.Start.Format("20060102T150405")) {
					keys = append(keys, key)
				}
			}
			return keys, nil
		}
		return e.RunOnce(t.Context())
	}
	if err := again(); !errors.Is(err, exporter.ErrSourceChanged) {
		t.Fatalf("after the restore it says %v", err)
	}
	w.accept()
	if err := again(); err != nil {
		t.Errorf("after the reset it says %v", err)
	}
}
