package simulation

import (
	"flag"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var (
	seeds = flag.Int("sim.seeds", fewSeeds, "how many worlds there are, from seed 0 on")
	seed  = flag.Int64("sim.seed", -1, "the seed of the one world to go through, of which everything is printed")
)

// tooMany is the number of failures that ends a long run: more failures look alike.
const tooMany = 10

// TestSimulation is the central test. Each seed is a world of its own, in which the invariants hold after every step.
func TestSimulation(t *testing.T) {
	if *seed >= 0 {
		w := live(t, uint64(*seed))
		if w.violation == "" {
			t.Logf("%s\n%s", w.plan, w.story(everything))
		}
		return
	}
	worlds := *seeds
	if testing.Short() {
		worlds = min(worlds, 50)
	}
	total := tally{}
	var mu sync.Mutex
	var failures atomic.Int64
	t.Run("seed", func(t *testing.T) {
		for s := range worlds {
			t.Run(strconv.Itoa(s), func(t *testing.T) {
				t.Parallel()
				if failures.Load() >= tooMany {
					t.Fatalf("not tried, after %d failures", tooMany)
				}
				w := live(t, uint64(s))
				if w.violation != "" {
					failures.Add(1)
				}
				mu.Lock()
				defer mu.Unlock()
				total.add(w.tally)
			})
		}
	})
	for _, what := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%8d  %s", total[what], what)
	}
	total.checkVariety(t, worlds)
}

// TestReplay checks that a world depends only on its seed: the same events happen at the same moments.
func TestReplay(t *testing.T) {
	for s := range uint64(20) {
		t.Run(strconv.FormatUint(s, 10), func(t *testing.T) {
			t.Parallel()
			first, second := live(t, s).lines(), live(t, s).lines()
			slices.Sort(first) // at one moment, two requests of a stream may come in any order
			slices.Sort(second)
			for i := range min(len(first), len(second)) {
				if first[i] != second[i] {
					t.Fatalf("line %d is\n%s\nthen\n%s", i+1, first[i], second[i])
				}
			}
			if len(first) != len(second) {
				t.Errorf("%d lines, then %d", len(first), len(second))
			}
		})
	}
}

// live runs the world of a seed from its beginning to its end.
func live(t *testing.T, seed uint64) *world {
	t.Helper()
	var w *world
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, newPlan(seed))
		w.run()
		if w.violation != "" {
			t.Errorf("%s\n%s\n%s\nreplay: go test ./exporter/simulation -run Simulation -sim.seed=%d -v",
				w.violation, w.plan, w.story(told()), seed)
		}
	})
	// Every eighth world is a large enough sample. A verification reads every object, and costs as much as the world.
	if w.violation == "" && seed%8 == 0 {
		w.verify(t)
	}
	return w
}

// told is the number of events that a failing test prints: all events if the user asked for one seed.
func told() int {
	if *seed >= 0 {
		return everything
	}
	return latest
}

// A tally counts events, to show that they happened.
type tally map[string]int

func (t tally) add(other tally) {
	for what, n := range other {
		t[what] += n
	}
}

// needed are the events that a few hundred worlds must contain. Without them, the test proves less than it says.
var needed = []string{
	"cycles that went well", "cycles that failed", "rows that came late", "entries", "objects", "objects replaced",
	"windows of several days", "windows in parts", "windows of which an earlier attempt left parts", "events sent again", "batches side by side", "leases taken over", "leases held by another runner",
	"commits that were too late", "effects after an error", "calls of the dead", "zombies that woke up",
	"steps of the server's clock", "steps of the stores' clock", "steps of our clock", "wild dates",
	"cycles behind the position", "searches behind the position", "debts paid",
	"prunings", "commits kept out", "windows searched again", "stragglers",
	"answers of the blind", "records that came to light", "answers of a replica that lags", "rows that a restore took",
	"sources that changed", "entries of kind reset", "journals that were lost", "journals that were gone",
	"entries of kind adopt", "journals put back", "windows of backfills", "backfills that went well",
	"cycles that wrote nothing", "notes that were behind", "sets as a part of an entry", "sets as a change", "sets as objects",
	"sets that no entry names", "compactions that went well", "compactions that failed", "entries of kind compact",
	"removals that went well", "removals that failed", "removals that came too early", "entries of kind forget",
	"objects deleted by removals", "objects deleted by compactions", "sets that were there already", "windows in flight together",
	"batches with a poisoned record", "letters written", "letters",
}

func (t tally) checkVariety(tb testing.TB, worlds int) {
	tb.Helper()
	const enough = 250
	if worlds < enough {
		return
	}
	for _, what := range needed {
		if t[what] == 0 {
			tb.Errorf("in %d worlds there were no %s", worlds, what)
		}
	}
}
