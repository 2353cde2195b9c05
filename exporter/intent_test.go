package exporter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// crashed is a world of an hour with 100 rows in which the first run has written its objects and died before the commit. A
// window may hold only a few more rows.
func crashed(t *testing.T) (*world, window.Window) {
	t.Helper()
	start := time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC)
	rows := make([]bloodhoundtest.Row, 100)
	for i := range rows {
		rows[i] = bloodhoundtest.Row{ID: int64(i + 1), CreatedAt: start.Add(time.Duration(i) * 30 * time.Second), Action: "A"}
	}
	w := startWorld(t, 1, bloodhoundtest.V84, start.Add(2*time.Hour), rows)
	w.pageSize, w.records = 120, 120
	w.positions.Locks = true
	positions := checkpointtest.NewFaulty(w.positions)
	positions.Bucket = losing{w.positions, w, "1.json"}
	err := w.process(positions, w.objects).RunOnce(t.Context())
	if stage := (*exporter.Error)(nil); !errors.As(err, &stage) || stage.Stage != exporter.StageCheckpoint || !errors.Is(err, errStorm) {
		t.Fatalf("the first run says %v", err)
	}
	_ = positions.Kill()
	lease, err := w.journal(w.positions).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	intents := lease.Intents()
	if err := lease.Release(t.Context()); err != nil || len(intents) == 0 {
		t.Fatalf("no intent was left behind: %v", err)
	}
	return w, intents[0]
}

// losing is a store that loses an entry, or gets it late.
type losing struct {
	bucket.Bucket
	world *world
	entry string // the end of its key
}

func (l losing) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	if strings.HasSuffix(key, l.entry) {
		l.world.lost.key, l.world.lost.body = key, slices.Clone(body)
		return "", errStorm
	}
	return l.Bucket.Put(ctx, key, body, version)
}

func (w *world) firstWindow() window.Window {
	w.t.Helper()
	for entry, err := range w.journal(w.positions).Entries(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		if entry.Window.Start.Before(entry.Window.End) {
			return entry.Window
		}
	}
	w.t.Fatal("no entry")
	return window.Window{}
}

// The exporter takes the window of an uncommitted attempt whole, even if by now it holds more than a window may.
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

// If a second attempt gets none of the records that the first attempt wrote, it commits nothing. If it did, no entry would
// account for the first attempt's file, and its records would come a second time.
func TestAttemptThatFindsNothing(t *testing.T) {
	w, intent := crashed(t)
	again := func() error {
		e := w.process(w.positions, w.objects)
		e.VerifyCount = false // the count of a replica agrees with its own records
		e.Destination.Attempt = func(ctx context.Context, of window.Window) ([]string, error) {
			if of != intent {
				t.Errorf("objects of %v are asked for, the attempt was at %v", of, intent)
			}
			return w.objects.List(ctx, "", "")
		}
		return e.RunOnce(t.Context())
	}
	rows := w.server.Rows()
	for _, r := range rows {
		w.server.Delete(r.ID)
	}
	err := again()
	if !errors.Is(err, exporter.ErrIncomplete) || !strings.Contains(err.Error(), ".parquet") {
		t.Errorf("the second attempt says %v", err)
	}
	if entries := w.entries(); len(entries) > 0 && entries[len(entries)-1].Kind != checkpoint.KindBarrier {
		t.Errorf("it committed %+v", entries[len(entries)-1])
	}
	w.server.Restore(rows...)
	if err := again(); err != nil {
		t.Fatal(err)
	}
	if got := w.checkArchive(w.objects, w.positions); got.records != 100 {
		t.Errorf("%d records, want 100", got.records)
	}
}

// A commit may arrive at any later time, even if its sender gave up or has died. Once the next attempt has replaced the
// objects, that commit has a wrong account of them, and it must not become an entry.
func TestCommitThatArrivesLate(t *testing.T) {
	for _, arrives := range []string{"2.json", "1.json"} { // just before that entry of the next attempt
		w, intent := crashed(t)
		w.server.Add(bloodhoundtest.Row{ID: 1000, CreatedAt: intent.End.Add(-5 * time.Minute), Action: "Late"})
		positions := &checkpointtest.Faulty{Bucket: w.positions}
		positions.On(func(ctx context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
			if op == checkpointtest.Put && strings.HasSuffix(key, arrives) {
				if _, err := w.positions.Put(ctx, w.lost.key, w.lost.body, ""); (err == nil) != (arrives == "1.json") {
					t.Errorf("the late commit, just before %s, ends with %v", key, err)
				}
			}
			return checkpointtest.Fault{}
		})
		if err := w.process(positions, w.objects).RunOnce(t.Context()); (err == nil) == (arrives == "1.json") {
			t.Errorf("the late commit came just before %s, and the attempt says: %v", arrives, err)
		}
		_ = positions.Kill()
		w.pass(5 * time.Minute)
		w.run()
		if got := w.checkArchive(w.objects, w.positions); got.records != 101 {
			t.Errorf("%d records, want 101", got.records)
		}
	}
}

// A barrier rejects a late commit. It is an entry of the same lineage, and has no other effect: it is no reset, and no rescan
// is due after it.
func TestWhatKeepsACommitOut(t *testing.T) {
	w, _ := crashed(t)
	w.rescan = 24 * time.Hour
	w.run()
	w.accept()
	w.server.Add(bloodhoundtest.Row{ID: 1000, CreatedAt: w.now(), Action: "After"})
	w.pass(20 * time.Minute)
	positions := &checkpointtest.Faulty{Bucket: losing{w.positions, w, "4.json"}}
	if err := w.process(positions, w.objects).RunOnce(t.Context()); !errors.Is(err, errStorm) {
		t.Fatal(err)
	}
	_ = positions.Kill()
	w.pass(5 * time.Minute)
	w.run()
	var kinds []string
	entries := w.entries()
	for _, entry := range entries {
		kinds = append(kinds, string(entry.Kind))
	}
	if entries[len(entries)-1].RescannedAt.IsZero() {
		t.Error("a rescan is still due at the end")
	}
	if want := []string{"barrier", "export", "reset", "barrier", "rescan", "export"}; !slices.Equal(slices.Compact(kinds), want) {
		t.Errorf("the entries are %v, want %v", kinds, want)
	}
	if last := entries[len(entries)-1]; last.Lineage != entries[2].Lineage || last.Epoch <= 3 {
		t.Errorf("the lineage that began with entry 3 ends with the epoch %d", last.Epoch)
	}
	w.checkArchive(w.objects, w.positions)
}

// If an attempt failed before it sent its commit, no commit can arrive late, so there is no barrier: if a destination stays
// down, the journal does not grow.
func TestNothingToKeepOut(t *testing.T) {
	w, _ := crashed(t)
	objects := &checkpointtest.Faulty{Bucket: w.objects}
	objects.On(checkpointtest.Always(checkpointtest.Put, "", checkpointtest.Fault{Before: errStorm}))
	w.server.Add(bloodhoundtest.Row{ID: 1000, CreatedAt: w.now().Add(-time.Hour), Action: "Late"})
	for range 3 {
		if err := w.process(w.positions, objects).RunOnce(t.Context()); !errors.Is(err, errStorm) {
			t.Fatalf("with a destination that is down: %v", err)
		}
	}
	if got := len(w.entries()); got != 1 {
		t.Errorf("%d entries, want the one that keeps out the commit of the first attempt", got)
	}
}

// A stream without a commit starts at the same time as its first attempt, even if another record is the oldest one now: the
// attempt's objects are named after that start.
func TestNewStreamKeepsItsStart(t *testing.T) {
	w, intent := crashed(t)
	w.pass(60 * 24 * time.Hour) // another record is the source's oldest one now
	if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.firstWindow(); !got.Start.Equal(intent.Start) {
		t.Errorf("the stream starts at %s, its first attempt started at %s", got.Start, intent.Start)
	}
	w.checkArchive(w.objects, w.positions)
}

// If the user makes the overlap longer or shorter between two runs, no record comes twice. No record is lost that the settings
// still promise.
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

// On a server that has hardly begun, a row may still appear that is older than the present oldest one.
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
