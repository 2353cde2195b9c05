package checkpointtest

import (
	"bytes"
	"errors"
	"io/fs"
	"sync"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

func tileCases() []testCase {
	return []testCase{
		{"the commit that completes a tile writes it, and a start writes one that a crash left out", tiled},
	}
}

const firstTile = "archive/tile/0/000"

// tiled writes 255 entries straight into the store, and commits the next ones.
func tiled(t *world) {
	var made Memory
	last := commit(t, checkpoint.Open(&made, identity("host-a")), seal.TileWidth-1)
	keys, err := made.List(t.Context(), "archive/", "")
	check(t, err)
	var copying sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, key := range keys {
		copying.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			body, _, _, err := made.Get(t.Context(), key)
			if err == nil {
				_, err = t.a.Put(t.Context(), key, body, "")
			}
			if err != nil {
				t.Errorf("copy %s: %v", key, err)
			}
		})
	}
	copying.Wait()
	before, _, _, err := made.Get(t.Context(), "archive/state/latest")
	check(t, err)

	store := &counted{Bucket: t.a}
	a := checkpoint.Open(store, identity("host-a"), checkpoint.Sign())
	loaded, err := a.Load(t.Context())
	check(t, err)
	if loaded.SHA256 != last.SHA256 {
		t.Fatalf("entry %d is loaded", loaded.Serial)
	}
	wantNoTile(t)
	for n := range 2 {
		last, err = a.Commit(t.Context(), last, position(int(last.Serial)+1))
		check(t, err)
		if gets, puts := store.calls[Get], store.calls[Put]; n == 1 && (gets > 0 || puts > 2) {
			t.Errorf("the commit after the tile reads %d objects and writes %d", gets, puts)
		}
		store.reset()
	}
	tile := wantTile(t)

	// A crash between the commit and the tile leaves no tile. It leaves the note of an older entry.
	check(t, t.a.Delete(t.Context(), firstTile))
	overwrite(t, t.b, "archive/state/latest", before)
	_, err = checkpoint.Open(t.b, identity("reader")).Load(t.Context())
	check(t, err)
	wantNoTile(t) // a reader writes nothing
	_, err = checkpoint.Open(t.b, identity("host-b"), checkpoint.Sign()).Load(t.Context())
	check(t, err)
	if again := wantTile(t); !bytes.Equal(again, tile) {
		t.Error("the tile is another one")
	}
}

// wantTile compares the first tile with the entries.
func wantTile(t *world) []byte {
	t.Helper()
	var want []byte
	for serial := uint64(1); serial <= seal.TileWidth; serial++ {
		body, _, _, err := t.b.Get(t.Context(), entryKey(serial))
		check(t, err)
		leaf := seal.Leaf(body)
		want = append(want, leaf[:]...)
	}
	got, _, _, err := t.b.Get(t.Context(), firstTile)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the tile has %d bytes, and not the leaves of the entries", len(got))
	}
	return got
}

func wantNoTile(t *world) {
	t.Helper()
	if _, _, _, err := t.b.Get(t.Context(), firstTile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the tile is there: %v", err)
	}
}
