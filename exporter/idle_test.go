package exporter_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

// A cycle without a new record writes nothing, and reads very little. The next cycle with a new record takes the lease again.
func TestIdleCycle(t *testing.T) {
	for _, locks := range []bool{false, true} {
		begin := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
		rows := history.Rows(history.Options{Seed: 1, N: 300, Start: begin, End: begin.Add(10 * time.Hour)})
		w := startWorld(t, 1, bloodhoundtest.V84, begin.Add(11*time.Hour), rows)
		w.positions.Locks = locks
		positions := checkpointtest.NewFaulty(w.positions)
		e := w.process(positions, w.objects)
		if err := e.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		calls := map[checkpointtest.Op]int{}
		positions.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
			mu.Lock()
			defer mu.Unlock()
			calls[op]++
			return checkpointtest.Fault{}
		})
		for range 3 {
			w.pass(5 * time.Minute)
			clear(calls)
			if err := e.RunOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			if calls[checkpointtest.Put] != 0 || calls[checkpointtest.Get] > 2 || calls[checkpointtest.List] > 1 {
				t.Errorf("locks %v: an idle cycle takes %v", locks, maps.Clone(calls))
			}
		}
		positions.On(nil)
		entries := len(w.entries())
		w.pass(time.Hour) // an entry is due as a sign of life; the process is new, and asks for the server's time
		if err := w.process(positions, w.objects).RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := len(w.entries()); now != entries+1 {
			t.Errorf("locks %v: after an idle hour there are %d entries more", locks, now-entries)
		}
		w.checkArchive(w.objects, w.positions)
	}
}

// If two runners both find news, one exports them, and the other one writes nothing.
func TestTwoLookAtOnce(t *testing.T) {
	begin := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	rows := history.Rows(history.Options{Seed: 1, N: 300, Start: begin, End: begin.Add(10 * time.Hour)})
	w := startWorld(t, 1, bloodhoundtest.V84, begin.Add(5*time.Hour), rows)
	if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pass(6 * time.Hour)
	slow := w.process(w.positions, w.objects)
	slow.Store = held{slow.Store, func() {
		if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
			t.Error(err)
		}
	}}
	if err := slow.RunOnce(t.Context()); !isLeaseHeld(err) {
		t.Errorf("the slow one says %v, want that another one had the lease", err)
	}
	w.checkArchive(w.objects, w.positions)
	if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Error(err)
	}
}

// held is a store at which another runner works once this one has loaded the position.
type held struct {
	exporter.Store
	meanwhile func()
}

func (h held) Load(ctx context.Context) (checkpoint.Stored, error) {
	defer h.meanwhile()
	return h.Store.Load(ctx)
}
