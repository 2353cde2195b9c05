package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// stored is a tree in tlog's own form. tlog shares no code with us.
type stored []tlog.Hash

func (s *stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = (*s)[index]
	}
	return hashes, nil
}

// A grown is a tree with all its leaves, in our form and in tlog's.
type grown struct {
	leaves []seal.Hash
	roots  []seal.Hash // by size
	stored *stored
}

func grow(t testing.TB, size int) grown {
	t.Helper()
	g := grown{stored: &stored{}}
	var f seal.Frontier
	g.roots = append(g.roots, f.Root())
	for i := range size {
		data := fmt.Appendf(nil, "leaf %d", i)
		hashes, err := tlog.StoredHashes(int64(i), data, g.stored)
		if err != nil {
			t.Fatal(err)
		}
		*g.stored = append(*g.stored, hashes...)
		g.leaves = append(g.leaves, seal.Leaf(data))
		f.Append(seal.Leaf(data))
		g.roots = append(g.roots, f.Root())
	}
	return g
}

// TestFrontierIsTheTree: at each size, the frontier has tlog's root, and can be made again from its hashes.
func TestFrontierIsTheTree(t *testing.T) {
	t.Parallel()
	g := grow(t, 3000)
	var f seal.Frontier
	for size := range uint64(len(g.roots)) {
		want, err := tlog.TreeHash(int64(size), g.stored)
		if err != nil || seal.Hash(want) != f.Root() {
			t.Fatalf("the root of %d is %x, want %x (%v)", size, f.Root(), want[:], err)
		}
		again, err := seal.NewFrontier(size, f.Hashes())
		if err != nil || again.Root() != f.Root() || again.Size() != size {
			t.Fatalf("the frontier of %d comes back as %+v, %v", size, again, err)
		}
		hashes := f.Hashes()
		if kept := must[*seal.Frontier](t)(seal.NewFrontier(size, hashes)); size%16 == 3 {
			kept.Append(g.leaves[0])
			if !slices.Equal(hashes, f.Hashes()) {
				t.Fatalf("the frontier of %d changed the list that it was made from", size)
			}
		}
		if _, err := seal.NewFrontier(size, append(f.Hashes(), seal.Hash{})); err == nil {
			t.Fatalf("the frontier of %d has a hash too many", size)
		}
		if size < 3000 {
			f.Append(g.leaves[size])
			if clone := again.Clone(); size > 0 {
				clone.Append(g.leaves[0])
				if again.Size() != size || again.Root() != g.roots[size] {
					t.Fatalf("a clone of %d changed what it was made from", size)
				}
			}
		}
	}
}

// journalOf is a journal of that number of entries. Each has no JSON but the seal.
func journalOf(t testing.TB, size int, by ...seal.Signer) []*seal.Entry {
	t.Helper()
	return extend(t, nil, size, by...)
}

// extend makes a journal longer, up to that size.
func extend(t testing.TB, list []*seal.Entry, size int, by ...seal.Signer) []*seal.Entry {
	t.Helper()
	list = slices.Clone(list)
	for serial := uint64(len(list) + 1); serial <= uint64(size); serial++ {
		before, previous := new(seal.Frontier), ""
		if len(list) > 0 {
			before = list[len(list)-1].After()
			h := seal.Head{Origin: origin, Size: before.Size(), Root: before.Root(), Cursor: time.UnixMicro(int64(serial)), Records: serial}
			previous = must[string](t)(h.Sign(by...))
		}
		s := must[seal.Seal](t)(seal.NewSeal(origin, before, previous))
		body := fmt.Appendf(nil, `{"serial":%d,"seal":%s}`+"\n", serial, must[[]byte](t)(json.Marshal(s)))
		list = append(list, must[*seal.Entry](t)(seal.ReadEntry(must[[]byte](t)(seal.SignEntry(body, origin, serial, by...)))))
	}
	return list
}

// TestNodesComeOutOfEntries: every node of a tree comes from the one entry that completes it, and it is tlog's node.
func TestNodesComeOutOfEntries(t *testing.T) {
	t.Parallel()
	journal := journalOf(t, 300)
	var list stored
	for i, e := range journal {
		hashes, err := tlog.StoredHashesForRecordHash(int64(i), tlog.Hash(e.Leaf), &list)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, hashes...)
	}
	gets := 0
	nodes := seal.FromEntries(func(serials []uint64) ([]*seal.Entry, error) {
		var found []*seal.Entry
		for _, serial := range serials {
			gets++
			found = append(found, journal[serial-1])
		}
		return found, nil
	})
	for index, want := range list {
		level, n := tlog.SplitStoredHashIndex(int64(index))
		if got, err := nodes([]seal.Node{{Level: level, Number: uint64(n)}}); err != nil || got[0] != seal.Hash(want) {
			t.Fatalf("node %d of level %d is %x, want %x (%v)", n, level, got, want[:], err)
		}
	}
	gets = 0
	root := journal[299].After().Root()
	for index := range uint64(300) {
		before := gets
		p, err := seal.ProveInclusion(index, 300, nodes)
		if err != nil || p.Check(journal[index].Leaf, root) != nil {
			t.Fatalf("entry %d: %v", index+1, err)
		}
		c, err := seal.ProveConsistency(index+1, 300, nodes)
		if err != nil || c.Check(journal[index].After().Root(), root) != nil {
			t.Fatalf("from %d on: %v", index+1, err)
		}
		if gets-before > 31 {
			t.Fatalf("two proofs of entry %d took %d entries", index+1, gets-before)
		}
	}
	wrong := seal.FromEntries(func(serials []uint64) ([]*seal.Entry, error) { return journal[:len(serials)], nil })
	if _, err := wrong([]seal.Node{{Level: 0, Number: 7}}); err == nil {
		t.Error("another entry than the one that was asked for is taken")
	}
	if _, err := journal[5].Node(2); err == nil {
		t.Error("entry 6 completes a subtree of four")
	}
}

// TestProofsAreTlogs: our proofs are tlog's proofs, and tlog accepts them. A proof holds only for its own leaf and tree.
func TestProofsAreTlogs(t *testing.T) {
	t.Parallel()
	g := grow(t, 700)
	nodes := seal.FromLeaves(g.leaves)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Uint64Range(1, 700).Draw(t, "size")
		index := rapid.Uint64Range(0, size-1).Draw(t, "index")
		older := rapid.Uint64Range(0, size).Draw(t, "older")
		p, err := seal.ProveInclusion(index, size, nodes)
		theirs, theirErr := tlog.ProveRecord(int64(size), int64(index), g.stored)
		if err != nil || theirErr != nil || !same(p.Hashes, theirs) || p.Check(g.leaves[index], g.roots[size]) != nil {
			t.Fatalf("inclusion %+v, tlog's %v (%v, %v)", p, theirs, err, theirErr)
		}
		c, err := seal.ProveConsistency(older, size, nodes)
		if err != nil || c.Check(g.roots[older], g.roots[size]) != nil {
			t.Fatalf("consistency %+v: %v", c, err)
		}
		if older > 0 {
			if theirs, err := tlog.ProveTree(int64(size), int64(older), g.stored); err != nil || !same(c.Hashes, theirs) {
				t.Fatalf("consistency %+v, tlog's %v (%v)", c, theirs, err)
			}
		}
		other := rapid.Uint64Range(0, 700).Filter(func(n uint64) bool { return n != size && n != older }).Draw(t, "other")
		wrong := []error{
			p.Check(g.leaves[index], g.roots[other]), p.Check(g.leaves[(index+1)%700], g.roots[size]),
			c.Check(g.roots[other], g.roots[size]), c.Check(seal.Hash{}, g.roots[size]),
			(&seal.Inclusion{Index: index, Size: size, Hashes: append(slices.Clone(p.Hashes), seal.Hash{})}).Check(g.leaves[index], g.roots[size]),
			(&seal.Inclusion{Index: index, Size: 1 << 63, Hashes: p.Hashes}).Check(g.leaves[index], g.roots[size]),
			(&seal.Inclusion{Index: 1<<62 + 1, Size: 1<<63 - 1, Hashes: p.Hashes}).Check(g.leaves[index], g.roots[size]),
			(&seal.Inclusion{Index: size, Size: size, Hashes: p.Hashes}).Check(g.leaves[index], g.roots[size]),
			(&seal.Consistency{Old: older, New: size, Hashes: append(slices.Clone(c.Hashes), seal.Hash{})}).Check(g.roots[older], g.roots[size]),
			(&seal.Consistency{Old: size + 1, New: size, Hashes: c.Hashes}).Check(g.roots[older], g.roots[size]),
			(&seal.Consistency{Old: 1<<62 + 1, New: 1<<63 - 1, Hashes: c.Hashes}).Check(g.roots[older], g.roots[size]),
		}
		if older > 0 {
			wrong = append(wrong, c.Check(g.roots[older], g.roots[other]))
		}
		for i, err := range wrong {
			if !errors.Is(err, seal.ErrProof) {
				t.Fatalf("wrong proof %d is %v", i, err)
			}
		}
	})
	for _, err := range []error{
		second(seal.ProveInclusion(7, 7, nodes)), second(seal.ProveInclusion(7, 1<<63, nodes)), second(seal.ProveInclusion(699, 701, nodes)),
		second(seal.ProveConsistency(8, 7, nodes)), second(seal.ProveConsistency(8, 1<<63, nodes)), second(seal.ProveConsistency(8, 701, nodes)),
	} {
		if err == nil {
			t.Error("something was proved of a tree that is not there")
		}
	}
}

func same(a []seal.Hash, b []tlog.Hash) bool {
	return slices.EqualFunc(a, b, func(a seal.Hash, b tlog.Hash) bool { return a == seal.Hash(b) })
}

func second[T any](_ T, err error) error { return err }

// TestTilesAreTlogs: tlog gives the same names, contents and completion. Only the height in the name differs.
func TestTilesAreTlogs(t *testing.T) {
	t.Parallel()
	g := grow(t, 1500)
	nodes := seal.FromLeaves(g.leaves)
	full := map[string][]byte{}
	for size := range uint64(1501) {
		for _, tile := range seal.Completed(size) {
			full[tile.Path()] = must[[]byte](t)(tile.Content(nodes))
		}
		want := 0
		for _, tile := range seal.Tiles(size) {
			if tile.Width == seal.TileWidth {
				want++
			}
		}
		if len(full) != want {
			t.Fatalf("%d tiles are full at size %d, want %d", len(full), size, want)
		}
	}
	for _, tile := range seal.Tiles(1500) {
		theirs, err := tlog.ReadTileData(tlog.Tile{H: 8, L: tile.Level, N: int64(tile.Number), W: tile.Width}, g.stored)
		if got := must[[]byte](t)(tile.Content(nodes)); err != nil || !bytes.Equal(got, theirs) {
			t.Errorf("%s differs from tlog's (%v)", tile.Path(), err)
		}
		hashes := must[[]seal.Hash](t)(tile.Hashes(theirs))
		if list := must[[]seal.Hash](t)(nodes(tile.Nodes())); cmp.Diff(list, hashes) != "" {
			t.Errorf("%s does not come back from its bytes", tile.Path())
		}
		if back, err := seal.ParseTile(tile.Path()); err != nil || back != tile {
			t.Errorf("%s is read as %+v, %v", tile.Path(), back, err)
		}
	}
	if got := fmt.Sprint(seal.Completed(1<<24), seal.Completed(0), seal.Completed(255)); got != "[{0 65535 256} {1 255 256} {2 0 256}] [] []" {
		t.Errorf("completed are %s", got)
	}
	for _, path := range []string{
		"", "tile/", "tile/0", "tile/0/0", "tile/0/000.p/256", "tile/0/000.p/0", "tile/8/0/000", "tile/0/x000/000", "tile/data/000", "tile/entries/000",
		"tile/8/000", "tile/-1/000", "tile/0/000/", "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/7/001", "0/000", "tile/00/000", "tile/0/+01", "tile/6/x001/000",
	} {
		if tile, err := seal.ParseTile(path); err == nil {
			t.Errorf("%q is read as %+v", path, tile)
		}
	}
}

// TestNodesComeOutOfTiles: the nodes from full tiles and from the last leaves are the tree's nodes. A reader notices each changed
// byte.
func TestNodesComeOutOfTiles(t *testing.T) {
	t.Parallel()
	const largest = 66_000 // two levels of full tiles
	g := grow(t, largest)
	leaves := seal.Nodes(func(wanted []seal.Node) ([]seal.Hash, error) {
		var hashes []seal.Hash
		for _, n := range wanted {
			hashes = append(hashes, seal.Hash((*g.stored)[tlog.StoredHashIndex(n.Level, int64(n.Number))]))
		}
		return hashes, nil
	})
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.Uint64Range(1, 700), rapid.Uint64Range(65_400, largest), rapid.SampledFrom([]uint64{256, 512, 65_536})).Draw(t, "size")
		damaged := rapid.IntRange(-1, 3).Draw(t, "the read that is damaged")
		reads, damage := 0, false
		spoil := func() bool { reads++; damage = damage || reads == damaged+1; return reads == damaged+1 }
		store := seal.TileStore{
			Tiles: func(full []seal.Tile) ([][]byte, error) {
				var contents [][]byte
				for _, tile := range full {
					if tile.Width != seal.TileWidth || (tile.Number+1)<<(8*tile.Level+8) > size {
						t.Fatalf("a tree of %d has no full %s", size, tile.Path())
					}
					content, err := tile.Content(leaves)
					if err != nil {
						t.Fatal(err)
					}
					if spoil() {
						content[rapid.IntRange(0, len(content)-1).Draw(t, "byte")] ^= 1
					}
					contents = append(contents, content)
				}
				return contents, nil
			},
			Leaves: func(serials []uint64) ([]seal.Hash, error) {
				var list []seal.Hash
				for _, serial := range serials {
					list = append(list, g.leaves[serial-1])
				}
				if spoil() {
					list[rapid.IntRange(0, len(list)-1).Draw(t, "leaf")][7] ^= 1
				}
				return list, nil
			},
		}
		index := rapid.Uint64Range(0, size-1).Draw(t, "index")
		p, err := seal.ProveInclusion(index, size, seal.FromTiles(size, g.roots[size], store))
		switch {
		case damage && err == nil && size > 1:
			t.Fatalf("a changed byte went unnoticed")
		case !damage && (err != nil || p.Check(g.leaves[index], g.roots[size]) != nil):
			t.Fatalf("leaf %d of %d: %v", index, size, err)
		}
	})
	for _, bad := range []seal.Node{{Level: 0, Number: 700}, {Level: 64}, {Level: -1}, {Level: 9, Number: 1}} {
		if _, err := seal.FromTiles(700, g.roots[700], seal.TileStore{})([]seal.Node{bad}); err == nil {
			t.Errorf("the tree of 700 has the node %+v", bad)
		}
	}
}

// TestRowsComeBack: each row has only one reading, so two records never have the same row bytes.
func TestRowsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id, at := rapid.Int64().Draw(t, "id"), rapid.Int64().Draw(t, "at")
		columns := rapid.SliceOfN(rapid.Ptr(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "-", "-,", "3:abc,", ",", "0:,"})), true), 0, 10).Draw(t, "columns")
		row := seal.AppendRow([]byte("before"), id, at, columns...)[len("before"):]
		got, err := seal.ParseRow(row)
		if err != nil || got.ID != id || got.CreatedAtMicros != at || !slices.EqualFunc(got.Columns, columns, func(a, b *string) bool {
			return (a == nil) == (b == nil) && (a == nil || *a == *b)
		}) {
			t.Fatalf("%q is read as %+v, %v", row, got, err)
		}
	})
	for _, row := range []string{
		"", "1:1,", "-,1:1,", "1:1,-,", "01:1,1:1,", "2:01,1:1,", "2:+1,1:1,", "1:1,1:1", "1:1,1:1,x", "1:1,1:1,9:a,", "1:1,1:1,99999999999999999999:a,",
		"1:1,1:1,-1:a,", "1:1,1:1,:,", "1:1,1:1,1", "1:1,1:1,1:", "1:1,1:1,0:", "1:a,1:1,", "1:1,1:1,+1:a,", "1:1,1:1,--,",
	} {
		if got, err := seal.ParseRow([]byte(row)); err == nil {
			t.Errorf("%q is read as %+v", row, got)
		}
	}
}

// TestRowsAreStreamed: a long row has the same leaf as its bytes, for any place of the cut.
func TestRowsAreStreamed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var rows seal.Rows
		var tree seal.Frontier
		for id := range rapid.Int64Range(1, 4).Draw(t, "rows") {
			var columns []*string
			for range rapid.IntRange(0, 4).Draw(t, "columns") {
				length := rapid.SampledFrom([]int{-1, 0, 1, 100, 32<<10 - 20, 32<<10 - 1, 32 << 10, 32<<10 + 1, 100_000}).Draw(t, "length")
				if length < 0 {
					columns = append(columns, nil)
					continue
				}
				text := strings.Repeat("x", max(0, length-rapid.IntRange(0, 12).Draw(t, "less")))
				columns = append(columns, &text)
			}
			rows.Add(id, -id, columns...)
			tree.Append(seal.Leaf(seal.AppendRow(nil, id, -id, columns...)))
			if rows.Root() != tree.Root() {
				t.Fatalf("row %d has another leaf than its bytes", id)
			}
		}
	})
}
