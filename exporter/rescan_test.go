package exporter_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// straggling is a world whose stream has caught up. Then a record appears that is older than any overlap.
func straggling(t *testing.T, rescan time.Duration) *world {
	t.Helper()
	w := month(t, bloodhoundtest.V84, 3000)
	w.rescan = rescan
	w.run()
	w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-20 * time.Hour), Action: "Straggler"})
	return w
}

func (w *world) run() {
	w.t.Helper()
	if err := w.process(w.positions, w.objects).RunOnce(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// days lets days pass with a cycle each six hours.
func (w *world) days(n int) {
	w.t.Helper()
	for range 4 * n {
		w.pass(6*time.Hour + time.Minute)
		w.run()
	}
}

// The next rescan delivers a straggler once. The straggler then lies beside the records that the first walk over its span
// delivered.
func TestRescan(t *testing.T) {
	w := straggling(t, 24*time.Hour)
	w.days(1)
	if got := w.checkArchive(w.objects, w.positions); got.late != 1 {
		t.Errorf("%d late records, want the straggler", got.late)
	}
	entries := len(w.entries())
	w.days(2)
	w.checkArchive(w.objects, w.positions)
	again, remembered := 0, w.now().Add(-4*24*time.Hour)
	for _, entry := range w.entries()[entries:] {
		if entry.Window.Pass > entry.Epoch {
			again++
			if entry.Records.Fresh > 0 {
				t.Errorf("entry %d delivers %d records once more", entry.Serial, entry.Records.Fresh)
			}
		}
	}
	if again == 0 {
		t.Error("no day was searched again")
	}
	all := w.entries()
	if last := all[len(all)-1]; last.DeliveredSince.Before(remembered) {
		t.Errorf("ids are remembered since %s: rescans do not forget", last.DeliveredSince)
	}
}

// A rescan's last window found a record, and its process died before it could give its lease back: the lease still declares
// that window. Then the user moves the journal. The next run goes on, and the archive has every record once.
func TestMoveAfterRescan(t *testing.T) {
	w := month(t, bloodhoundtest.V84, 3000)
	w.rescan, w.schedule = 24*time.Hour, never{}
	w.run()
	w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-30 * time.Minute), Action: "Straggler"})
	w.pass(10 * time.Minute)
	w.schedule = always{}
	found := func() bool {
		all := w.entries()
		last := all[len(all)-1]
		return last.Window.Pass > last.Epoch && last.Records.Fresh == 1
	}
	positions := &checkpointtest.Faulty{Bucket: w.positions}
	positions.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		if op == checkpointtest.Put && strings.HasSuffix(key, "lease.json") && found() {
			return checkpointtest.Fault{Before: errStorm}
		}
		return checkpointtest.Fault{}
	})
	_ = w.process(positions, w.objects).RunOnce(t.Context())
	if !found() {
		t.Fatal("the last window is not the one that has the straggler")
	}
	w.pass(5 * time.Minute)
	w.schedule = daily{}
	w.destination = "memory://elsewhere"
	moved, err := w.journal(w.positions).Move(t.Context(), "a larger disk", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.days(2)
	if got := w.checkArchive(w.objects, w.positions); got.late != 1 {
		t.Errorf("%d late records, want the straggler", got.late)
	}
	if all := w.entries(); all[len(all)-1].Serial <= moved.Serial {
		t.Errorf("nothing was committed after entry %d, which moved the journal", moved.Serial)
	}
}

// If a straggler appeared in time, the stream delivers it, even if no cycle ran for days after that and the next rescan is not
// due yet.
func TestRescanAfterStandstill(t *testing.T) {
	w := straggling(t, 24*time.Hour)
	w.pass(4 * 24 * time.Hour)
	w.schedule = never{}
	w.run()
	if got := w.checkArchive(w.objects, w.positions); got.late != 1 {
		t.Errorf("%d late records, want the straggler", got.late)
	}
}

// always is due at once.
type always struct{}

func (always) Next(after time.Time) time.Time { return after }

// never is due after the end of all tests.
type never struct{}

func (never) Next(after time.Time) time.Time { return after.Add(10 * 365 * 24 * time.Hour) }

// If a record appears later than RESCAN after its time, Houndtrail does not promise to deliver it. Without rescans it promises
// no straggler.
func TestRescanOff(t *testing.T) {
	w := straggling(t, 0)
	w.days(3)
	for _, r := range w.archived(w.objects) {
		if r.Action == "Straggler" {
			t.Error("a straggler was found without a rescan")
		}
	}
}

// If a rescan is killed at any of its writes, the archive has no record twice, and no object that the journal does not know.
func TestRescanKilled(t *testing.T) {
	for call := 1; call <= 12; call++ {
		w := straggling(t, 24*time.Hour)
		w.positions.Locks = call%2 == 0
		for range 3 {
			w.pass(6 * time.Hour)
			w.run()
		}
		w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-19 * time.Hour), Action: "Straggler"})
		w.pass(6 * time.Hour)
		positions, objects := &checkpointtest.Faulty{Bucket: w.positions}, &checkpointtest.Faulty{Bucket: w.objects}
		// The calls of the straggler's window and of later windows: the windows that were due before it are committed.
		var n atomic.Int64
		kill := func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
			if op == checkpointtest.Put && strings.HasPrefix(key, "archive/0") {
				n.Add(1)
			}
			if n.Load() > 0 && n.Add(1) > int64(call) {
				return checkpointtest.Fault{Before: errStorm}
			}
			return checkpointtest.Fault{}
		}
		positions.On(kill)
		objects.On(kill)
		_ = w.process(positions, objects).RunOnce(t.Context())
		_, _ = positions.Kill(), objects.Kill()
		w.pass(5 * time.Minute)
		// The server may have more records of the window by then.
		w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-18 * time.Hour), Action: "Straggler"})
		w.days(2)
		if got := w.checkArchive(w.objects, w.positions); got.late != 3 {
			t.Errorf("killed after %d calls: %d late records, want 3", call, got.late)
		}
	}
}

// If a record appears before the start of a young stream, it is history. The next rescan finds it too, and then forgets it. The
// stream delivers it once.
func TestRescanBesideHistory(t *testing.T) {
	now := time.Date(2026, 10, 12, 22, 30, 0, 0, time.UTC)
	first, straggler := now.Add(-23*time.Hour), now.Add(-24*time.Hour)
	w := startWorld(t, 3, bloodhoundtest.V84, now, []bloodhoundtest.Row{{ID: 10, CreatedAt: first, Action: "First"}})
	w.rescan, w.schedule = 24*time.Hour, always{}
	w.run()
	w.server.Add(bloodhoundtest.Row{ID: 9, CreatedAt: straggler, Action: "Straggler"})
	w.pass(2 * time.Hour)
	w.server.Add(bloodhoundtest.Row{ID: 11, CreatedAt: w.now().Add(-time.Hour), Action: "Next"})
	w.run() // the run looks for the oldest record, and a rescan is due
	w.days(1)
	w.checkArchive(w.objects, w.positions)
	if got := len(w.archived(w.objects)); got != 3 {
		t.Errorf("the archive holds %d records, want 3", got)
	}
	entries := w.entries()
	if last := entries[len(entries)-1]; !last.Start.Equal(straggler) || last.History != nil {
		t.Errorf("it accounts for what is after %s, and history is %v", last.Start, last.History)
	}
}
