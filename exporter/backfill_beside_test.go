package exporter_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// A second backfill of the same stream does not wait for the first. The stream itself goes on.
func TestBackfillBesideTheStream(t *testing.T) {
	w := halfway(t)
	b := w.backfill(w.positions, w.objects)
	windows := 0
	b.Stream.Observer = watching(func(exporter.Commit) {
		windows++
		w.pass(time.Hour)
		w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-20 * time.Minute), Action: "Meanwhile"})
		if err := w.own(w.positions, w.objects).RunOnce(t.Context()); err != nil {
			t.Errorf("the stream itself: %v", err)
		}
		second := w.backfill(w.positions, w.objects)
		if err := second.Run(t.Context()); !isLeaseHeld(err) {
			t.Errorf("a second backfill says %v", err)
		}
	})
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.checkBackfill(); got.records != backfillRows+3+windows || windows < 3 {
		t.Errorf("%d records, %d windows", got.records, windows)
	}
}

// watching is an observer of commits.
type watching func(exporter.Commit)

func (f watching) Committed(c exporter.Commit) { f(c) }
func (watching) Clocks(time.Duration)          {}
func (watching) Guarded(time.Time, time.Time)  {}

func (watching) CaughtUp(until time.Time, _ time.Duration) {
	panic("nothing is idle: " + until.String())
}

// Older windows have lower ids. This does not mean that a person restored the database. The highest id stays.
func TestBackfillKeepsTheHighestID(t *testing.T) {
	w := halfway(t)
	w.runBackfill(between(dayAt(4), dayAt(5)))
	newest, err := w.backfilled(w.positions).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.runBackfill()
	for entry, err := range w.backfilled(w.positions).Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Serial > newest.Serial && entry.MaxID < newest.MaxID {
			t.Errorf("entry %d: highest id %d after %d", entry.Serial, entry.MaxID, newest.MaxID)
		}
	}
}

// TestBackfillSimulation: backfills of any range and cycles of the stream take turns in a stormy world. In the end, both
// journals together account for all of time, and the archive has every row exactly once.
func TestBackfillSimulation(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := halfway(t)
			w.rand = rand.New(rand.NewPCG(seed, 17))
			failures := 0
			for range 12 {
				failures += w.backfillInStorm()
				if w.rand.IntN(3) == 0 {
					w.pass(time.Hour)
					if err := w.own(w.positions, w.objects).RunOnce(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			w.runBackfill()
			w.checkBackfill()
			t.Logf("%d of 12 backfills failed", failures)
		})
	}
}

// backfillInStorm backfills some range and returns 1 if that failed.
func (w *world) backfillInStorm() int {
	positions, objects := checkpointtest.NewFaulty(w.positions), checkpointtest.NewFaulty(w.objects)
	if w.rand.IntN(3) == 0 {
		w.server.Fault(faults.Sequence(append(make([]bloodhoundtest.Fault, w.rand.IntN(8)), w.fault(), w.fault())...))
	}
	if w.rand.IntN(2) == 0 {
		w.storm(positions)
	}
	if w.rand.IntN(2) == 0 {
		w.storm(objects)
	}
	w.records = 30 + w.rand.IntN(200)
	b := w.backfill(positions, objects)
	from := 7 * w.rand.Float64()
	b.From, b.To = dayAt(from-0.5), dayAt(from+w.rand.Float64()*2.9)
	err := b.Run(w.t.Context())
	_, _ = positions.Kill(), objects.Kill()
	w.server.ClearFaults()
	if err == nil {
		return 0
	}
	if !errors.As(err, new(*exporter.Error)) {
		w.t.Errorf("an error without a stage: %v", err)
	}
	return 1
}

// A sink of another kind also gets each record once.
func TestBackfillOfAWebhook(t *testing.T) {
	w := halfway(t)
	sink := &collector{got: map[int64]int{}}
	positions := &checkpointtest.Memory{Now: w.now, Locks: true}
	own := w.own(positions, w.objects)
	own.Sink = whole{sink}
	if err := own.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	already := maps.Clone(sink.got)
	run := func(fail int) error {
		b := w.backfill(positions, w.objects)
		b.Stream.Sink, sink.fail = whole{sink}, fail
		return b.Run(t.Context())
	}
	if err := run(3); !errors.Is(err, errStorm) {
		t.Fatalf("a receiver that is down: %v", err)
	}
	// The windows written at the same time as the failed one are not committed. They come again, with the same event ids.
	stored, err := w.backfilled(positions).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again := maps.Clone(sink.got)
	for _, done := range stored.Covered {
		for _, row := range w.server.Rows() {
			if done.Contains(row.CreatedAt) {
				delete(again, row.ID)
			}
		}
	}
	maps.DeleteFunc(again, func(id int64, _ int) bool { return already[id] > 0 })
	if err := run(0); err != nil {
		t.Fatal(err)
	}
	for _, row := range w.server.Rows() {
		if want := 1 + again[row.ID]; sink.got[row.ID] != want {
			t.Errorf("id %d of %s came %d times, want %d", row.ID, row.CreatedAt, sink.got[row.ID], want)
		}
	}
	if len(already) == len(sink.got) {
		t.Error("the backfill delivered nothing")
	}
}

// A collector counts how often it took a record.
type collector struct {
	mu   sync.Mutex
	got  map[int64]int
	fail int // the write that fails; 0 for none
}

func (c *collector) take(records []record.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail--; c.fail == 0 {
		return errStorm
	}
	for _, r := range records {
		c.got[r.ID]++
	}
	return nil
}
