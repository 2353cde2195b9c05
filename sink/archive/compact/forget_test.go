package compact_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// day3 is the first day that stays.
var day3 = day1.AddDate(0, 0, 2)

func orderBefore(before time.Time) compact.Order {
	return compact.Order{Before: before, Reason: "kept for 12 months", By: "the works council", Most: 3}
}

func agree(*compact.Plan) error { return nil }

// forgettable makes a world of six days. The first day was compacted, and a removal may take the first two.
func forgettable(t *testing.T, format string) *world {
	t.Helper()
	w := inMemory(t, format)
	w.export(3, 8*time.Hour, 2)
	w.export(1, time.Hour, 1)
	w.mustCompact()
	w.write("archive-backfill", window.Window{Start: day1.Add(-8 * time.Hour), End: day1}, w.records(day1.Add(-8*time.Hour), 8*time.Hour, 3)...)
	w.export(1, 23*time.Hour, 2)
	w.since = day1.AddDate(0, 0, 4)
	w.export(4, 24*time.Hour, 2)
	w.rescan(w.records(day1.Add(time.Hour), time.Hour, 2)...)
	return w
}

// forget removes once.
func (w *world) forget(before time.Time) (all []compact.Forgotten, err error) {
	w.Helper()
	err = w.compactor(w.files, w.positions, nil).Forget(w.Context(), orderBefore(before), agree, func(f compact.Forgotten) { all = append(all, f) })
	return all, err
}

// forgot removes the records of the days before a day from the expected records.
func (w *world) forgot(before time.Time) {
	w.written = slices.DeleteFunc(w.written, func(r record.Record) bool { return r.CreatedAt.Before(before) })
}

// TestForget: a removal takes the objects of all days before a day, for every journal that named them. The journal says which ones,
// and why. A second removal has no work, compactions leave such days alone, and the exporter goes on.
func TestForget(t *testing.T) {
	t.Parallel()
	for format := range encoders {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			w := forgettable(t, format)
			before := len(w.written)
			plan, err := w.compactor(w.files, w.positions, nil).PlanForget(t.Context(), day3)
			if err != nil {
				t.Fatal(err)
			}
			all, err := w.forget(day3)
			if err != nil {
				t.Fatal(err)
			}
			w.forgot(day3)
			w.check()
			objects, records := 0, 0
			for i, f := range all {
				if objects, records = objects+f.Objects, records+f.Records; f.Objects > 3 || i > 0 && f.Entry != all[i-1].Entry+1 {
					t.Errorf("it says %+v", all)
				}
			}
			if total := plan.Total(); len(all) < 2 || records != before-len(w.written) || total.Objects != objects || total.Records != records ||
				len(plan.Findings) > 0 || all[0].First != "2026-02-28" || all[len(all)-1].Last != "2026-03-02" {
				t.Errorf("it says %+v, and %+v was planned", all, total)
			}
			if len(w.inDays()) != 4 {
				t.Errorf("objects: %v", w.inDays())
			}
			newest, err := journal(w.positions, "archive").Load(t.Context())
			if err != nil || !newest.ForgottenBefore.Equal(day3) || newest.Forgotten.Reason != "kept for 12 months" {
				t.Errorf("the newest entry is %+v, %v", newest.Checkpoint, err)
			}
			if all, err := w.forget(day3); len(all) > 0 || err != nil {
				t.Errorf("a second time it says %+v, %v", all, err)
			}
			w.export(1, time.Hour, 2)
			w.mustCompact()
		})
	}
}

// TestForgetKilled: a process dies at every single write, before or after its effect. A removal or a compaction comes next, and
// then the archive agrees with the journal. Another removal finishes the work.
func TestForgetKilled(t *testing.T) {
	t.Parallel()
	start := forgettable(t, "ndjson")
	remove := func(c *compact.Compactor) error {
		return c.Forget(t.Context(), orderBefore(day3), agree, func(compact.Forgotten) {})
	}
	for _, after := range []bool{false, true} {
		at := int64(1)
		for ; ; at++ {
			w := start.clone(t)
			if !w.diesOver(at, after, remove) {
				break
			}
			other := w.clone(t)
			if all, err := w.forget(day3); err != nil {
				t.Fatalf("killed at write %d, after its effect: %v: then it says %+v, %v", at, after, all, err)
			}
			w.forgot(day3)
			w.check()
			// A compaction removes only the objects that an entry names.
			if _, err := other.compact(); err != nil {
				t.Fatalf("killed at write %d, after its effect: %v: a compaction says %v", at, after, err)
			}
			other.checkJournal()
			if _, err := other.forget(day3); err != nil {
				t.Fatal(err)
			}
			other.forgot(day3)
			other.check()
			if t.Failed() {
				t.Fatalf("killed at write %d, after its effect: %v", at, after)
			}
		}
		if at < 20 {
			t.Errorf("a removal makes %d writes", at)
		}
	}
}

// TestForgetKilledInDirectories is the same test in directories, at some of the writes.
func TestForgetKilledInDirectories(t *testing.T) {
	t.Parallel()
	for at := int64(1); ; at += 3 {
		files, err := dir.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		positions, err := dir.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, t, files, positions, "ndjson")
		w.since = day1.AddDate(0, 0, 3)
		w.export(7, 24*time.Hour, 1)
		reached := w.diesOver(at, at%2 == 0, func(c *compact.Compactor) error {
			return c.Forget(t.Context(), orderBefore(day3), agree, func(compact.Forgotten) {})
		})
		if !reached {
			break
		}
		if _, err := w.forget(day3); err != nil {
			t.Fatal(err)
		}
		w.forgot(day3)
		w.check()
	}
}

// TestForgetKilledAndStateLost: if the state of a dead removal is lost too, the next one uses the journal.
func TestForgetKilledAndStateLost(t *testing.T) {
	t.Parallel()
	start := forgettable(t, "ndjson")
	for at := int64(4); ; at += 2 {
		w := start.clone(t)
		reached := w.diesOver(at, true, func(c *compact.Compactor) error {
			return c.Forget(t.Context(), orderBefore(day3), agree, func(compact.Forgotten) {})
		})
		if !reached {
			break
		}
		if err := w.positions.Delete(t.Context(), "archive/state/compact.json"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.compact(); err != nil { // it must not merge the removed objects
			t.Fatal(err)
		}
		if _, err := w.forget(day3); err != nil {
			t.Fatal(err)
		}
		w.forgot(day3)
		w.check()
	}
}

// TestForgetAfterDeadCompaction: a removal and a compaction never work at the same time. If one died, the other first finishes its
// work.
func TestForgetAfterDeadCompaction(t *testing.T) {
	t.Parallel()
	start := forgettable(t, "ndjson")
	for at := int64(2); ; at += 2 {
		w := start.clone(t)
		if !w.dies(at, true) {
			break
		}
		if _, err := w.forget(day3); err != nil {
			t.Fatalf("a compaction was killed at write %d: %v", at, err)
		}
		w.forgot(day3)
		w.check()
	}
	// The compaction notes its intent after the removal has made its plan.
	w := start.clone(t)
	intent := checkpoint.OpenState[compact.Intent](w.positions, "archive", compact.StateName)
	c := w.compactor(w.files, w.positions, nil)
	keys := w.keys()
	err := c.Forget(t.Context(), orderBefore(day3), func(*compact.Plan) error {
		return intent.Replace(t.Context(), compact.Intent{Made: checkpoint.Object{Key: "audit/x"}})
	}, func(compact.Forgotten) {})
	if !errors.Is(err, checkpoint.ErrConflict) || !slices.Equal(keys, w.keys()) {
		t.Errorf("while a compaction is under way: %v", err)
	}
	w = start.clone(t)
	compacted := false
	err = w.compactor(w.files, w.positions, nil).Forget(t.Context(), orderBefore(day3), func(*compact.Plan) error {
		compacted = true
		_, err := w.compact()
		return err
	}, func(compact.Forgotten) {})
	if !errors.Is(err, checkpoint.ErrConflict) || !compacted {
		t.Errorf("after a compaction that came between: %v", err)
	}
	w.check()
}

// TestForgetTooEarly: if records of a day may still come, the removal refuses that day and writes nothing.
func TestForgetTooEarly(t *testing.T) {
	t.Parallel()
	start := forgettable(t, "ndjson")
	intend := func(stream string, win window.Window) func(w *world) {
		return func(w *world) {
			lease, err := journal(w.positions, stream).Acquire(t.Context())
			if err == nil {
				err = errors.Join(lease.Intend(t.Context(), win), lease.Release(t.Context()))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		before time.Time
		change func(w *world)
		older  time.Duration
		says   string
	}{
		"the overlap":     {before: day1.AddDate(0, 0, 5), says: "the latest day that can be given is 2026-03-05"},
		"the closed days": {before: day1.AddDate(0, 0, 4), older: 73 * time.Hour, says: "the latest day that can be given is 2026-03-03"},
		"an attempt": {
			before: day3, change: intend("archive", window.Window{Start: day1.Add(time.Hour), End: day1.Add(2 * time.Hour), Pass: 1000}),
			says: "was begun and not committed",
		},
		"a backfill that was cut off": {
			before: day3, change: intend("archive-backfill", window.Window{Start: day1.Add(-20 * time.Hour), End: day1.Add(-9 * time.Hour)}),
			says: "was begun and not committed",
		},
		"a history": {before: day3, change: func(w *world) {
			j := journal(w.positions, "archive")
			newest, err := j.Load(t.Context())
			if err == nil {
				next := newest.Standing(checkpoint.KindBarrier)
				next.History = &checkpoint.History{From: day1.AddDate(0, 0, -9), Next: day1.AddDate(0, 0, -9), Until: day1, Pass: 7000}
				_, err = j.Commit(t.Context(), newest, next)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, says: "appeared before its start"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start.clone(t)
			if test.change != nil {
				test.change(w)
			}
			positions := checkpointtest.NewFaulty(w.positions)
			positions.On(checkpointtest.Always(checkpointtest.Put, "", checkpointtest.Fault{Before: errors.New("it writes")}))
			c := w.compactor(w.files, positions, nil)
			c.OlderThan = test.older
			_, planned := c.PlanForget(t.Context(), test.before)
			err := c.Forget(t.Context(), orderBefore(test.before), agree, func(compact.Forgotten) {})
			for _, err := range []error{planned, err} {
				if !errors.Is(err, compact.ErrNotYet) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("it says %v", err)
				}
			}
			w.check()
		})
	}
	// A backfill that works holds its lease.
	w := start.clone(t)
	lease, err := journal(w.positions, "archive-backfill").Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.forget(day3); !errors.Is(err, checkpoint.ErrLeaseHeld) || !strings.Contains(err.Error(), "a backfill works") {
		t.Errorf("beside a backfill: %v", err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.check()
}

// TestForgetAfterBackfill: the lease of a backfill may still name an attempt that was committed long ago. That does not prevent a
// removal.
func TestForgetAfterBackfill(t *testing.T) {
	t.Parallel()
	w := forgettable(t, "ndjson")
	lease, err := journal(w.positions, "archive-backfill").Acquire(t.Context())
	if err == nil {
		err = errors.Join(lease.Intend(t.Context(), window.Window{Start: day1.Add(-8 * time.Hour), End: day1}), lease.Release(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.forget(day3); err != nil {
		t.Fatal(err)
	}
	w.forgot(day3)
	w.check()
}

// TestForgetFindings: if an object differs from the journal, it stays as evidence. An object that no entry names stays too. The
// removal takes the rest. If an object is already gone, the entry does not say that this removal deleted it.
func TestForgetFindings(t *testing.T) {
	t.Parallel()
	w := forgettable(t, "ndjson")
	keys := w.keys()
	changed, gone := keys[0], keys[2]
	_, version, _, err := w.files.Get(t.Context(), changed)
	if err == nil {
		_, err = w.files.Put(t.Context(), changed, []byte("another"), version)
	}
	if err = errors.Join(err, w.files.Delete(t.Context(), gone)); err != nil {
		t.Fatal(err)
	}
	w.put(window.Window{Start: day1.Add(time.Minute), End: day1.Add(2 * time.Minute)}, w.records(day1.Add(time.Minute), time.Minute, 1)...)
	_, err = w.forget(day3)
	if !errors.Is(err, compact.ErrFinding) || !strings.Contains(err.Error(), changed+" has 7 bytes") || !strings.Contains(err.Error(), "no entry names audit/") {
		t.Errorf("it says %v", err)
	}
	if n := w.inDays(); n["dt=2026-02-28"] != 1 || n["dt=2026-03-01"] != 1 || n["dt=2026-03-02"] != 0 {
		t.Errorf("objects: %v", n)
	}
	for entry, err := range journal(w.positions, "archive").Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Forgotten != nil && slices.ContainsFunc(entry.Forgotten.Removed, func(r checkpoint.Removal) bool { return r.Key == gone || r.Key == changed }) {
			t.Errorf("entry %d removes what was gone or changed", entry.Serial)
		}
	}
}

// TestForgetQuarantine: the bytes of an element that is no record go with their day, unless a later day has the same bytes.
func TestForgetQuarantine(t *testing.T) {
	t.Parallel()
	w := forgettable(t, "ndjson")
	j := journal(w.positions, "archive")
	hole := func(text string, at ...time.Time) string {
		t.Helper()
		sum := sha256.Sum256([]byte(text))
		key := "quarantine/tenant=" + tenant + "/" + hex.EncodeToString(sum[:]) + ".json"
		newest, err := j.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		next := newest.Standing(checkpoint.KindBarrier)
		for _, at := range at {
			next.Holes = append(next.Holes, checkpoint.Hole{CreatedAt: at, Key: key, SHA256: hex.EncodeToString(sum[:]), Reason: "no id"})
		}
		if _, err := w.files.Put(t.Context(), key, []byte(text), ""); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		if _, err := j.Commit(t.Context(), newest, next); err != nil {
			t.Fatal(err)
		}
		return key
	}
	old, both := hole("{}", day1.Add(time.Hour)), hole("[]", day3.Add(time.Hour), day1)
	all, err := w.forget(day3)
	if err != nil {
		t.Fatal(err)
	}
	w.forgot(day3)
	w.check()
	_, _, _, goneErr := w.files.Get(t.Context(), old)
	_, _, _, keptErr := w.files.Get(t.Context(), both)
	if !errors.Is(goneErr, fs.ErrNotExist) || keptErr != nil {
		t.Errorf("the bytes of a removed day: %v; of one that stays: %v; it says %+v", goneErr, keptErr, all)
	}
	// The same bytes come again, on a day that stays.
	hole("{}", day3.Add(2*time.Hour))
	if all, err := w.forget(day3); len(all) > 0 || err != nil {
		t.Errorf("a second time it says %+v, %v", all, err)
	}
	if _, _, _, err := w.files.Get(t.Context(), old); err != nil {
		t.Errorf("the same bytes of a later day: %v", err)
	}
}

// TestForgetAdopted: after an adoption, no entry names the objects. So the removal reads each object that it names.
func TestForgetAdopted(t *testing.T) {
	t.Parallel()
	w := forgettable(t, "parquet")
	old := w.keys()
	newPositions := &checkpointtest.Memory{Locks: true}
	j := journal(newPositions, "archive")
	_, err := j.Commit(t.Context(), checkpoint.Stored{}, checkpoint.Checkpoint{
		Kind: checkpoint.KindAdopt, Start: day1, Cursor: w.at, Epoch: 9000, DeliveredSince: w.since,
		Window:  window.Window{Start: w.at, End: w.at, Pass: 9000},
		Adopted: &checkpoint.Adoption{Reason: "lost", Objects: len(old), Records: int64(len(w.written))},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.positions = newPositions
	all, err := w.forget(day3)
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	for _, f := range all {
		records += f.Records
	}
	before := len(w.written)
	w.forgot(day3)
	if records != before-len(w.written) || len(w.inDays()) != 4 {
		t.Errorf("it says %+v, and left %v", all, w.inDays())
	}
}

// TestForgetNoRight: without the right to delete, a removal writes no entry.
func TestForgetNoRight(t *testing.T) {
	t.Parallel()
	w := forgettable(t, "ndjson")
	files := checkpointtest.NewFaulty(w.files)
	refused := fmt.Errorf("AccessDenied: %w", fs.ErrPermission)
	files.On(checkpointtest.Always(checkpointtest.Delete, "", checkpointtest.Fault{Before: refused}))
	before, err := journal(w.positions, "archive").Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = w.compactor(files, w.positions, nil).Forget(t.Context(), orderBefore(day3), agree, func(compact.Forgotten) {})
	if !errors.Is(err, compact.ErrDenied) {
		t.Errorf("it says %v", err)
	}
	if after, err := journal(w.positions, "archive").Load(t.Context()); err != nil || after.Serial != before.Serial {
		t.Errorf("it committed entry %d, %v", after.Serial, err)
	}
	// The right is lost after the entry: the next removal goes on.
	files.On(checkpointtest.Always(checkpointtest.Delete, ".gz", checkpointtest.Fault{Before: refused}))
	err = w.compactor(files, w.positions, nil).Forget(t.Context(), orderBefore(day3), agree, func(compact.Forgotten) {})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "run houndtrail forget again") {
		t.Errorf("it says %v", err)
	}
	if _, err := w.forget(day3); err != nil {
		t.Fatal(err)
	}
	w.forgot(day3)
	w.check()
}
