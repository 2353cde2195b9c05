package checkpoint

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config/setting"
)

// Sign makes the journal one that commits: each entry, and the head over it, gets a signature of each key, the oldest key first.
// Without a key the seals protect against accidents only. A journal that was signed once is not continued without a key, nor by
// keys of which none signed its newest entry: [ErrSignature].
func Sign(keys ...ed25519.PrivateKey) Option {
	return func(j *Journal) { j.commits, j.keys = true, keys }
}

// origin names the journal in seals, for ever: a move to another tenant or a reset does not change it. An adoption begins a new
// name if the entry before it cannot be read, since the tree before it is then what the store had left.
func (j *Journal) origin(prev Stored, lineage string) (string, error) {
	if prev.Seal != nil {
		return prev.Seal.Origin, nil
	}
	return seal.NewOrigin(j.id.Tenant, j.id.Stream, lineage)
}

// signers are the journal's keys as they sign for an origin.
func (j *Journal) signers(origin string) []seal.Signer {
	signers := make([]seal.Signer, len(j.keys))
	for i, key := range j.keys {
		signers[i] = seal.NewSigner(origin, key)
	}
	return signers
}

// sealed is the entry with its seal, as it follows prev.
func (j *Journal) sealed(ctx context.Context, prev Stored, next Checkpoint) (Checkpoint, error) {
	origin, err := j.origin(prev, next.Lineage)
	if err != nil {
		return next, err
	}
	before := new(seal.Frontier)
	switch {
	case prev.Serial > 0 && prev.Seal == nil:
		before, err = j.regrown(ctx, prev.Serial)
	case prev.Serial > 0:
		before, err = prev.after()
	}
	if err != nil {
		return next, err
	}
	// The head of the tree before this entry: only a head says that an entry counts, and that of this entry comes after it.
	var head string
	if prev.Serial > 0 {
		if head, err = j.signedHead(origin, before, prev); err != nil {
			return next, err
		}
	}
	s, err := seal.NewSeal(origin, before, head)
	next.Seal = &s
	return next, err
}

// signedHead is the head of a tree whose newest entry is s. Each byte of its text follows from the entries.
func (j *Journal) signedHead(origin string, tree *seal.Frontier, s Stored) (string, error) {
	h := seal.Head{
		Origin: origin, Size: tree.Size(), Root: tree.Root(), Cursor: s.Cursor, Records: uint64(max(0, s.Totals.Delivered)), //nolint:gosec // not negative
	}
	return h.Sign(j.signers(origin)...)
}

// after is the tree with this entry as its newest leaf.
func (s Stored) after() (*seal.Frontier, error) {
	tree, err := s.Seal.Before()
	if err == nil {
		tree.Append(s.Leaf)
	}
	return tree, err
}

// regrow is how many entries are read at the same time to grow a tree anew.
const regrow = 16

// regrown is the tree over the entries up to serial as the store has them, for an adoption whose previous entry cannot be read. A
// missing entry counts as an empty one: the adoption's new origin keeps the tree apart from the lost one.
func (j *Journal) regrown(ctx context.Context, serial uint64) (*seal.Frontier, error) {
	tree, leaves := new(seal.Frontier), make([]seal.Hash, segment)
	for tree.Size() < serial {
		n := min(segment, serial-tree.Size())
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(regrow)
		for i := range n {
			g.Go(func() error {
				body, _, _, err := j.bucket.Get(ctx, j.key(tree.Size()+i+1))
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("read the journal's entries for the new tree: %w", err)
				}
				leaves[i] = seal.Leaf(body)
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		for _, leaf := range leaves[:n] {
			tree.Append(leaf)
		}
	}
	return tree, nil
}

// continues holds the seal of an entry against the previous entry.
func (s Stored) continues(before Stored) error {
	tree, err := before.after()
	if err != nil {
		return err
	}
	said, err := s.Seal.Before()
	switch {
	case err != nil:
		return err
	case s.Seal.Origin != before.Seal.Origin:
		return fmt.Errorf("its seal is of the journal %s, and that of the previous entry of %s: two journals were mixed",
			s.Seal.Origin, before.Seal.Origin)
	case said.Root() != tree.Root() || !slices.Equal(said.Hashes(), tree.Hashes()):
		return fmt.Errorf("its seal is about a tree with the root %s, and the entries before it make %s: one of them was changed",
			said.Root().Base64(), tree.Root().Base64())
	}
	return nil
}

// authentic opens the signatures of an entry, if the journal commits. A reader without the keys cannot: verify does, with the public
// ones.
func (j *Journal) authentic(s Stored, entry *seal.Entry) error {
	if !j.commits {
		return nil
	}
	public := make([]seal.PublicKey, len(j.keys))
	for i, key := range j.keys {
		public[i] = seal.PublicOf(key)
	}
	_, err := entry.SignedBy(public...)
	switch {
	case err == nil, errors.Is(err, seal.ErrUnsigned): // signing may begin with the next entry
		return nil
	case len(j.keys) == 0:
		return fmt.Errorf("%w: %s is signed, and this run has no key: set "+setting.SigningKey+" to the journal's key; without it "+
			"an unsigned entry would look like a forged one", ErrSignature, j.at(j.key(s.Serial)))
	}
	return fmt.Errorf("%w: %s: %w, of those in "+setting.SigningKey+": if the key was replaced, give the previous one too, in front; "+
		"if it was not, another writer wrote this entry: compare it with an earlier version and look who wrote it",
		ErrSignature, j.at(j.key(s.Serial)), err)
}
