// Package tile recomputes the tree of a journal out of its tiles (evidence of package seal): one small object for each 256 entries, so
// that a journal of years costs seconds.
//
// A tile proves nothing by itself. A tree whose root is the root of the newest head proves all of them: no other hashes make that root.
// If a tile is missing, the entries give the same hashes. If one lies, the entry that completes it has another root of its hashes.
package tile

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

const (
	// parallel is how many tiles are asked for at a time.
	parallel = 64
	// mostRebuilt is how many missing tiles are made of the entries, which takes 256 requests each.
	mostRebuilt = 8
)

// A Journal is what a Tree is made of.
type Journal struct {
	Size uint64 // entries
	// Get reads a tile's bytes. A missing tile is fs.ErrNotExist.
	Get func(ctx context.Context, t seal.Tile) ([]byte, error)
	// Nodes are the nodes of the tree by the entries. A node of which the entry is not there is fs.ErrNotExist.
	Nodes seal.Nodes
	// Rest are the leaves of the entries after the last full tile.
	Rest []seal.Hash
	// Wanted are the sizes of which the root is wanted.
	Wanted map[uint64]bool
}

// A Tree is the result.
type Tree struct {
	Root  seal.Hash
	Roots map[uint64]seal.Hash // of the wanted sizes
	// Whole tells that all leaves were found. If they were not, too many tiles are missing, and there are no roots.
	Whole bool

	Missing []seal.Tile
	Damaged []seal.Tile // they have another length, or do not agree with the tiles below them

	tops []seal.Hash // the root of each tile of the lowest level
}

// full is the number of full tiles of the lowest level.
func (j *Journal) full() uint64 { return j.Size / seal.TileWidth }

// Compute recomputes the tree. Its error is about the store.
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

// read reads neighbouring tiles; nil stands for one that is missing.
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

// leaves are the hashes in a tile of the lowest level. They come out of the entries if the tile is missing or has another length; nil
// if too many of them do, or if the entries are not there.
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

// Liars are the tiles of the lowest level that do not have the root that the entry says that completes them. It is asked for if the
// tree has not the root of the newest head.
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
