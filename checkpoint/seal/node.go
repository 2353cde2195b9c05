package seal

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// A Node is a place in a tree. It is the root of a perfect subtree of 2^Level leaves. Number such subtrees come before it on its
// level.
type Node struct {
	Level  int
	Number uint64
}

// Serial is the entry whose leaf completes the subtree.
func (n Node) Serial() uint64 { return (n.Number + 1) << n.Level }

// Nodes reads the hashes of nodes, one for each. Check a proof made from them against a known root: only FromTiles checks the
// hashes itself.
type Nodes func(wanted []Node) ([]Hash, error)

// FromEntries reads nodes from a journal's entries: each node comes from the one entry that completes it. read returns the entries
// of these serials, in their order.
func FromEntries(read func(serials []uint64) ([]*Entry, error)) Nodes {
	return func(wanted []Node) ([]Hash, error) {
		serials := make([]uint64, len(wanted))
		for i, n := range wanted {
			serials[i] = n.Serial()
		}
		entries, err := read(serials)
		if err != nil {
			return nil, err
		}
		if len(entries) != len(serials) {
			return nil, fmt.Errorf("%d entries were asked for, and %d came", len(serials), len(entries))
		}
		hashes := make([]Hash, len(wanted))
		for i, e := range entries {
			if e.Serial != serials[i] {
				return nil, fmt.Errorf("entry %d was asked for, and entry %d came", serials[i], e.Serial)
			}
			if hashes[i], err = e.Node(wanted[i].Level); err != nil {
				return nil, err
			}
		}
		return hashes, nil
	}
}

// FromLeaves reads nodes from all leaves, such as the rows of one object.
func FromLeaves(leaves []Hash) Nodes {
	return func(wanted []Node) ([]Hash, error) {
		hashes := make([]Hash, len(wanted))
		for i, n := range wanted {
			end := n.Serial()
			if end > uint64(len(leaves)) {
				return nil, fmt.Errorf("leaf %d was asked for, and there are %d", end, len(leaves))
			}
			var f Frontier
			for _, leaf := range leaves[end-1<<n.Level : end] {
				f.Append(leaf)
			}
			hashes[i] = f.Root()
		}
		return hashes, nil
	}
}

// reader lets tlog read nodes. tlog counts nodes in its own order.
func (read Nodes) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		wanted := make([]Node, len(indexes))
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			wanted[i] = Node{level, uint64(n)}
		}
		hashes, err := read(wanted)
		if err != nil {
			return nil, err
		}
		return theirs(hashes), nil
	})
}
