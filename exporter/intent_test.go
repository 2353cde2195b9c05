package exporter_test

import (
	"errors"
	"testing"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/checkpoint/checkpointtest"
	"houndtrail/exporter"
	"houndtrail/exporter/bloodhound/bloodhoundtest"
)

// crashed is a world of an hour with 100 rows in which the first run has written its objects and died before the
// commit. What a window may hold is little more than that.
func crashed(t *testing.T) (*world, checkpoint.Window) {
	t.Helper()
	start := time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC)
	rows := make([]bloodhoundtest.Row, 100)
	for i := range rows {
		rows[i] = bloodhoundtest.Row{ID: int64(i + 1), CreatedAt: start.Add(time.Duration(i) * 30 * time.Second), Action: "A"}
	}
	w := startWorld(t, 1, bloodhoundtest.V84, start.Add(2*time.Hour), rows)
	w.records = 120
	w.positions.Locks = true
	positions := checkpointtest.NewFaulty(w.positions)
	positions.On(checkpointtest.Always(checkpointtest.Put, "1.json", checkpointtest.Fault{Before: errStorm}))
	err := w.process(positions, w.objects).RunOnce(t.Context())
	if stage := (*exporter.Error)(nil); !errors.As(err, &stage) || stage.Stage != exporter.StageCheckpoint || !errors.Is(err, errStorm) {
		t.Fatalf("the first run says %v", err)
	}
	_ = positions.Kill()
	lease, err := w.journal(w.positions).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	intent, ok := lease.Intent()
	if err := lease.Release(t.Context()); err != nil || !ok {
		t.Fatalf("no intent was left behind: %v", err)
	}
	return w, intent
}

func (w *world) firstWindow() checkpoint.Window {
	w.t.Helper()
	for entry, err := range w.journal(w.positions).Entries(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		return entry.Window
	}
	w.t.Fatal("no entry")
	return checkpoint.Window{}
}

// The window of an attempt that was not committed is taken whole, also when by now it holds more than a window may.
func TestIntentIsTakenWhole(t *testing.T) {
	w, intent := crashed(t)
	for i := range 300 {
		w.server.Add(bloodhoundtest.Row{ID: int64(1000 + i), CreatedAt: intent.Start.Add(time.Duration(i) * time.Millisecond), Action: "Late"})
	}
	if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.firstWindow(); !got.Start.Equal(intent.Start) || !got.End.Equal(intent.End) {
		t.Errorf("the window %v was taken, %v was intended", got, intent)
	}
	w.checkArchive(w.objects, w.positions)
}

// A stream that has no commit yet starts where its first attempt did, wherever the oldest record is by now: the
// attempt's objects are named after that start.
func TestNewStreamKeepsItsStart(t *testing.T) {
	w, intent := crashed(t)
	w.pass(60 * 24 * time.Hour) // the oldest record would be looked for elsewhere
	if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.firstWindow(); !got.Start.Equal(intent.Start) {
		t.Errorf("the stream starts at %s, its first attempt started at %s", got.Start, intent.Start)
	}
	w.checkArchive(w.objects, w.positions)
}

// Another overlap between two runs, longer or shorter, brings nothing twice and loses nothing that is still promised.
func TestOverlapMayChange(t *testing.T) {
	for _, overlaps := range [][2]time.Duration{{time.Minute, 6 * time.Hour}, {6 * time.Hour, time.Minute}} {
		w := month(t, bloodhoundtest.V84, 3000)
		for _, o := range overlaps {
			e := w.process(w.positions, w.objects)
			e.Overlap = o
			if err := e.RunOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-settle - 30*time.Second), VisibleAt: w.now().Add(time.Minute), Action: "Late"})
			w.pass(10 * time.Minute)
		}
		if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.checkArchive(w.objects, w.positions); got.late != 2 {
			t.Errorf("%v: %d late records, want 2", overlaps, got.late)
		}
	}
}

// On a server that has hardly begun, a row may still appear that is older than the oldest one of now.
func TestYoungServer(t *testing.T) {
	now := time.Date(2026, 10, 12, 9, 0, 0, 0, time.UTC)
	w := startWorld(t, 1, bloodhoundtest.V84, now, []bloodhoundtest.Row{
		{ID: 2, CreatedAt: now.Add(-3 * time.Minute), Action: "Early"},
		{ID: 1, CreatedAt: now.Add(-5 * time.Minute), VisibleAt: now.Add(time.Minute), Action: "Late"},
	})
	for range 2 {
		if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.pass(5 * time.Minute)
	}
	if got := w.checkArchive(w.objects, w.positions); got.records != 2 || got.late != 1 {
		t.Errorf("%d records, %d of them late", got.records, got.late)
	}
}
