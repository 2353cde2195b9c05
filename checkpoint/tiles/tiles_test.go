package tiles_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/checkpoint/tiles"
)

func marshal(t *testing.T, s seal.Seal) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func entryKey(serial uint64) string { return fmt.Sprintf("archive/%020d.json", serial) }

// A world is a journal. The seals of its entries fit, and the entries have no other content.
type world struct {
	*testing.T
	store  *checkpointtest.Faulty
	tree   seal.Frontier
	leaves []seal.Hash
	never  []error
	gets   atomic.Int64
}

func newWorld(t *testing.T, entries int) *world {
	w := &world{T: t, store: checkpointtest.NewFaulty(new(checkpointtest.Memory))}
	for range entries {
		w.add()
	}
	w.store.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		if op == checkpointtest.Get && strings.HasSuffix(key, ".json") {
			w.gets.Add(1)
		}
		return checkpointtest.Fault{}
	})
	return w
}

// add adds an entry, and returns its serial and its leaf.
func (w *world) add() (uint64, seal.Hash) {
	serial := w.tree.Size() + 1
	h := seal.Head{Origin: "acme/houndtrail/archive/6f1c6a0e8b1f4c3b", Size: w.tree.Size(), Root: w.tree.Root()}
	head := ""
	if h.Size > 0 {
		head = h.Text()
	}
	s, err := seal.NewSeal(h.Origin, &w.tree, head)
	if err != nil {
		w.Fatal(err)
	}
	body := fmt.Appendf(nil, `{"serial":%d,"seal":%s}`+"\n", serial, marshal(w.T, s))
	if _, err := w.store.Put(w.Context(), entryKey(serial), body, ""); err != nil {
		w.Fatal(err)
	}
	leaf := seal.Leaf(body)
	w.tree.Append(leaf)
	w.leaves = append(w.leaves, leaf)
	return serial, leaf
}

func (w *world) writer() *tiles.Writer {
	return &tiles.Writer{
		Bucket: w.store, Prefix: "archive/", Entry: entryKey, Never: func(err error) { w.never = append(w.never, err) },
	}
}

func (w *world) tile(path string) []byte {
	body, _, _, err := w.store.Get(w.Context(), "archive/"+path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.Fatal(err)
	}
	return body
}

// want compares the tile of that number on level 0 with the entries.
func (w *world) want(number int) {
	w.Helper()
	var want []byte
	for _, leaf := range w.leaves[number*seal.TileWidth : (number+1)*seal.TileWidth] {
		want = append(want, leaf[:]...)
	}
	if got := w.tile(fmt.Sprintf("tile/0/%03d", number)); !bytes.Equal(got, want) {
		w.Errorf("tile %d has %d bytes, and not the leaves of the entries", number, len(got))
	}
}

// TestComplete writes a tile from the leaves that Passed has seen, or from every other entry.
func TestComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	warm := w.writer()
	for serial := uint64(0); serial < 600; {
		var leaf seal.Hash
		serial, leaf = w.add()
		warm.Passed(serial, leaf)
		if err := warm.Complete(t.Context(), serial); err != nil {
			t.Fatal(err)
		}
	}
	w.want(0)
	w.want(1)
	if w.gets.Load() != 2 || w.tile("tile/0/002") != nil || w.tile("tile/1/000") != nil {
		t.Errorf("%d entries were read for two tiles, want the 2 that complete them", w.gets.Load())
	}
	cold := newWorld(t, 512)
	if err := cold.writer().Complete(t.Context(), 512); err != nil {
		t.Fatal(err)
	}
	cold.want(1)
	if cold.gets.Load() > seal.TileWidth/2+1 || cold.tile("tile/0/000") != nil {
		t.Errorf("%d entries were read for a tile", cold.gets.Load())
	}
	if len(w.never)+len(cold.never) > 0 {
		t.Errorf("%v, %v", w.never, cold.never)
	}
}

// TestSecondLevel writes the first tile of level 1, of 65,536 entries. It compares both tiles with the hashes of the leaves.
func TestSecondLevel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seal.TileWidth*seal.TileWidth)
	if err := w.writer().Complete(t.Context(), seal.TileWidth*seal.TileWidth); err != nil {
		t.Fatal(err)
	}
	w.want(seal.TileWidth - 1)
	content, err := seal.Tile{Level: 1, Number: 0, Width: seal.TileWidth}.Content(seal.FromLeaves(w.leaves))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.tile("tile/1/000"); !bytes.Equal(got, content) {
		t.Errorf("tile/1/000 has the SHA-256 %x, want %x", sha256.Sum256(got), sha256.Sum256(content))
	}
	if w.gets.Load() > 2*seal.TileWidth || len(w.never) > 0 {
		t.Errorf("%d entries were read for two tiles; %v", w.gets.Load(), w.never)
	}
}

// TestStoreFails: the next call writes a tile that the store refused. It does not write a tile again that exists.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seal.TileWidth+3)
	writer := w.writer()
	for _, f := range []checkpointtest.Hook{
		checkpointtest.Always(checkpointtest.Put, "tile/0/000", checkpointtest.Fault{Before: errors.New("no route")}),
		checkpointtest.Always(checkpointtest.Get, "128.json", checkpointtest.Fault{Before: errors.New("no route")}),
		checkpointtest.Always(checkpointtest.Put, "tile/0/000", checkpointtest.Fault{After: errors.New("no answer")}),
	} {
		w.store.On(f)
		if err := writer.Complete(t.Context(), seal.TileWidth); err == nil || !strings.Contains(err.Error(), "no ") {
			t.Errorf("the store fails: %v", err)
		}
	}
	w.store.On(nil)
	if err := writer.Complete(t.Context(), seal.TileWidth+1); err != nil {
		t.Fatal(err)
	}
	w.want(0)
	w.store.On(checkpointtest.Always(checkpointtest.Put, "", checkpointtest.Fault{Before: errors.New("no route")}))
	if err := writer.Complete(t.Context(), seal.TileWidth+2); err != nil {
		t.Error(err)
	}
	if err := w.writer().Repair(t.Context(), 3, seal.TileWidth+3); err != nil {
		t.Error(err)
	}
}

// TestRepair writes the missing tiles, and no other.
func TestRepair(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*seal.TileWidth+5)
	other := []byte("of a journal that was lost")
	if _, err := w.store.Put(t.Context(), "archive/tile/0/001", other, ""); err != nil {
		t.Fatal(err)
	}
	if err := w.writer().Repair(t.Context(), seal.TileWidth, 3*seal.TileWidth+5); err != nil {
		t.Fatal(err)
	}
	w.want(2)
	if w.tile("tile/0/000") != nil || !bytes.Equal(w.tile("tile/0/001"), other) || len(w.never) > 0 {
		t.Errorf("other tiles were touched: %v", w.never)
	}
	if err := w.writer().Repair(t.Context(), 0, 3*seal.TileWidth+5); err != nil {
		t.Fatal(err)
	}
	w.want(0)
}

// TestNever: if the entries do not give a tile, that is no failure of the store. A wrong tile is not overwritten.
func TestNever(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(w *world)
		says  string
	}{
		"other hashes are there": {func(w *world) { w.put("archive/tile/0/000", "x") }, "with other hashes"},
		"an entry was pruned":    {func(w *world) { w.remove(entryKey(10)) }, "exist"},
		"an entry is damaged":    {func(w *world) { w.remove(entryKey(10)); w.put(entryKey(10), "<html>") }, entryKey(10)},
		"an entry is another": {func(w *world) {
			body, _, _, err := w.store.Get(w.Context(), entryKey(10))
			if err != nil {
				w.Fatal(err)
			}
			w.remove(entryKey(10))
			w.put(entryKey(10), strings.Replace(string(body), `{"serial"`, `{"late":1,"serial"`, 1))
		}, "another root"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seal.TileWidth)
			c.spoil(w)
			before := w.tile("tile/0/000")
			if err := w.writer().Complete(t.Context(), seal.TileWidth); err != nil {
				t.Errorf("it is taken for a failure of the store: %v", err)
			}
			if len(w.never) != 1 || !strings.Contains(w.never[0].Error(), c.says) || !bytes.Equal(w.tile("tile/0/000"), before) {
				t.Errorf("said is %v, want %q", w.never, c.says)
			}
		})
	}
}

func (w *world) put(key, body string) {
	if _, err := w.store.Put(w.Context(), key, []byte(body), ""); err != nil {
		w.Fatal(err)
	}
}

func (w *world) remove(key string) {
	if err := w.store.Delete(w.Context(), key); err != nil {
		w.Fatal(err)
	}
}
