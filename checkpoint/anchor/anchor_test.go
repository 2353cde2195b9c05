package anchor_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A world has the store of the journals and the place of the anchors, as one process sees them.
type world struct {
	*testing.T
	store   *checkpointtest.Memory
	place   *checkpointtest.Faulty
	guard   *anchor.Guard
	reports []anchor.Report
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, store: new(checkpointtest.Memory), place: checkpointtest.NewFaulty(new(checkpointtest.Memory))}
	w.restart()
	return w
}

// restart acts as another process.
func (w *world) restart() {
	w.reports = nil
	w.guard = anchor.NewGuard(w.place, func(r anchor.Report) { w.reports = append(w.reports, r) })
}

func (w *world) journal() *checkpoint.Journal {
	return checkpoint.Open(w.store, checkpoint.Identity{
		Tenant: "a", Stream: "archive", Source: "https://a.example", Destination: "s3://lake", Encoding: "parquet",
	}, checkpoint.Remembered(w.guard), checkpoint.Sign(checkpointtest.Key(1)))
}

// entries commits n entries with key 1, and anchors the heads of these sizes.
func (w *world) entries(n int, anchored ...uint64) (last checkpoint.Stored) {
	w.Helper()
	j := w.journal()
	last, err := j.Load(w.Context())
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		w.Fatal(err)
	}
	for range n {
		at := time.Date(2026, 3, 1, int(last.Serial), 0, 0, 0, time.UTC)
		last, err = j.Commit(w.Context(), last, checkpoint.Checkpoint{
			Kind: checkpoint.KindExport, Start: at, Window: window.Window{Start: at, End: at.Add(time.Hour)}, Cursor: at.Add(time.Hour),
			Objects: []checkpoint.Object{},
		})
		if err != nil {
			w.Fatal(err)
		}
		if slices.Contains(anchored, last.Serial) {
			if err := w.guard.Anchor(w.Context(), last.Head); err != nil {
				w.Fatal(err)
			}
		}
	}
	return last
}

// load is a Load by another process.
func (w *world) load() (checkpoint.Stored, error) {
	w.restart()
	return w.journal().Load(w.Context())
}

func entryKey(serial uint64) string {
	return fmt.Sprintf("archive/%017d/%020d.json", serial/1000, serial)
}

func (w *world) body(key string) []byte {
	w.Helper()
	body, _, _, err := w.store.Get(w.Context(), key)
	if err != nil {
		w.Fatal(err)
	}
	return body
}

// put writes an object, like a person who may write to a store.
func put(w *world, b bucket.Bucket, key string, body []byte) {
	w.Helper()
	_, version, _, err := b.Get(w.Context(), key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.Fatal(err)
	}
	if _, err := b.Put(w.Context(), key, body, version); err != nil {
		w.Fatal(err)
	}
}

// note makes the note of the newest entry name this entry. It takes the head from the seal of the entry after it.
func (w *world) note(serial uint64, after []byte) {
	w.Helper()
	var said struct {
		Seal seal.Seal `json:"seal"`
	}
	if err := json.Unmarshal(after, &said); err != nil {
		w.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{
		"serial": serial, "sha256": fmt.Sprintf("%x", sha256.Sum256(w.body(entryKey(serial)))), "head": said.Seal.Head,
	})
	if err != nil {
		w.Fatal(err)
	}
	put(w, w.store, "archive/state/latest", body)
}

// rollBack drops every entry after a serial. The store then looks as if those entries had never existed.
func (w *world) rollBack(serial uint64) {
	after := w.body(entryKey(serial + 1))
	for dropped := serial + 1; ; dropped++ {
		if _, _, _, err := w.store.Get(w.Context(), entryKey(dropped)); err != nil {
			break
		}
		w.store.Remove(entryKey(dropped))
	}
	w.note(serial, after)
}

// rewrite writes the entries anew with the key, from a serial on.
func (w *world) rewrite(serial, last uint64) {
	previous := w.body(entryKey(serial - 1))
	for ; serial <= last; serial++ {
		body := []byte(strings.Replace(string(w.body(entryKey(serial))), `"max_id":0`, `"max_id":7`, 1))
		previous = checkpointtest.Reseal(w, previous, body, checkpointtest.Key(1))
		put(w, w.store, entryKey(serial), previous)
	}
	put(w, w.store, "archive/state/latest", []byte("{}"))
}

func folderOf(s checkpoint.Stored) string {
	return "archive-" + s.Seal.Origin[strings.LastIndex(s.Seal.Origin, "/")+1:] + "/"
}

// TestLoad compares journals with their remembered heads. The tampered journals look sound in their own store.
func TestLoad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		anchored []uint64
		tamper   func(w *world, newest checkpoint.Stored)
		want     error
		says     string
		size     uint64 // of the newest anchored head in the guard's report
		blind    string // the guard's error if it knows nothing
	}{
		"nothing is remembered":     {},
		"the newest head":           {anchored: []uint64{9}, size: 9},
		"an older head":             {anchored: []uint64{1, 4}, size: 4},
		"rolled back to the anchor": {anchored: []uint64{4}, tamper: func(w *world, _ checkpoint.Stored) { w.rollBack(4) }, size: 4},
		"rolled back to the entry before": {
			anchored: []uint64{1, 4}, tamper: func(w *world, _ checkpoint.Stored) { w.rollBack(3) },
			want: checkpoint.ErrRolledBack, says: "of size 4, and the journal has 3 entries",
		},
		"rewritten from the anchored entry on": {
			anchored: []uint64{4}, tamper: func(w *world, _ checkpoint.Stored) { w.rewrite(4, 9) }, want: checkpoint.ErrForked, says: "size 4",
		},
		"rewritten, and the newest is anchored": {
			anchored: []uint64{9}, tamper: func(w *world, _ checkpoint.Stored) { w.rewrite(3, 9) }, want: checkpoint.ErrForked, says: "size 9",
		},
		"rewritten after the anchor": {anchored: []uint64{4}, tamper: func(w *world, _ checkpoint.Stored) { w.rewrite(5, 9) }, size: 4},
		"another text under its name": {
			tamper: func(w *world, s checkpoint.Stored) {
				put(w, w.place, folderOf(s)+"00000000000000000009.note", []byte("x"))
			},
			want: checkpoint.ErrForked, says: "is no head of a/houndtrail/archive/",
		},
		"the head of another size under its name": {
			tamper: func(w *world, s checkpoint.Stored) {
				put(w, w.place, folderOf(s)+"00000000000000000008.note", []byte(s.Head))
			},
			want: checkpoint.ErrForked, says: "of size 9",
		},
		"other objects beside": {
			anchored: []uint64{9},
			tamper: func(w *world, s checkpoint.Stored) {
				for _, key := range []string{"10.note", "00000000000000000010.tsr", "x/00000000000000000010.note", "00000000000000000000.note"} {
					put(w, w.place, folderOf(s)+key, []byte("x"))
				}
			},
			size: 9,
		},
		"the entry after the anchor was pruned": {
			anchored: []uint64{2},
			tamper: func(w *world, _ checkpoint.Stored) {
				for serial := range uint64(5) {
					w.store.Remove(entryKey(serial + 1))
				}
			},
			blind: "pruned",
		},
		"the anchored entry was pruned": {
			anchored: []uint64{4},
			tamper: func(w *world, _ checkpoint.Stored) {
				for serial := range uint64(4) {
					w.store.Remove(entryKey(serial + 1))
				}
			},
			size: 4,
		},
		"the journal is gone": {
			anchored: []uint64{4},
			tamper: func(w *world, _ checkpoint.Stored) {
				for serial := range uint64(9) {
					w.store.Remove(entryKey(serial + 1))
				}
				w.store.Remove("archive/state/latest")
			},
			want: checkpoint.ErrRolledBack, says: "has 0 entries",
		},
		"the place is down": {
			anchored: []uint64{9},
			tamper: func(w *world, _ checkpoint.Stored) {
				w.place.On(checkpointtest.Always(checkpointtest.List, "", checkpointtest.Fault{Before: errors.New("no route")}))
			},
			blind: "no route",
		},
		"the anchor cannot be read": {
			anchored: []uint64{9},
			tamper: func(w *world, _ checkpoint.Stored) {
				w.place.On(checkpointtest.Always(checkpointtest.Get, "", checkpointtest.Fault{Before: errors.New("no route")}))
			},
			blind: "no route",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			newest := w.entries(9, c.anchored...)
			if c.tamper != nil {
				c.tamper(w, newest)
			}
			s, err := w.load()
			if !errors.Is(err, c.want) || c.want != nil && (!errors.Is(err, checkpoint.ErrCorrupt) || !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("Load says %v, want %v and %q", err, c.want, c.says)
			}
			if c.want != nil {
				if len(w.reports) > 0 || s.Serial != 0 {
					t.Errorf("a journal that is not the remembered one is loaded, or reported: %d, %+v", s.Serial, w.reports)
				}
				return
			}
			if len(w.reports) != 1 {
				t.Fatalf("there are %d reports, want 1", len(w.reports))
			}
			r := w.reports[0]
			if blind := fmt.Sprint(r.Err); (r.Err != nil) != (c.blind != "") || !strings.Contains(blind, c.blind) || r.Size != c.size || r.Newest != s.Serial {
				t.Errorf("the report is %+v, want the size %d and the error %q", r, c.size, c.blind)
			}
		})
	}
}

// TestLoadAgain counts how often a process asks. It compares a journal that goes on once an hour, and a journal that does not go
// on at once. If the place was down, it asks again sooner.
func TestLoadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.entries(3, 3)
		w.restart()
		j := w.journal()
		load := func(asks bool) {
			t.Helper()
			before := len(w.reports)
			if _, err := j.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if asked := len(w.reports) > before; asked != asks {
				t.Errorf("asked is %v, want %v", asked, asks)
			}
		}
		load(true)
		load(false)
		time.Sleep(59 * time.Minute)
		load(false)
		time.Sleep(time.Minute)
		w.place.On(checkpointtest.Always(checkpointtest.List, "", checkpointtest.Fault{Before: errors.New("no route")}))
		load(true)
		time.Sleep(9 * time.Minute)
		load(false)
		time.Sleep(time.Minute)
		load(true)
		w.place.On(nil)
		w.rollBack(2)
		for range 2 { // a rollback is not forgotten
			if _, err := j.Load(t.Context()); !errors.Is(err, checkpoint.ErrRolledBack) {
				t.Fatalf("Load says %v", err)
			}
		}
	})
}

// TestAnotherRunner: while one process reads the journal, another one commits and anchors. That is no rollback.
func TestAnotherRunner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.entries(2, 2)
	j := w.journal()
	w.restart()
	reader := w.journal()
	place := w.place
	place.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op == checkpointtest.List {
			place.On(nil)
			last, err := j.Load(t.Context())
			if err == nil {
				last, err = j.Commit(t.Context(), last, last.Standing(checkpoint.KindBarrier))
			}
			if err == nil {
				put(w, place, folderOf(last)+"00000000000000000003.note", []byte(last.Head))
			}
			if err != nil {
				t.Error(err)
			}
		}
		return checkpointtest.Fault{}
	})
	if s, err := reader.Load(t.Context()); err != nil || s.Serial != 2 {
		t.Errorf("Load gives entry %d and %v", s.Serial, err)
	}
}

// TestAnchor writes a head once, and stops at another one of the same size.
func TestAnchor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newest := w.entries(3)
	writes := 0
	lost := errors.New("the answer was lost")
	w.place.On(func(_ context.Context, op checkpointtest.Op, _ string) (f checkpointtest.Fault) {
		if op != checkpointtest.Put {
			return f
		}
		if writes++; writes == 1 {
			f.After = lost
		}
		return f
	})
	for i, want := range []error{lost, nil, nil} {
		if err := w.guard.Anchor(t.Context(), newest.Head); err != nil {
			t.Fatal(err)
		}
		if r := w.reports[len(w.reports)-1]; r.Wrote != (i < 2) || r.Newest != 3 || !errors.Is(r.Err, want) || (r.Size == 3) != (want == nil) {
			t.Errorf("the report is %+v, want the error %v", r, want)
		}
	}
	if writes != 2 {
		t.Errorf("a head was written %d times, want twice: the first answer was lost", writes)
	}
	w.restart()
	m, err := anchor.Of(w.place, newest.Seal.Origin)
	if err != nil {
		t.Fatal(err)
	}
	a, err := m.Read(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if a.Head.Note() != newest.Head {
		t.Errorf("%q is remembered, want %q", a.Head.Note(), newest.Head)
	}
	again, err := a.Head.Sign(seal.NewSigner(newest.Seal.Origin, checkpointtest.Key(2)))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.guard.Anchor(t.Context(), again); err != nil { // another key signed the same head
		t.Error(err)
	}
	forged := strings.Replace(newest.Head, "records 0", "records 1", 1)
	if err := w.guard.Anchor(t.Context(), forged); !errors.Is(err, checkpoint.ErrForked) {
		t.Errorf("another head of size 3: %v", err)
	}
	if a, err := m.Read(t.Context(), 3); err != nil || a.Head.Note() != newest.Head {
		t.Errorf("the anchor was replaced: %v", err)
	}
}

// TestBegin lets a journal begin beside the anchors of others, but not beside its own earlier anchors.
func TestBegin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.entries(3, 2, 3)
	put(w, w.place, "archive-readme/x", nil)
	for _, c := range []struct {
		tenant, stream string
		want           error
	}{
		{"a", "archive", checkpoint.ErrRolledBack},
		{"b", "archive", nil},
		{"a", "webhook", nil},
		{"a", "archive-backfill", nil},
		{"a", "arch", nil},
	} {
		w.restart()
		if err := w.guard.Begin(t.Context(), c.tenant, c.stream); !errors.Is(err, c.want) {
			t.Errorf("the %s of %s: %v, want %v", c.stream, c.tenant, err, c.want)
		}
	}
	w.restart()
	w.place.On(checkpointtest.Always(checkpointtest.List, "", checkpointtest.Fault{Before: errors.New("no route")}))
	if err := w.guard.Begin(t.Context(), "a", "archive"); err != nil || len(w.reports) != 1 || w.reports[0].Err == nil {
		t.Errorf("a place that is down: %v, %+v", err, w.reports)
	}
}

// TestMemory lists anchors in the way that verify needs, with one request if the newest one is near.
func TestMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newest := w.entries(7, 2, 5, 6)
	m, err := anchor.Of(w.place, newest.Seal.Origin)
	if err != nil {
		t.Fatal(err)
	}
	put(w, w.place, m.Key(7), []byte("x"))
	var got []string
	for a, err := range m.All(t.Context(), 2) {
		if a.Head != nil && a.Head.Size != a.Size {
			t.Errorf("the anchor of %d has the head of %d", a.Size, a.Head.Size)
		}
		got = append(got, fmt.Sprintf("%d %v", a.Size, errors.Is(err, checkpoint.ErrForked)))
	}
	if want := []string{"5 false", "6 false", "7 true"}; !slices.Equal(got, want) {
		t.Errorf("All gives %q, want %q", got, want)
	}
	if _, err := m.Read(t.Context(), 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an anchor that is not there: %v", err)
	}
	for near, lists := range map[uint64]int{0: 1, 3: 1, 7: 1, 500: 1, 600: 2, 1 << 40: 5} {
		asked := 0
		w.place.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
			if op == checkpointtest.List {
				asked++
			}
			return checkpointtest.Fault{}
		})
		if size, err := m.Newest(t.Context(), near); size != 7 || err != nil || asked != lists {
			t.Errorf("near %d: the newest is %d (%v) after %d lists, want 7 after %d", near, size, err, asked, lists)
		}
	}
	if _, err := anchor.Of(w.place, "a/b"); err == nil {
		t.Error("a name that is no origin is taken")
	}
}
