package seal

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"
)

// A Frontier is the part of a tree that the tree needs to grow. It has the roots of the tree's perfect subtrees, one for each bit
// of the size. The largest and leftmost one is the first. The zero value is the empty tree. A tree over any number of rows is one
// Frontier, so its memory grows only with the logarithm of that number.
type Frontier struct {
	size   uint64
	hashes []Hash
}

// NewFrontier makes a frontier of that size from the hashes that Hashes returned.
func NewFrontier(size uint64, hashes []Hash) (*Frontier, error) {
	if size > maxSize {
		return nil, fmt.Errorf("a tree of %d leaves is too large", size)
	}
	if want := bits.OnesCount64(size); len(hashes) != want {
		return nil, fmt.Errorf("the frontier of a tree of %d leaves has %d hashes, and there are %d", size, want, len(hashes))
	}
	return &Frontier{size, slices.Clone(hashes)}, nil
}

// Size is the number of leaves.
func (f *Frontier) Size() uint64 { return f.size }

// Hashes returns the roots of the perfect subtrees, the largest one first. The list is never nil, so that JSON has no null.
func (f *Frontier) Hashes() []Hash { return append([]Hash{}, f.hashes...) }

// Clone returns a copy that grows on its own.
func (f *Frontier) Clone() *Frontier { return &Frontier{f.size, slices.Clone(f.hashes)} }

// Append adds one leaf.
func (f *Frontier) Append(leaf Hash) {
	level := bits.TrailingZeros64(f.size + 1)
	root := f.complete(level, leaf)
	f.hashes = append(f.hashes[:len(f.hashes)-level], root)
	f.size++
}

// complete returns the root of the subtree of 2^level leaves that this next leaf completes.
func (f *Frontier) complete(level int, leaf Hash) Hash {
	for i := range level {
		leaf = node(f.hashes[len(f.hashes)-1-i], leaf)
	}
	return leaf
}

// Root is the hash of the whole tree.
func (f *Frontier) Root() Hash {
	if f.size == 0 {
		return sha256.Sum256(nil)
	}
	last := len(f.hashes) - 1
	root := f.hashes[last]
	for i := last - 1; i >= 0; i-- {
		root = node(f.hashes[i], root)
	}
	return root
}
