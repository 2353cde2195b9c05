// Package tile recomputes the tree of a journal from its tiles. Package seal defines both. A tile is one small object for 256
// entries, so the tree of a journal of years costs only seconds.
//
// A tile proves nothing by itself. If the tree has the root of the newest head, that proves all of its tiles: no other hashes have
// that root. If a tile is missing, the entries give the same hashes. If a tile is wrong, the entry that completes it has another
// root for its hashes.
package tile

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

const (
	// parallel is the number of tiles that are requested at a time.
	parallel = 64
	// mostRebuilt is the largest number of tiles that are computed from the entries. Each takes 256 requests.
	mostRebuilt = 8
)

// A Journal is the source of a Tree.
type Journal struct {
	Size uint64 // entries
	// Get reads a tile's bytes. If the tile is missing, the error is fs.ErrNotExist.
	Get func(ctx context.Context, t seal.Tile) ([]byte, error)
	// Nodes returns nodes of the tree, from the entries. If the entry of a node is missing, the error is fs.ErrNotExist.
	Nodes seal.Nodes
	// Rest are the leaves of the entries after the last full tile.
	Rest []seal.Hash
	// Wanted are the sizes whose roots the caller needs.
	Wanted map[uint64]bool
}

// A Tree is the result of a computation.
type Tree struct {
	Root  seal.Hash
	Roots map[uint64]seal.Hash // for the wanted sizes
	// Whole tells that all leaves were found. Otherwise too many tiles are missing, and there are no roots.
	Whole bool

	Missing []seal.Tile
	Damaged []seal.Tile // they have another length, or differ from the tiles below them

	tops []seal.Hash // the root of each tile of the lowest level
}

// full is the number of full tiles of the lowest level.
func (j *Journal) full() uint64 { return j.Size / seal.TileWidth }

// Compute recomputes the tree. It returns an error if the store fails, or if an entry cannot be read.
func (j *Journal) Compute(ctx context.Context) (*Tree, error) {
	t := &Tree{Roots: map[uint64]seal.Hash{}, Whole: true}
	var f seal.Frontier
	size, rebuilt := uint64(0), 0
	appendLeaf := func(h seal.Hash) {
		f.Append(h)
		if size++; j.Wanted[size] {
			t.Roots[size] = f.Root()
		}
	}
	for first := uint64(0); first < j.full(); first += parallel {
		contents, err := j.read(ctx, 0, first, min(parallel, j.full()-first))
		if err != nil {
			return nil, err
		}
		for i, content := range contents {
			of := seal.Tile{Number: first + uint64(i), Width: seal.TileWidth}
			hashes, err := j.leaves(of, content, t, &rebuilt)
			if err != nil {
				return nil, err
			}
			if hashes == nil {
				t.Whole = false
				continue
			}
			t.tops = append(t.tops, seal.RootOf(hashes))
			for _, h := range hashes {
				appendLeaf(h)
			}
		}
	}
	if t.Whole {
		for _, h := range j.Rest {
			appendLeaf(h)
		}
		t.Root = f.Root()
		return t, j.upper(ctx, t)
	}
	t.Roots = nil
	return t, nil
}

// read reads neighbouring tiles; nil stands for a missing one.
func (j *Journal) read(ctx context.Context, level int, first, n uint64) ([][]byte, error) {
	contents := make([][]byte, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := range contents {
		g.Go(func() error {
			content, err := j.Get(ctx, seal.Tile{Level: level, Number: first + uint64(i), Width: seal.TileWidth})
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			contents[i] = content
			return err
		})
	}
	return contents, g.Wait()
}

// leaves returns the hashes in a tile of the lowest level. If the tile is missing or has another length, it computes them from the
// entries. It returns nil if there are too many such tiles, or if the entries are missing.
func (j *Journal) leaves(of seal.Tile, content []byte, t *Tree, rebuilt *int) ([]seal.Hash, error) {
	if content != nil {
		hashes, err := of.Hashes(content)
		if err == nil {
			return hashes, nil
		}
		t.Damaged = append(t.Damaged, of)
	} else {
		t.Missing = append(t.Missing, of)
	}
	if *rebuilt++; *rebuilt > mostRebuilt {
		return nil, nil
	}
	hashes, err := j.Nodes(of.Nodes())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return hashes, err
}

// upper compares the tiles of the higher levels with the roots of the tiles below them.
func (j *Journal) upper(ctx context.Context, t *Tree) error {
	roots := t.tops
	for level := 1; len(roots) >= seal.TileWidth; level++ {
		var above []seal.Hash
		contents, err := j.read(ctx, level, 0, uint64(len(roots)/seal.TileWidth))
		if err != nil {
			return err
		}
		for i, content := range contents {
			of := seal.Tile{Level: level, Number: uint64(i), Width: seal.TileWidth}
			want := roots[i*seal.TileWidth : (i+1)*seal.TileWidth]
			above = append(above, seal.RootOf(want))
			if content == nil {
				t.Missing = append(t.Missing, of)
				continue
			}
			if hashes, err := of.Hashes(content); err != nil || seal.RootOf(hashes) != above[i] {
				t.Damaged = append(t.Damaged, of)
			}
		}
		roots = above
	}
	return nil
}

// Liars returns the tiles of the lowest level whose root differs from the root in the entry that completes them. The caller asks
// for them if the tree does not have the root of the newest head.
func (j *Journal) Liars(t *Tree) (liars []seal.Tile, err error) {
	for first := 0; first < len(t.tops); first += parallel * 4 {
		var nodes []seal.Node
		for n := first; n < min(len(t.tops), first+parallel*4); n++ {
			nodes = append(nodes, seal.Node{Level: 8, Number: uint64(n)})
		}
		said, err := j.Nodes(nodes)
		if err != nil {
			return nil, err
		}
		for i, h := range said {
			if h != t.tops[first+i] {
				liars = append(liars, seal.Tile{Number: uint64(first + i), Width: seal.TileWidth})
			}
		}
	}
	return liars, nil
}
