package exporter_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// A program is one run over a process's own view of the stores.
type program func(positions, objects bucket.Bucket) error

// dies runs a program that dies at a write, before or after the write has its effect. It returns whether the program came so
// far. Between two writes, the exact moment of its death changes nothing.
func (w *world) dies(at int64, after bool, run program) bool {
	w.t.Helper()
	positions, objects := checkpointtest.NewFaulty(w.positions), checkpointtest.NewFaulty(w.objects)
	var writes atomic.Int64
	hook := func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op != checkpointtest.Put {
			return checkpointtest.Fault{}
		}
		switch n := writes.Add(1); {
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
	case writes.Load() < at:
		if err != nil {
			w.t.Fatal(err)
		}
		return false
	case err == nil && writes.Load() > at: // the note of the last commit may fail, and all writes after the work
		w.t.Errorf("it died at write %d of %d and says nothing", at, writes.Load())
	}
	return true
}

// left is the state that a dead process has left for the next one: the number of the journal's entries, and the declared
// windows.
func (w *world) left(stream string, j *checkpoint.Journal) (state string, declared int) {
	w.t.Helper()
	lease, err := j.LeaseStatus(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	entries, err := w.positions.List(w.t.Context(), stream+"/0", "")
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%d entries, declared %v", len(entries), lease.Intents), len(lease.Intents)
}

// A process dies with several windows under way. The next one dies as well, at every single write. The third one would plan
// smaller windows than both, but it takes their windows as they were declared.
func TestKilledTwice(t *testing.T) {
	past := func(t *testing.T) *world {
		w := startWorld(t, 5, bloodhoundtest.V84, dayAt(backfillDays).Add(time.Hour), pastRows())
		w.records = 50
		return w
	}
	for stream, test := range map[string]struct {
		world   func(*testing.T) *world
		run     func(*world) program
		journal func(*world, bucket.Bucket) *checkpoint.Journal
		check   func(*world) tally
		rows    int
	}{
		"archive": {past, func(w *world) program { return w.cycles }, (*world).journal, func(w *world) tally {
			return w.checkArchive(w.objects, w.positions)
		}, backfillRows},
		"archive-backfill": {halfway, func(w *world) program { return w.backfills }, (*world).backfilled, (*world).checkBackfill, backfillRows + 3},
	} {
		t.Run(stream, func(t *testing.T) {
			left := func(w *world) (string, int) { return w.left(stream, test.journal(w, w.positions)) }
			seen := map[string]bool{}
			for first := int64(1); ; first++ {
				w := test.world(t)
				if !w.dies(first, true, test.run(w)) {
					break
				}
				state, declared := left(w)
				if seen[state] || declared < 2 {
					continue
				}
				seen[state] = true
				for second := range int64(4 * declared) { // the writes that take them over and commit them
					if second > 0 {
						w = test.world(t)
						w.dies(first, true, test.run(w))
						state, _ = left(w)
					}
					w.pass(5 * time.Minute)
					w.records = 40
					reached := w.dies(second+1, true, test.run(w))
					between, _ := left(w)
					w.pass(5 * time.Minute)
					if err := test.run(w)(w.positions, w.objects); err != nil {
						t.Fatalf("killed at write %d, left %s; then at write %d, left %s: %v", first, state, second+1, between, err)
					}
					if got := test.check(w); got.records != test.rows {
						t.Errorf("killed at writes %d and %d: %d records", first, second+1, got.records)
					}
					if !reached || t.Failed() {
						break
					}
				}
			}
			if len(seen) < 2 {
				t.Errorf("a process died with several windows under way in %d ways", len(seen))
			}
		})
	}
}

// cycles is one cycle of the stream.
func (w *world) cycles(positions, objects bucket.Bucket) error {
	return w.process(positions, objects).RunOnce(w.t.Context())
}
