package seal

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// TileWidth is the number of hashes in a full tile. tileHeight is the number of the tree's levels in it.
const (
	tileHeight = 8
	TileWidth  = 1 << tileHeight
)

// A Tile is up to 256 neighbouring nodes of a tree's level 8*Level (C2SP tlog-tiles). A full tile never changes, and Houndtrail
// writes it once. Tiles make bulk reading cheap. The entries have the same content.
type Tile struct {
	Level  int
	Number uint64
	Width  int // the number of hashes in it: TileWidth if it is full
}

// Completed returns the tiles that the entry of that serial makes full, the lowest level first. Most entries make no tile full.
func Completed(serial uint64) []Tile {
	var tiles []Tile
	for level := 0; serial > 0 && serial%TileWidth == 0; level++ {
		serial /= TileWidth
		tiles = append(tiles, Tile{level, serial - 1, TileWidth})
	}
	return tiles
}

// Tiles returns all tiles of the tree of that size: the full ones, and the partial one on each level. A partial tile is never
// stored, but other tools want to read it. The tiles of the lowest level come first.
func Tiles(size uint64) []Tile {
	var tiles []Tile
	for _, t := range tlog.NewTiles(tileHeight, 0, int64(size)) {
		tiles = append(tiles, Tile{t.L, uint64(t.N), t.W})
	}
	return tiles
}

// theirs is the tile in tlog's form.
func (t Tile) theirs() tlog.Tile {
	return tlog.Tile{H: tileHeight, L: t.Level, N: int64(t.Number), W: t.Width}
}

// Path is the tile's key below the journal, such as tile/0/x001/x234/067. tlog's own path has the height in it.
func (t Tile) Path() string {
	return "tile/" + strings.TrimPrefix(t.theirs().Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

// ParseTile reads the output of Path.
func ParseTile(path string) (Tile, error) {
	name, ok := strings.CutPrefix(path, "tile/")
	t, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", tileHeight, name))
	parsed := Tile{t.L, uint64(t.N), t.W}
	if !ok || err != nil || t.L < 0 || t.L >= 64/tileHeight || t.N < 0 || parsed.last() > maxSize {
		return Tile{}, fmt.Errorf("%.200q is the name of no tile", path)
	}
	return parsed, nil
}

// last is the serial of the entry that ends the tile. It is above maxSize if there can be no such entry.
func (t Tile) last() uint64 {
	end := t.Number*TileWidth + uint64(t.Width)
	if shift := tileHeight * t.Level; t.Number < maxSize/TileWidth && end<<shift>>shift == end {
		return end << shift
	}
	return maxSize + 1
}

// Nodes returns the nodes whose hashes are in the tile.
func (t Tile) Nodes() []Node {
	nodes := make([]Node, t.Width)
	for i := range nodes {
		nodes[i] = Node{tileHeight * t.Level, t.Number*TileWidth + uint64(i)}
	}
	return nodes
}

// Content is the tile's bytes.
func (t Tile) Content(nodes Nodes) ([]byte, error) {
	hashes, err := nodes(t.Nodes())
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", t.Path(), err)
	}
	return contentOf(hashes), nil
}

func contentOf(hashes []Hash) []byte {
	content := make([]byte, 0, len(hashes)*len(Hash{}))
	for _, h := range hashes {
		content = append(content, h[:]...)
	}
	return content
}

// Hashes reads the tile's bytes back.
func (t Tile) Hashes(content []byte) ([]Hash, error) {
	if want := t.Width * len(Hash{}); len(content) != want {
		return nil, fmt.Errorf("%s has %d bytes, and not %d", t.Path(), len(content), want)
	}
	hashes := make([]Hash, 0, t.Width)
	for h := range slices.Chunk(content, len(Hash{})) {
		hashes = append(hashes, Hash(h))
	}
	return hashes, nil
}

// A TileStore has a journal's full tiles and its entries.
type TileStore struct {
	Tiles  func(full []Tile) ([][]byte, error)               // the bytes of these tiles, in their order
	Leaves func(serials []uint64) (leaves []Hash, err error) // the leaves of these entries, in their order
}

// FromTiles reads nodes of the tree with that size and root from the tiles in a store. It checks everything that it reads against
// the root. No store has a partial tile: its hashes are leaves, or the roots of full tiles.
func FromTiles(size uint64, root Hash, store TileStore) Nodes {
	return func(wanted []Node) ([]Hash, error) {
		indexes := make([]int64, len(wanted))
		for i, n := range wanted {
			if size > maxSize || n.Level < 0 || n.Level >= 64 || n.Number >= size>>n.Level {
				return nil, fmt.Errorf("the tree of %d leaves has no node %d of level %d", size, n.Number, n.Level)
			}
			indexes[i] = tlog.StoredHashIndex(n.Level, int64(n.Number))
		}
		if len(wanted) == 0 {
			return nil, nil
		}
		hashes, err := tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: tlog.Hash(root)}, tileReader{store}).ReadHashes(indexes)
		if err != nil {
			return nil, fmt.Errorf("the tiles of the tree of %d leaves: %w", size, err)
		}
		return ours(hashes), nil
	}
}

// tileReader gives tlog the tiles of a store, and makes the partial ones.
type tileReader struct{ store TileStore }

// Height is the height of all tiles.
func (tileReader) Height() int { return tileHeight }

// SaveTiles does nothing: the store has them.
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles asks the store once for all full tiles and once for all leaves.
func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var full []Tile
	var serials []uint64
	for _, t := range tiles {
		tile := Tile{t.L, uint64(t.N), t.W}
		switch {
		case tile.Width == TileWidth:
			full = append(full, tile)
		case tile.Level == 0:
			for _, n := range tile.Nodes() {
				serials = append(serials, n.Serial())
			}
		default:
			for _, n := range tile.Nodes() {
				full = append(full, Tile{tile.Level - 1, n.Number, TileWidth})
			}
		}
	}
	contents, leaves, err := r.read(full, serials)
	if err != nil {
		return nil, err
	}
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		switch {
		case t.W == TileWidth:
			data[i], contents = contents[0], contents[1:]
		case t.L == 0:
			data[i], leaves = contentOf(leaves[:t.W]), leaves[t.W:]
		default:
			if data[i], err = contentOfRoots(full[len(full)-len(contents):], contents[:t.W]); err != nil {
				return nil, err
			}
			contents = contents[t.W:]
		}
	}
	return data, nil
}

func (r tileReader) read(full []Tile, serials []uint64) (contents [][]byte, leaves []Hash, err error) {
	if len(full) > 0 {
		if contents, err = r.store.Tiles(full); err != nil {
			return nil, nil, err
		}
	}
	if len(serials) > 0 {
		if leaves, err = r.store.Leaves(serials); err != nil {
			return nil, nil, err
		}
	}
	if len(contents) != len(full) || len(leaves) != len(serials) {
		return nil, nil, fmt.Errorf("%d tiles and %d leaves were asked for, and %d and %d came",
			len(full), len(serials), len(contents), len(leaves))
	}
	return contents, leaves, nil
}

// contentOfRoots is the content of a tile whose hashes are the roots of these full tiles.
func contentOfRoots(tiles []Tile, contents [][]byte) ([]byte, error) {
	roots := make([]Hash, len(contents))
	for i, content := range contents {
		hashes, err := tiles[i].Hashes(content)
		if err != nil {
			return nil, err
		}
		roots[i] = RootOf(hashes)
	}
	return contentOf(roots), nil
}

// RootOf is the root of the tree over these hashes: of the leaves of a whole tree, or of the hashes of one full tile.
func RootOf(hashes []Hash) Hash {
	var f Frontier
	for _, h := range hashes {
		f.Append(h)
	}
	return f.Root()
}
