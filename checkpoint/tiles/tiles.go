// Package tiles writes the full tiles of a journal's tree: <stream>/tile/<level>/<number>, 256 hashes in each (package seal).
//
// Houndtrail writes a tile once, after the commit that completes it, and only if it is absent. The entries have the same content,
// but a tile makes it cheap to read the whole tree. So nothing depends on a tile. A reader checks a tile against the root of a
// head. If the tile is missing or wrong, the reader reads the entries.
//
// A crash between the commit and the tile does no harm. Houndtrail writes the note of the newest entry only after the tiles that
// the entry completes. After the crash, the next start sees an older note, and writes the tiles.
package tiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// parallel is the number of entries for which a Writer asks at a time.
const parallel = 16

// ErrDiffers says that there is a tile already, with other hashes. Houndtrail never overwrites it. Entries that an adoption
// replaced leave such tiles behind. If there was no adoption, the journal or the tile was changed.
var ErrDiffers = errors.New("the tile is there with other hashes than the entries give")

// A Writer writes the tiles of one journal. It is safe for concurrent use.
type Writer struct {
	Bucket bucket.Bucket
	Prefix string                     // of the journal: the stream and a slash
	Entry  func(serial uint64) string // the key of an entry
	Never  func(error)                // learns of a tile that no later try can write

	mu     sync.Mutex
	leaves map[uint64]seal.Hash // of the newest entries that Passed has seen, by serial
	owed   uint64               // Houndtrail could not write a tile that ends with this serial; 0 for none
}

// Passed remembers the leaf of an entry that the store has, so that a later tile does not read the entry again.
func (w *Writer) Passed(serial uint64, leaf seal.Hash) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leaves == nil || len(w.leaves) > 2*seal.TileWidth { // the entries did not come in order
		w.leaves = map[uint64]seal.Hash{}
	}
	w.leaves[serial] = leaf
	delete(w.leaves, serial-seal.TileWidth)
}

// Complete writes the tiles that the newest entry completes, and those that it could not write earlier. If an entry completes no
// tile, Complete does not ask the store. An error says that the store failed, and that the next call tries again.
func (w *Writer) Complete(ctx context.Context, newest uint64) error {
	w.mu.Lock()
	from := newest
	if w.owed > 0 {
		from = min(from, w.owed)
	}
	w.mu.Unlock()
	return w.span(ctx, from, newest, w.write)
}

// mostRepaired limits how many entries Repair looks back. After a crash, a few tiles are missing. If both the note and the lease
// are lost, Repair would look at all tiles.
const mostRepaired = 64 * seal.TileWidth

// Repair writes the missing tiles among those that the entries after a serial complete.
func (w *Writer) Repair(ctx context.Context, after, newest uint64) error {
	after = max(after, newest-min(newest, mostRepaired))
	return w.span(ctx, after+1, newest, func(ctx context.Context, t seal.Tile) error {
		_, _, _, err := w.Bucket.Get(ctx, w.Prefix+t.Path())
		if errors.Is(err, fs.ErrNotExist) {
			err = w.write(ctx, t)
		}
		return err
	})
}

// span makes the tiles that the entries of a span complete. If the store fails a tile, owed becomes the entry that completes the
// first such tile.
func (w *Writer) span(ctx context.Context, first, last uint64, do func(context.Context, seal.Tile) error) error {
	var failed error
	var owed uint64
	for end := (first + seal.TileWidth - 1) / seal.TileWidth * seal.TileWidth; end <= last; end += seal.TileWidth {
		for _, t := range seal.Completed(end) {
			err := do(ctx, t)
			switch never := (*neverError)(nil); {
			case errors.As(err, &never):
				w.Never(fmt.Errorf("write %s: %w", w.Prefix+t.Path(), err))
			case err != nil:
				failed = errors.Join(failed, fmt.Errorf("write %s: %w", w.Prefix+t.Path(), err))
				if owed == 0 {
					owed = end
				}
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owed = owed
	return failed
}

// A neverError gives the reason why no later try can write a tile.
type neverError struct{ cause error }

func (e *neverError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *neverError) Unwrap() error { return e.cause }

// write writes one tile.
func (w *Writer) write(ctx context.Context, t seal.Tile) error {
	content, err := w.content(ctx, t)
	if err != nil {
		return err
	}
	key := w.Prefix + t.Path()
	if _, err = w.Bucket.Put(ctx, key, content, ""); !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, _, _, err := w.Bucket.Get(ctx, key)
	if err == nil && !bytes.Equal(there, content) {
		return &neverError{ErrDiffers}
	}
	return err
}

// content is the content of a tile, made of the entries. The entry that completes the tile has the root over all hashes in it.
func (w *Writer) content(ctx context.Context, t seal.Tile) ([]byte, error) {
	nodes := t.Nodes()
	last, err := w.read(ctx, nodes[len(nodes)-1].Serial())
	if err != nil {
		return nil, err
	}
	hashes, err := w.hashes(ctx, nodes)
	if err != nil {
		return nil, err
	}
	root, err := last.Node(nodes[0].Level + levels)
	if err == nil && seal.RootOf(hashes) != root {
		err = fmt.Errorf("entry %d has another root than the entries before it give: one of them was changed", last.Serial)
	}
	if err != nil {
		return nil, &neverError{err}
	}
	return t.Content(func([]seal.Node) ([]seal.Hash, error) { return hashes, nil })
}

// levels is the number of levels of the tree that a tile has.
const levels = 8

// hashes reads nodes of one level that follow each other. If Passed has seen a leaf, hashes does not read the entry again. If
// hashes reads the entry of a leaf, the seal of that entry has the leaf before it.
func (w *Writer) hashes(ctx context.Context, nodes []seal.Node) ([]seal.Hash, error) {
	hashes := make([]seal.Hash, len(nodes))
	known := w.known(nodes, hashes)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	step := 1
	if nodes[0].Level == 0 {
		step = 2
	}
	for i := step - 1; i < len(nodes); i += step {
		if known[i] && known[i-step+1] {
			continue
		}
		group.Go(func() error {
			e, err := w.read(ctx, nodes[i].Serial())
			if err != nil {
				return err
			}
			if hashes[i], err = e.Node(nodes[i].Level); err != nil || step == 1 {
				return err
			}
			tree, err := e.Seal.Before()
			if err == nil {
				before := tree.Hashes()
				hashes[i-1] = before[len(before)-1] // the tree before has an odd size, so its last subtree is one leaf
			}
			return err
		})
	}
	return hashes, group.Wait()
}

// known fills in the leaves that Passed has seen.
func (w *Writer) known(nodes []seal.Node, hashes []seal.Hash) []bool {
	known := make([]bool, len(nodes))
	if nodes[0].Level > 0 {
		return known
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, n := range nodes {
		hashes[i], known[i] = w.leaves[n.Serial()]
	}
	return known
}

func (w *Writer) read(ctx context.Context, serial uint64) (*seal.Entry, error) {
	key := w.Entry(serial)
	body, _, _, err := w.Bucket.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) { // the entry was pruned, or is lost
		return nil, &neverError{err}
	}
	if err != nil {
		return nil, err
	}
	e, err := seal.ReadEntry(body)
	if err == nil && e.Serial != serial {
		err = fmt.Errorf("it says that it is entry %d", e.Serial)
	}
	if err != nil { // an adoption may follow an entry that cannot be read
		return nil, &neverError{fmt.Errorf("read %s: %w", key, err)}
	}
	return e, nil
}
