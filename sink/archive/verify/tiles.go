package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/sink/archive/verify/tile"
)

// remains keeps the leaves of the entries after the last full tile.
func (j *journal) remains(s checkpoint.Stored) {
	if s.Serial > j.end.Newest/seal.TileWidth*seal.TileWidth {
		j.rest = append(j.rest, s.Leaf)
	}
}

// tiles computes the tree of the journal from its tiles. It compares the tree with the newest head, and the remembered heads with
// the tree. That takes one request for 256 entries, and no proof. If the tiles cannot be used, the entries prove the remembered
// heads.
func (j *journal) tiles(ctx context.Context) {
	tip, err := j.tip.TreeHead()
	if err != nil || j.Sample != nil || !j.whole() || ctx.Err() != nil {
		return
	}
	j.beyond(ctx)
	if j.end.Newest < seal.TileWidth || uint64(len(j.rest)) != j.end.Newest%seal.TileWidth {
		return
	}
	wanted := map[uint64]bool{}
	for size := range j.remembered {
		wanted[size] = true
	}
	all := tile.Journal{Size: j.end.Newest, Get: j.tile, Nodes: j.nodes(ctx), Rest: j.rest, Wanted: wanted}
	tree, err := all.Compute(ctx)
	if j.stumbled(ctx, err) {
		return
	}
	j.gaps(ctx, tree.Missing)
	j.liars(ctx, tree.Damaged)
	switch {
	case !tree.Whole:
	case tree.Root != tip.Root:
		j.denied(ctx, &all, tree, tip)
	default:
		for size, of := range j.remembered {
			for _, w := range of {
				if !w.settled {
					j.settle(w, tree.Roots[size] == w.Root, tip)
				}
			}
		}
	}
}

// tile reads a tile.
func (j *journal) tile(ctx context.Context, t seal.Tile) ([]byte, error) {
	body, _, _, err := j.Positions.Get(ctx, j.tileKey(t))
	return body, err
}

func (j *journal) tileKey(t seal.Tile) string { return j.Name + "/" + t.Path() }

// stumbled handles an error about the tiles. An entry that cannot be read already has a finding, or is older than the entries of
// this depth. So it reports only other errors.
func (j *journal) stumbled(ctx context.Context, err error) bool {
	if err != nil && ctx.Err() == nil && !errors.As(err, new(unreadable)) && !errors.Is(err, fs.ErrNotExist) {
		j.unread(err)
	}
	return err != nil
}

// gaps reports tiles that are missing although the entry that completes them is there.
func (j *journal) gaps(ctx context.Context, missing []seal.Tile) {
	if len(missing) == 0 {
		return
	}
	earliest, err := j.earliest(ctx)
	if err != nil {
		j.unread(err)
		return
	}
	missing = slices.DeleteFunc(missing, func(t seal.Tile) bool { return ends(t) < earliest })
	if len(missing) > 0 {
		first := missing[0]
		j.found.add(Finding{Code: TileMissing, Severity: Warning, Stream: j.Name, Entry: ends(first), Key: j.tileKey(first), Text: fmt.Sprintf(
			"%s of the journal %s missing, such as %s, which entry %d completed. The entries have the same hashes.",
			plural(len(missing), "tile"), isAre(len(missing) > 1), j.tileKey(first), ends(first))})
	}
}

// ends is the entry that completes a tile.
func ends(t seal.Tile) uint64 {
	nodes := t.Nodes()
	return nodes[len(nodes)-1].Serial()
}

// denied looks for the tiles that differ from the entries.
func (j *journal) denied(ctx context.Context, all *tile.Journal, tree *tile.Tree, tip seal.Head) {
	liars, err := all.Liars(tree)
	if j.stumbled(ctx, err) {
		return
	}
	if len(liars) > 0 {
		j.liars(ctx, liars)
		return
	}
	j.report(EntryChanged, Error, 0, "Each tile has the root that the entry has that completes it, and together they make the root %s, while "+
		"entry %d has %s: entries were changed, and the ones that complete tiles as well.", tree.Root.Base64(), tip.Size, tip.Root.Base64())
}

// liars reports tiles that differ from the entries. An adoption after a loss of entries leaves such tiles behind.
func (j *journal) liars(ctx context.Context, tiles []seal.Tile) {
	severity, why := Error, ""
	if len(tiles) > 0 && j.adopted(ctx) {
		severity, why = Warning, " It may be of entries that were lost before an adoption gave the journal its name."
	}
	for _, t := range tiles {
		j.found.add(Finding{Code: TileDiffers, Severity: severity, Stream: j.Name, Entry: ends(t), Key: j.tileKey(t), Text: fmt.Sprintf(
			"%s is not what the entries give that it is of, the last of which is entry %d.%s", j.tileKey(t), ends(t), why)})
	}
}

// beyond looks for tiles of entries that the journal does not have. Houndtrail writes a tile after its entries.
func (j *journal) beyond(ctx context.Context) {
	full := j.end.Newest / seal.TileWidth
	after := ""
	if full > 0 {
		after = j.tileKey(seal.Tile{Number: full - 1, Width: seal.TileWidth})
	}
	keys, err := j.Positions.List(ctx, j.Name+"/tile/0/", after)
	if err != nil {
		j.stumbled(ctx, err)
		return
	}
	for _, key := range slices.Backward(keys) {
		t, err := seal.ParseTile(key[len(j.Name)+1:])
		if err != nil || t.Number < full || t.Width != seal.TileWidth {
			continue
		}
		switch _, _, _, err := j.Positions.Get(ctx, j.Key(ends(t))); {
		case err == nil: // the journal has grown since
		case !errors.Is(err, fs.ErrNotExist):
			j.stumbled(ctx, err)
		case j.adopted(ctx):
			j.liars(ctx, []seal.Tile{t})
		default:
			j.report(EntriesLost, Error, j.end.Newest+1, "%s was written after entry %d, and the journal ends with entry %d.", key, ends(t),
				j.end.Newest)
		}
		return
	}
}

// adopted tells whether an adoption gave the journal its name. In that case entry 1 has another name, or is an adoption itself.
func (j *journal) adopted(ctx context.Context) bool {
	body, _, _, err := j.Positions.Get(ctx, j.Key(1))
	if err != nil {
		return false
	}
	first, err := j.Parse(1, body)
	return err == nil && (first.Kind == checkpoint.KindAdopt || first.Seal.Origin != j.tip.Seal.Origin)
}
