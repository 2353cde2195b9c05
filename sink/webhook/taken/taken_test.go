package taken_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/webhook/taken"
)

const key = "webhook/state/taken.json"

var begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// at is a window.
func at(minutes int, pass uint64) window.Window {
	start := begin.Add(time.Duration(minutes) * time.Minute)
	return window.Window{Start: start, End: start.Add(time.Minute), Pass: pass}
}

func body(n int) [32]byte { return sha256.Sum256([]byte{byte(n)}) }

// A disk keeps the object over the processes, each of which has a memory of its own.
type disk struct {
	*checkpointtest.Faulty
	logs *observer.ObservedLogs
}

func newDisk() *disk {
	return &disk{Faulty: checkpointtest.NewFaulty(&checkpointtest.Memory{Now: time.Now})}
}

func (d *disk) process(name string) *taken.Memory {
	core, logs := observer.New(zap.WarnLevel)
	d.logs = logs
	return taken.New(taken.Options{
		State: checkpoint.OpenState[taken.Record](d, "webhook", "taken"), For: func() string { return name }, Log: zap.New(core),
	})
}

// A batch counts only with the same body, in the same window, of the same journal and destination.
func TestOnlyTheSame(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.process("a").Add(t.Context(), at(5, 2), body(1), 7)
	longer := at(5, 2)
	longer.End = longer.End.Add(time.Microsecond)
	for what, c := range map[string]struct {
		of   string
		w    window.Window
		body int
	}{
		"another body": {"a", at(5, 2), 2}, "another start": {"a", at(6, 2), 1}, "another end": {"a", longer, 1},
		"another pass": {"a", at(5, 3), 1}, "another journal": {"b", at(5, 2), 1}, "a journal without a name": {"", at(5, 2), 1},
	} {
		if _, ok := d.process(c.of).Has(t.Context(), c.w, body(c.body)); ok {
			t.Errorf("%s counts", what)
		}
	}
	if aside, ok := d.process("a").Has(t.Context(), at(5, 2), body(1)); !ok || aside != 7 {
		t.Errorf("the batch itself: %t, %d put aside", ok, aside)
	}
	if _, ok := (*taken.Memory)(nil).Has(t.Context(), at(5, 2), body(1)); ok {
		t.Error("no memory remembers")
	}
}

// An object that another program wrote, or that is cut off, names no batch. The next batch replaces it.
func TestSenseless(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "[]", `{"for":"a","windows":[{"batches":null}]}`, `{"for":"a"}`, "\x00\x00"} {
		d := newDisk()
		if _, err := d.Put(t.Context(), key, []byte(text), ""); err != nil {
			t.Fatal(err)
		}
		m := d.process("a")
		if _, ok := m.Has(t.Context(), at(1, 0), body(1)); ok {
			t.Errorf("%q names a batch", text)
		}
		m.Add(t.Context(), at(1, 0), body(1), 0)
		if _, ok := d.process("a").Has(t.Context(), at(1, 0), body(1)); !ok {
			t.Errorf("%q stands", text)
		}
	}
}

// If the store fails, the batches come again, and there is one warning. When the store is well again, the object has all of them.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m := d.process("a")
	down := true
	d.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if down && op == checkpointtest.Put {
			return checkpointtest.Fault{Before: errors.New("503 slow down")}
		}
		return checkpointtest.Fault{}
	})
	for i := range 3 {
		m.Add(t.Context(), at(1, 0), body(i), 0)
	}
	if n := d.logs.Len(); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if _, ok := m.Has(t.Context(), at(1, 0), body(1)); !ok {
		t.Error("the process itself has forgotten the batch")
	}
	down = false
	m.Add(t.Context(), at(1, 0), body(3), 0)
	again := d.process("a")
	for i := range 4 {
		if _, ok := again.Has(t.Context(), at(1, 0), body(i)); !ok {
			t.Errorf("batch %d is not there", i)
		}
	}
}

// Whatever is done, and whenever a process dies, a batch that the memory names was taken, for that window and journal.
func TestNeverMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, was := newDisk(), map[string]bool{}
		name := "a"
		m := d.process(name)
		d.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
			switch rapid.IntRange(0, 9).Draw(t, "fault") {
			case 0:
				return checkpointtest.Fault{Before: checkpointtest.ErrDead}
			case 1:
				return checkpointtest.Fault{After: checkpointtest.ErrDead}
			}
			return checkpointtest.Fault{}
		})
		id := func(w window.Window, b int) string { return fmt.Sprint(name, w, b) }
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			w := at(rapid.IntRange(0, 3).Draw(t, "window"), rapid.Uint64Range(0, 1).Draw(t, "pass"))
			b := rapid.IntRange(0, 5).Draw(t, "body")
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				m.Add(context.Background(), w, body(b), 0)
				was[id(w, b)] = true
			case 2:
				m = d.process(name)
			case 3:
				name = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "journal")
				m = d.process(name)
			default:
				if _, ok := m.Has(context.Background(), w, body(b)); ok && !was[id(w, b)] {
					t.Fatalf("it names body %d of window %v of %s, which was never taken", b, w, name)
				}
			}
		}
	})
}

// Batches that are taken at the same time share writes, and each of them is durable when its Add returns.
func TestSharedWrites(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m := d.process("a")
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			m.Add(t.Context(), at(i%4, 0), body(i), 0)
			if _, ok := newReader(d).Has(t.Context(), at(i%4, 0), body(i)); !ok {
				t.Errorf("batch %d is not durable", i)
			}
		})
	}
	all.Wait()
}

func newReader(d *disk) *taken.Memory {
	return taken.New(taken.Options{
		State: checkpoint.OpenState[taken.Record](d, "webhook", "taken"), For: func() string { return "a" }, Log: zap.NewNop(),
	})
}

// The object stays small, however many windows there were, and has the newest ones.
func TestStaysSmall(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m := d.process("a")
	for i := range 100 {
		m.Add(t.Context(), at(i, 0), body(i), 0)
	}
	text, _, _, err := d.Get(t.Context(), key)
	if n := strings.Count(string(text), `"start"`); err != nil || n != 16 {
		t.Errorf("%d windows, %v", n, err)
	}
	if _, ok := d.process("a").Has(t.Context(), at(99, 0), body(99)); !ok {
		t.Error("the newest window is not there")
	}
}
