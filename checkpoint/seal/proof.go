package seal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrProof is in the error of each proof that does not hold.
var ErrProof = errors.New("the proof does not hold")

// An Inclusion proves that a leaf is in a tree: the path from the leaf to the root (RFC 6962, 2.1.1).
type Inclusion struct {
	Index  uint64 `json:"index"` // of the leaf; the first one is 0
	Size   uint64 `json:"size"`  // of the tree
	Hashes []Hash `json:"hashes"`
}

// ProveInclusion makes the proof for one leaf of the tree of that size.
func ProveInclusion(index, size uint64, nodes Nodes) (Inclusion, error) {
	if index >= size || size > maxSize {
		return Inclusion{}, fmt.Errorf("leaf %d of a tree of %d leaves cannot be proved", index, size)
	}
	path, err := tlog.ProveRecord(int64(size), int64(index), nodes.reader())
	if err != nil {
		return Inclusion{}, fmt.Errorf("prove leaf %d of %d: %w", index, size, err)
	}
	return Inclusion{index, size, ours(path)}, nil
}

// Check tells whether the leaf is in the tree with that root, at the proof's index.
func (p *Inclusion) Check(leaf, root Hash) error {
	if p.Index >= p.Size || p.Size > maxSize {
		return fmt.Errorf("%w: it is of leaf %d in a tree of %d leaves", ErrProof, p.Index, p.Size)
	}
	if tlog.CheckRecord(theirs(p.Hashes), int64(p.Size), tlog.Hash(root), int64(p.Index), tlog.Hash(leaf)) != nil {
		return fmt.Errorf("%w: its path of %d hashes does not lead from leaf %d to the root of the tree of %d leaves",
			ErrProof, len(p.Hashes), p.Index, p.Size)
	}
	return nil
}

// A Consistency proves that a tree grew from an older one. The older one is whole and unchanged in it (RFC 6962, 2.1.2).
type Consistency struct {
	Old    uint64 `json:"old"`
	New    uint64 `json:"new"`
	Hashes []Hash `json:"hashes"`
}

// ProveConsistency makes the proof for the trees of these sizes. Every tree grew from the empty one: that proof has no hashes.
func ProveConsistency(older, newer uint64, nodes Nodes) (Consistency, error) {
	if older > newer || newer > maxSize {
		return Consistency{}, fmt.Errorf("that a tree of %d leaves grew out of one of %d cannot be proved", newer, older)
	}
	if older == 0 {
		return Consistency{older, newer, []Hash{}}, nil
	}
	path, err := tlog.ProveTree(int64(newer), int64(older), nodes.reader())
	if err != nil {
		return Consistency{}, fmt.Errorf("prove that the tree of %d grew out of that of %d: %w", newer, older, err)
	}
	return Consistency{older, newer, ours(path)}, nil
}

// Check tells whether the tree with the root newer grew from the tree with the root older.
func (p *Consistency) Check(older, newer Hash) error {
	var err error
	switch {
	case p.Old > p.New || p.New > maxSize:
		return fmt.Errorf("%w: it says that a tree of %d leaves grew out of one of %d", ErrProof, p.New, p.Old)
	case p.Old == 0: // tlog proves nothing about the empty tree
		var empty Frontier
		if len(p.Hashes) > 0 || older != empty.Root() || p.New == 0 && newer != older {
			err = ErrProof
		}
	default:
		err = tlog.CheckTree(theirs(p.Hashes), int64(p.New), tlog.Hash(newer), int64(p.Old), tlog.Hash(older))
	}
	if err != nil {
		return fmt.Errorf("%w: the tree of %d leaves did not grow out of that of %d", ErrProof, p.New, p.Old)
	}
	return nil
}

// tlogProof is the first line of a C2SP tlog-proof.
const tlogProof = "c2sp.org/tlog-proof@v1"

// Text is the proof as a C2SP tlog-proof. Other tools read that form. head is the note of the tree's head.
func (p *Inclusion) Text(head string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nindex %d\n", tlogProof, p.Index)
	for _, h := range p.Hashes {
		b.WriteString(h.Base64() + "\n")
	}
	return b.String() + "\n" + head
}

// ReadProof reads a tlog-proof of a leaf, and the head in it. It accepts the output of Text. It checks neither the proof nor the
// head.
func ReadProof(text string) (Inclusion, *SignedHead, error) {
	proof, note, found := strings.Cut(text, "\n\n")
	if !found || len(text) > 2*largest {
		return Inclusion{}, nil, errors.New("it is no tlog-proof")
	}
	head, err := ReadHead(note)
	if err != nil {
		return Inclusion{}, nil, err
	}
	lines := strings.Split(proof, "\n")
	if len(lines) < 2 || lines[0] != tlogProof {
		return Inclusion{}, nil, fmt.Errorf("it is no tlog-proof: want %s in its first line", tlogProof)
	}
	p := Inclusion{Size: head.Size, Hashes: make([]Hash, len(lines)-2)}
	index, ok := strings.CutPrefix(lines[1], "index ")
	if p.Index, err = strconv.ParseUint(index, 10, 64); !ok || err != nil {
		return Inclusion{}, nil, fmt.Errorf("it is no tlog-proof: line 2 is %.80q and not its index", lines[1])
	}
	for i, line := range lines[2:] {
		if err := p.Hashes[i].UnmarshalText([]byte(line)); err != nil {
			return Inclusion{}, nil, fmt.Errorf("line %d of the proof: %w", i+3, err)
		}
	}
	if p.Text(note) != text {
		return Inclusion{}, nil, errors.New("it is not spelt as Houndtrail spells a tlog-proof")
	}
	return p, head, nil
}
