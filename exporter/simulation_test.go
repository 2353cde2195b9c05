package exporter_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"houndtrail/checkpoint/checkpointtest"
	"houndtrail/exporter"
	"houndtrail/exporter/bloodhound/bloodhoundtest"
)

// stormy is a world three days long that a simulation goes through.
func stormy(t *testing.T, seed uint64, profile bloodhoundtest.Profile) *world {
	start := time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(seed, 11))
	w := startWorld(t, seed, profile, start.Add(20*time.Hour), stormyHistory(r, seed, start))
	w.rand, w.end = r, start.Add(80*time.Hour)
	w.positions.Locks, w.guesses = seed%2 == 0, seed%3 == 0
	return w
}

// history is three days of rows that are hard to keep: late ones up to the last moment that is promised, many at one
// instant, ids in disorder.
func stormyHistory(r *rand.Rand, seed uint64, start time.Time) []bloodhoundtest.Row {
	rows := bloodhoundtest.History(bloodhoundtest.HistoryOptions{
		Seed: seed, N: 700, Start: start.Add(time.Hour), End: start.Add(72 * time.Hour),
	})
	tie := rows[r.IntN(len(rows)-200)].CreatedAt
	for i := range rows {
		switch r.IntN(10) {
		case 0:
			late := time.Duration(r.Int64N(int64(settle + overlap - time.Second)))
			rows[i].VisibleAt = rows[i].CreatedAt.Add(late)
		case 1, 2:
			rows[i].CreatedAt, rows[i].VisibleAt = tie, time.Time{}
		}
	}
	return rows
}

// faults of the API, of which one may strike a cycle.
func (w *world) fault() bloodhoundtest.Fault {
	all := []bloodhoundtest.Fault{
		bloodhoundtest.TimedOut(), bloodhoundtest.InternalError(), bloodhoundtest.SessionExpired(), bloodhoundtest.Forbidden(),
		bloodhoundtest.RateLimited(bloodhoundtest.LimitHeaders{}), bloodhoundtest.Empty(), bloodhoundtest.NotJSON(),
		bloodhoundtest.Proxy(502), bloodhoundtest.Redirect("https://elsewhere.example/"), bloodhoundtest.TruncatedGzip(),
		bloodhoundtest.Cut(), bloodhoundtest.TruncatedJSON(), bloodhoundtest.Malformed(`{"id":"x"}`), bloodhoundtest.OldestFirst(),
	}
	return all[w.rand.IntN(len(all))]
}

var errStorm = errors.New("storm")

// storm fails a random call of a store, before or after its effect, or kills the process there.
func (w *world) storm(f *checkpointtest.Faulty) {
	at, kind := int64(1+w.rand.IntN(12)), w.rand.IntN(3)
	var calls atomic.Int64
	f.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op == checkpointtest.Lock || calls.Add(1) != at {
			return checkpointtest.Fault{}
		}
		switch kind {
		case 0:
			return checkpointtest.Fault{Before: errStorm}
		case 1:
			return checkpointtest.Fault{After: errStorm}
		default:
			go func() { _ = f.Kill() }() // it may be dead before this call's effect or after it
			return checkpointtest.Fault{}
		}
	})
}

// TestSimulation is the central test. A faulty world goes on for days; in the end every row that the API showed in
// time is in the archive exactly once, in the partition of its own day, nothing else is there, and the journal accounts
// for every object.
func TestSimulation(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		profile := bloodhoundtest.Profiles[seed%uint64(len(bloodhoundtest.Profiles))]
		t.Run(fmt.Sprintf("%s/%d", profile, seed), func(t *testing.T) {
			t.Parallel()
			w := stormy(t, seed, profile)
			failures := 0
			for range 14 {
				failures += w.cycle()
				w.pass(time.Duration(w.rand.IntN(6*3600)) * time.Second)
			}
			w.calm()
			w.checkArchive(w.objects, w.positions)
			t.Logf("%d of 14 cycles failed", failures)
		})
	}
}

// cycle runs one process through whatever the world has for it, and returns 1 if it failed.
func (w *world) cycle() int {
	positions := &checkpointtest.Faulty{Bucket: w.positions}
	objects := &checkpointtest.Faulty{Bucket: w.objects}
	if w.rand.IntN(3) == 0 {
		w.server.Fault(bloodhoundtest.Sequence(append(make([]bloodhoundtest.Fault, w.rand.IntN(6)), w.fault(), w.fault())...))
	}
	if w.rand.IntN(3) == 0 {
		w.storm(positions)
	}
	if w.rand.IntN(3) == 0 {
		w.storm(objects)
	}
	err := w.process(positions, objects).RunOnce(w.t.Context())
	_, _ = positions.Kill(), objects.Kill() // whatever was still under way has no effect any more
	w.server.ClearFaults()
	if err == nil {
		return 0
	}
	if !errors.As(err, new(*exporter.Error)) {
		w.t.Errorf("an error without a stage: %v", err)
	}
	return 1
}

// calm lets the last rows become visible and the last leases run out, and runs until nothing is left.
func (w *world) calm() {
	w.clock.Store(w.end.Unix())
	for range 3 {
		w.pass(5 * time.Minute)
		if err := w.process(w.positions, w.objects).RunOnce(w.t.Context()); err != nil {
			w.t.Fatalf("in calm weather: %v", err)
		}
	}
}
