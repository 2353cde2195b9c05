package tile_test

import (
	"context"
	"fmt"
	"io/fs"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/sink/archive/verify/tile"
)

// size is the size of a journal whose entries fill more than one tile of the second level.
const size = seal.TileWidth*seal.TileWidth + 5*seal.TileWidth + 17

// stored is such a journal, with its tiles.
type stored struct {
	leaves []seal.Hash
	tiles  map[seal.Tile][]byte
	gets   atomic.Int64
}

func store(t *testing.T) *stored {
	t.Helper()
	s := &stored{tiles: map[seal.Tile][]byte{}}
	for i := range size {
		s.leaves = append(s.leaves, seal.Leaf(fmt.Appendf(nil, "entry %d", i)))
	}
	for _, of := range seal.Tiles(size) {
		content, err := of.Content(seal.FromLeaves(s.leaves))
		if err != nil {
			t.Fatal(err)
		}
		if of.Width == seal.TileWidth {
			s.tiles[of] = content
		}
	}
	return s
}

func (s *stored) journal() *tile.Journal {
	return &tile.Journal{
		Size: size, Rest: s.leaves[size/seal.TileWidth*seal.TileWidth:], Wanted: map[uint64]bool{1: true, 300: true, 65_537: true, size: true},
		Nodes: seal.FromLeaves(s.leaves),
		Get: func(_ context.Context, of seal.Tile) ([]byte, error) {
			s.gets.Add(1)
			if content, ok := s.tiles[of]; ok {
				return content, nil
			}
			return nil, fs.ErrNotExist
		},
	}
}

func lowest(n uint64) seal.Tile { return seal.Tile{Number: n, Width: seal.TileWidth} }

func TestCompute(t *testing.T) {
	t.Parallel()
	upper := seal.Tile{Level: 1, Width: seal.TileWidth}
	for name, test := range map[string]struct {
		change           func(s *stored)
		damaged, missing []seal.Tile
		liars            []seal.Tile
		partial          bool // some leaves cannot be found
	}{
		"as it was":          {change: func(*stored) {}},
		"a tile lies":        {change: func(s *stored) { s.tiles[lowest(70)][40] ^= 1 }, liars: []seal.Tile{lowest(70)}, damaged: []seal.Tile{upper}},
		"the last one lies":  {change: func(s *stored) { s.tiles[lowest(260)][0] ^= 1 }, liars: []seal.Tile{lowest(260)}},
		"two were swapped":   {change: swap, liars: []seal.Tile{lowest(3), lowest(4)}, damaged: []seal.Tile{upper}},
		"a short one":        {change: func(s *stored) { s.tiles[lowest(2)] = s.tiles[lowest(2)][1:] }, damaged: []seal.Tile{lowest(2)}},
		"one is missing":     {change: func(s *stored) { delete(s.tiles, lowest(2)) }, missing: []seal.Tile{lowest(2)}},
		"an upper one lies":  {change: func(s *stored) { s.tiles[upper][8191] ^= 1 }, damaged: []seal.Tile{upper}},
		"an upper is gone":   {change: func(s *stored) { delete(s.tiles, upper) }, missing: []seal.Tile{upper}},
		"too many are gone":  {change: func(s *stored) { s.remove(9) }, partial: true},
		"many, and not more": {change: func(s *stored) { s.remove(8) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := store(t)
			test.change(s)
			j := s.journal()
			tree, err := j.Compute(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if test.partial || name == "many, and not more" {
				if tree.Whole == test.partial || len(tree.Missing) == 0 || test.partial && tree.Roots != nil {
					t.Fatalf("whole: %t, missing %v", tree.Whole, tree.Missing)
				}
				return
			}
			if !reflect.DeepEqual(tree.Damaged, test.damaged) || !reflect.DeepEqual(tree.Missing, test.missing) {
				t.Errorf("damaged %v, missing %v", tree.Damaged, tree.Missing)
			}
			whole := seal.RootOf(s.leaves)
			if (tree.Root == whole) != (test.liars == nil) || test.liars == nil && tree.Roots[300] != seal.RootOf(s.leaves[:300]) {
				t.Errorf("the root is %v, want %v", tree.Root, whole)
			}
			if len(tree.Roots) != 4 || tree.Roots[size] != tree.Root {
				t.Errorf("roots of %d sizes", len(tree.Roots))
			}
			liars, err := j.Liars(tree)
			if err != nil || !reflect.DeepEqual(liars, test.liars) {
				t.Errorf("liars %v, %v", liars, err)
			}
			if n := s.gets.Load(); n != size/seal.TileWidth+1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func swap(s *stored) {
	s.tiles[lowest(3)], s.tiles[lowest(4)] = s.tiles[lowest(4)], s.tiles[lowest(3)]
}

func (s *stored) remove(n uint64) {
	for i := range n {
		delete(s.tiles, lowest(i*7))
	}
}

// TestStoreFails: if the store fails, that is an error, and not a missing tile.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	s := store(t)
	j := s.journal()
	j.Get = func(context.Context, seal.Tile) ([]byte, error) { return nil, fs.ErrPermission }
	if tree, err := j.Compute(t.Context()); err == nil || tree != nil {
		t.Errorf("%v, %v", tree, err)
	}
}
