package exporter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/checkpoint/checkpointtest"
	"houndtrail/exporter/bloodhound/bloodhoundtest"
)

// A program is one run over a process's own view of the stores.
type program func(positions, objects checkpoint.Bucket) error

// dies runs a program that dies at a call of a store, before or after the call has its effect, and tells whether it came so far.
func (w *world) dies(at int64, after bool, run program) bool {
	w.t.Helper()
	positions, objects := checkpointtest.NewFaulty(w.positions), checkpointtest.NewFaulty(w.objects)
	var calls atomic.Int64
	hook := func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
		switch n := calls.Add(1); {
		case n == at && after:
			return checkpointtest.Fault{After: checkpointtest.ErrDead}
		case n >= at:
			return checkpointtest.Fault{Before: checkpointtest.ErrDead}
		default:
			return checkpointtest.Fault{}
		}
	}
	positions.On(hook)
	objects.On(hook)
	err := run(positions, objects)
	if dead := errors.Join(positions.Kill(), objects.Kill()); dead != nil {
		w.t.Fatal(dead)
	}
	switch {
	case calls.Load() < at:
		if err != nil {
			w.t.Fatal(err)
		}
		return false
	case err == nil && calls.Load() > at: // the note of the last commit may fail, and whatever comes after everything
		w.t.Errorf("it died at call %d of %d and says nothing", at, calls.Load())
	}
	return true
}

// left is what a process that died has left for the next one to go by: the windows that it declared, and how many entries
// of the journal.
func (w *world) left(stream string) (state string, declared int) {
	w.t.Helper()
	var lease struct{ Intents []checkpoint.Window }
	if body, _, _, err := w.positions.Get(w.t.Context(), stream+"/state/lease.json"); err == nil {
		if err := json.Unmarshal(body, &lease); err != nil {
			w.t.Fatal(err)
		}
	}
	entries, err := w.positions.List(w.t.Context(), stream+"/0", "")
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%d entries, declared %v", len(entries), lease.Intents), len(lease.Intents)
}

// A process dies with several windows under way, and so does the next one, at every single call. The third one plans smaller
// windows than both: what they left is taken as it was declared.
func TestKilledTwice(t *testing.T) {
	past := func(t *testing.T) *world {
		w := startWorld(t, 5, bloodhoundtest.V84, dayAt(backfillDays).Add(time.Hour), pastRows())
		w.records = 50
		return w
	}
	for stream, test := range map[string]struct {
		world func(*testing.T) *world
		run   func(*world) program
		check func(*world) tally
		rows  int
	}{
		"archive": {past, func(w *world) program {
			return func(positions, objects checkpoint.Bucket) error {
				return w.process(positions, objects).RunOnce(t.Context())
			}
		}, func(w *world) tally { return w.checkArchive(w.objects, w.positions) }, backfillRows},
		"archive-backfill": {halfway, func(w *world) program { return w.backfills }, (*world).checkBackfill, backfillRows + 3},
	} {
		t.Run(stream, func(t *testing.T) {
			seen, several := map[string]bool{}, 0
			for first := int64(1); ; first++ {
				w := test.world(t)
				if !w.dies(first, true, test.run(w)) {
					break
				}
				state, declared := w.left(stream)
				if seen[state] || declared < 2 {
					continue
				}
				seen[state], several = true, several+1
				for second := int64(1); ; second++ {
					if second > 1 {
						w = test.world(t)
						w.dies(first, true, test.run(w))
					}
					if state, declared = w.left(stream); declared < 2 {
						break
					}
					w.pass(5 * time.Minute)
					w.records = 20
					reached := w.dies(second, true, test.run(w))
					w.pass(5 * time.Minute)
					if err := test.run(w)(w.positions, w.objects); err != nil {
						between, _ := w.left(stream)
						t.Fatalf("killed at call %d, left %s; then at call %d, left %s: %v", first, state, second, between, err)
					}
					if got := test.check(w); got.records != test.rows {
						t.Errorf("killed at calls %d and %d: %d records", first, second, got.records)
					}
					if !reached || t.Failed() {
						break
					}
				}
			}
			if several < 2 {
				t.Errorf("a process died with several windows under way in %d ways", several)
			}
		})
	}
}
