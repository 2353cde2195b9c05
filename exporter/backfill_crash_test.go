package exporter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A process dies at every single write, before or after the write has its effect. The next process goes on.
func TestBackfillIsKilledAtEveryStep(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := int64(1); ; at++ {
			w := halfway(t)
			if !w.dies(at, after, w.backfills) {
				if at < 20 {
					t.Errorf("a whole backfill makes %d writes", at)
				}
				break
			}
			w.runBackfill()
			if got := w.checkBackfill(); got.records != backfillRows+3 {
				t.Errorf("write %d: %d records", at, got.records)
			}
			if t.Failed() {
				t.Fatalf("killed at write %d, after its effect: %v", at, after)
			}
		}
	}
}

// interrupted is a world in which a backfill has written its second window, and some more, and died before the commit.
func interrupted(t *testing.T) (w *world, whole window.Window, intents []window.Window) {
	t.Helper()
	w = halfway(t)
	positions := checkpointtest.NewFaulty(w.positions)
	positions.On(checkpointtest.Always(checkpointtest.Put, "archive-backfill/00000000000000000/00000000000000000002.json",
		checkpointtest.Fault{Before: errStorm}))
	if err := w.backfill(positions, w.objects).Run(t.Context()); !errors.Is(err, errStorm) {
		t.Fatalf("the first run says %v", err)
	}
	if err := positions.Kill(); err != nil {
		t.Fatal(err)
	}
	lease, err := w.backfilled(w.positions).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	intents = lease.Intents()
	if err := lease.Release(t.Context()); err != nil || len(intents) == 0 {
		t.Fatalf("no intent was left behind: %v", err)
	}
	return w, window.Window{Start: intents[0].Start, End: intents[len(intents)-1].End}, intents
}

// The next run first takes exactly the windows that the interrupted run had begun, even if the user asks for another time now,
// or the run's own windows are smaller.
func TestBackfillTakesTheIntendedWindow(t *testing.T) {
	for name, asked := range map[string]func(w window.Window) (from, to time.Time){
		"everything":      func(window.Window) (from, to time.Time) { return time.Time{}, time.Time{} },
		"from its middle": func(w window.Window) (from, to time.Time) { return w.Start.Add(w.Span() / 2), time.Time{} },
		"elsewhere":       func(window.Window) (from, to time.Time) { return dayAt(6), dayAt(6.5) },
		"what is done":    func(w window.Window) (from, to time.Time) { return dayAt(0), w.Start },
	} {
		t.Run(name, func(t *testing.T) {
			w, intent, intents := interrupted(t)
			w.records = 20
			plan := w.runBackfill(between(asked(intent)))
			if diff := cmp.Diff(intent, plan.Gaps[0]); diff != "" || !plan.Resumed {
				t.Errorf("resumed: %v, first (-want +got):\n%s", plan.Resumed, diff)
			}
			for entry, err := range w.backfilled(w.positions).Entries(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if n := int(entry.Serial) - 3; n >= 0 && n < len(intents) && !entry.Window.Equal(intents[n]) {
					t.Errorf("the window %v was taken, %v was intended", entry.Window, intents[n])
				}
			}
			if plan = w.runBackfill(); plan.Resumed {
				t.Error("a window that was committed is taken again")
			}
			w.checkBackfill()
		})
	}
}

// If the user begins the stream anew with an earlier start, the stream delivers the interrupted window. The backfill would deliver
// it a second time, so it stops.
func TestBackfillWhoseStreamWasReplaced(t *testing.T) {
	w, intent, _ := interrupted(t)
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
