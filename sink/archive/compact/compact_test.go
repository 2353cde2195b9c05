package compact_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// TestDays: a closed day becomes one object. The day of the position stays. A late record is one more object, and the next
// compaction merges it.
func TestDays(t *testing.T) {
	t.Parallel()
	for format := range encoders {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			w := inMemory(t, format)
			w.export(50, time.Hour, 7)
			days := w.mustCompact()
			if fmt.Sprint(w.inDays()) != "map[dt=2026-03-01:1 dt=2026-03-02:1 dt=2026-03-03:2]" {
				t.Errorf("objects: %v", w.inDays())
			}
			if len(days) != 2 || days[0].Day != "2026-03-01" || days[0].Objects != 24 || days[0].Made != 1 || days[0].Records != 168 ||
				days[0].Size >= days[0].Bytes {
				t.Errorf("it says %+v", days)
			}
			if days := w.mustCompact(); len(days) > 0 {
				t.Errorf("a second time it says %+v", days)
			}
			w.rescan(w.records(day1.Add(time.Hour), time.Hour, 3)...)
			if days := w.mustCompact(); len(days) != 1 || days[0].Objects != 2 || days[0].Records != 171 || w.inDays()["dt=2026-03-01"] != 1 {
				t.Errorf("after a late record it says %+v", days)
			}
		})
	}
}

// TestHistories plays arbitrary histories: windows of any span with any number of records, late ones, backfilled ones, and attempts
// without a commit. There are compactions between them. After each compaction, the archive has every record once.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		format := rapid.SampledFrom([]string{"parquet", "ndjson", "ndjson", "ndjson"}).Draw(rt, "format")
		w := newWorld(rt, t, new(checkpointtest.Memory), &checkpointtest.Memory{Locks: true}, format)
		w.memory = rapid.SampledFrom([]int64{1, 3 * 20_000, 96 << 20}).Draw(rt, "memory")
		backfilled := day1.Add(-48 * time.Hour)
		w.export(1, time.Hour, 1)
		steps := map[string]func(*rapid.T){
			"export": func(rt *rapid.T) {
				span := time.Duration(rapid.Int64Range(1, 30*3600).Draw(rt, "span")) * time.Second
				w.export(rapid.IntRange(1, 5).Draw(rt, "windows"), span, rapid.IntRange(0, 5).Draw(rt, "records"))
			},
			"rescan": func(rt *rapid.T) {
				from := day1.Add(time.Duration(rapid.Int64Range(0, int64(w.at.Sub(day1)/time.Second)-1).Draw(rt, "at")) * time.Second)
				w.rescan(w.records(from, min(w.at.Sub(from), 40*time.Hour), rapid.IntRange(1, 3).Draw(rt, "records"))...)
			},
			"backfill": func(rt *rapid.T) {
				if !backfilled.Before(day1) {
					return
				}
				span := time.Duration(rapid.Int64Range(1, 10).Draw(rt, "span")) * time.Hour
				win := window.Window{Start: backfilled, End: backfilled.Add(span)}
				w.write("archive-backfill", win, w.records(win.Start, min(span, day1.Sub(win.Start)), 2)...)
				backfilled = win.End
			},
			"compact": func(*rapid.T) { w.mustCompact() },
		}
		for _, step := range rapid.SliceOfN(rapid.SampledFrom(slices.Sorted(maps.Keys(steps))), 1, 8).Draw(rt, "steps") {
			steps[step](rt)
		}
		w.mustCompact()
		last := "dt=" + w.at.Format(time.DateOnly)
		for day, n := range w.inDays() {
			if n > 1 && day < last && w.memory > 1<<20 {
				rt.Errorf("%s has %d objects", day, n)
			}
		}
	})
}

// killable makes a world with a compacted day that got a late record, and a day that was not compacted.
func killable(t *testing.T) *world {
	t.Helper()
	w := inMemory(t, "ndjson") // its encoder is the smallest one
	w.export(7, 8*time.Hour, 2)
	w.mustCompact()
	w.export(3, 8*time.Hour, 2)
	w.rescan(w.records(day1.Add(time.Hour), time.Hour, 2)...)
	return w
}

// TestKilled: a process dies at every single write, before or after its effect. The next one repairs everything.
func TestKilled(t *testing.T) {
	t.Parallel()
	start := killable(t)
	for _, after := range []bool{false, true} {
		at := int64(1)
		for ; ; at++ {
			w := start.clone(t)
			if !w.dies(at, after) {
				break
			}
			w.mustCompact()
			if n := w.inDays(); n["dt=2026-03-01"] != 1 || n["dt=2026-03-02"] != 1 || t.Failed() {
				t.Fatalf("killed at write %d, after its effect: %v: %v", at, after, n)
			}
		}
		if at < 20 {
			t.Errorf("a compaction makes %d writes", at)
		}
	}
}

// TestKilledTwice: the next process dies as well, at every write. The third one repairs everything, after any work of the exporter
// between them.
func TestKilledTwice(t *testing.T) {
	t.Parallel()
	start := killable(t)
	for first := int64(1); ; first++ {
		dead := start.clone(t)
		if !dead.dies(first, true) {
			break
		}
		for second := int64(1); ; second++ {
			w := dead.clone(t)
			w.rescan(w.records(day1.Add(5*time.Hour), time.Hour, 1)...)
			reached := w.dies(second, true)
			w.export(1, time.Hour, 1)
			if !reached {
				w.check()
				break
			}
			w.mustCompact()
			if t.Failed() {
				t.Fatalf("killed at writes %d and %d", first, second)
			}
		}
	}
}

// TestKilledInDirectories is the same test in directories, once for each write.
func TestKilledInDirectories(t *testing.T) {
	t.Parallel()
	for at := int64(1); ; at++ {
		files, err := dir.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		positions, err := dir.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, t, files, positions, "ndjson")
		w.export(9, 4*time.Hour, 2)
		if !w.dies(at, at%2 == 0) {
			break
		}
		w.mustCompact()
		if w.inDays()["dt=2026-03-01"] != 1 {
			t.Errorf("killed at write %d: %v", at, w.inDays())
		}
	}
}

// TestKilledAndStateLost: if the state of a dead compactor is lost too, the files and the journal are enough.
func TestKilledAndStateLost(t *testing.T) {
	t.Parallel()
	for at := int64(1); ; at++ {
		w := inMemory(t, "parquet")
		w.export(13, 2*time.Hour, 2)
		if !w.dies(at, true) {
			break
		}
		w.lost = true
		if err := w.positions.Delete(t.Context(), "archive/state/compact.json"); err != nil {
			t.Fatal(err)
		}
		w.mustCompact()
		if w.inDays()["dt=2026-03-01"] != 1 {
			t.Errorf("killed at write %d: %v", at, w.inDays())
		}
	}
}

// TestFindings: a changed object is a finding, and so is an object that no entry names. Their day stays unchanged, and the other
// days are compacted.
func TestFindings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(w *world)
		says   string
	}{
		"changed": {func(w *world) {
			key := w.keys()[3]
			_, version, _, err := w.files.Get(w.Context(), key)
			if err != nil {
				w.Fatalf("%v", err)
			}
			other, _, _, err := w.files.Get(w.Context(), w.keys()[4])
			if err == nil {
				_, err = w.files.Put(w.Context(), key, other, version)
			}
			if err != nil {
				w.Fatalf("%v", err)
			}
		}, "it was changed"},
		"smuggled": {func(w *world) {
			w.put(window.Window{Start: day1.Add(time.Minute), End: day1.Add(2 * time.Minute)}, w.records(day1.Add(time.Minute), time.Minute, 1)...)
		}, "no entry of the journal names"},
		"unlike": {func(w *world) {
			r := w.written[0]
			r.Action = "another"
			w.put(window.Window{Start: day1.Add(time.Minute), End: day1.Add(2 * time.Minute)}, r)
		}, "not alike"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := inMemory(t, "parquet")
			w.export(26, 2*time.Hour, 2)
			test.change(w)
			before := strings.Join(w.keys(), "\n")
			days, err := w.compact()
			if !errors.Is(err, compact.ErrFinding) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %v", err)
			}
			if len(days) != 1 || days[0].Day != "2026-03-02" || w.inDays()["dt=2026-03-01"] < 12 {
				t.Errorf("it compacted %+v, and left %v of\n%s", days, w.inDays(), before)
			}
		})
	}
}

// TestAttemptStays: a compaction does not touch an object that an attempt left. The next attempt at its window replaces it.
func TestAttemptStays(t *testing.T) {
	t.Parallel()
	w := inMemory(t, "parquet")
	w.export(25, time.Hour, 2)
	open := window.Window{Start: day1.Add(time.Hour), End: day1.Add(2 * time.Hour), Pass: 1000}
	lease, err := journal(w.positions, "archive").Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(lease.Intend(t.Context(), open), lease.Release(t.Context())); err != nil {
		t.Fatal(err)
	}
	late := w.records(open.Start, time.Hour, 2)
	w.put(open, late[0])
	if _, err := w.compact(); err != nil {
		t.Fatal(err)
	}
	if n := w.inDays()["dt=2026-03-01"]; n != 2 {
		t.Errorf("%d objects are left: %q", n, w.keys())
	}
	w.commit("archive", open, w.put(open, late...), late)
	w.mustCompact()
	if n := w.inDays()["dt=2026-03-01"]; n != 1 {
		t.Errorf("%d objects are left: %q", n, w.keys())
	}
}

// TestNoRightToDelete: without the right to delete, a compaction changes nothing.
func TestNoRightToDelete(t *testing.T) {
	t.Parallel()
	w := inMemory(t, "parquet")
	w.export(25, time.Hour, 2)
	before := strings.Join(w.keys(), "\n")
	files := checkpointtest.NewFaulty(w.files)
	refused := errors.New("AccessDenied")
	files.On(checkpointtest.Always(checkpointtest.Delete, "", checkpointtest.Fault{Before: refused}))
	for range 2 {
		err := w.compactor(files, w.positions, nil).Run(t.Context())
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("it says %v", err)
		}
		after := strings.Replace(strings.Join(w.keys(), "\n"), "audit/tenant="+tenant+"/_delete-probe\n", "", 1)
		if after = strings.TrimSuffix(after, "\naudit/tenant="+tenant+"/_delete-probe"); after != before {
			t.Errorf("it left\n%s", after)
		}
	}
	w.mustCompact()
}

// TestRightIsLost: if a compactor loses the right after its check, a query sees records twice until a later compaction can delete.
// The error says so.
func TestRightIsLost(t *testing.T) {
	t.Parallel()
	w := inMemory(t, "parquet")
	w.export(25, time.Hour, 2)
	files := checkpointtest.NewFaulty(w.files)
	refused := errors.New("AccessDenied")
	files.On(checkpointtest.Always(checkpointtest.Delete, ".parquet", checkpointtest.Fault{Before: refused}))
	for range 2 {
		err := w.compactor(files, w.positions, nil).Run(t.Context())
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), "sees these records twice") {
			t.Errorf("it says %v", err)
		}
	}
	w.mustCompact()
}

// TestDryRun: a dry run says which objects it would replace, and writes nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	w := inMemory(t, "parquet")
	w.export(25, time.Hour, 2)
	stores := [2]*checkpointtest.Faulty{checkpointtest.NewFaulty(w.files), checkpointtest.NewFaulty(w.positions)}
	for _, s := range stores {
		s.On(checkpointtest.Always(checkpointtest.Put, "", checkpointtest.Fault{Before: errors.New("a dry run writes")}))
	}
	var days []compact.Day
	c := w.compactor(stores[0], stores[1], &days)
	c.DryRun = true
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(days) != 1 || days[0].Objects != 24 || days[0].Records != 48 || days[0].Bytes == 0 {
		t.Errorf("it says %+v", days)
	}
	w.check()
}
