package checkpoint

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// Sign makes the journal one that commits. Each entry, and the head over it, gets a signature of each key, the oldest key first.
// Without a key, the seals protect against accidents only. To continue a signed journal, one of the run's keys has to have signed
// the newest list of keys or, if that was pruned, the newest entry. Otherwise the error is [ErrSignature]. If signing begins in a
// journal that has entries, the first Load reads all of them, since the first signed head is about all of them.
// A journal without this option is for readers. It opens no signature.
func Sign(keys ...ed25519.PrivateKey) Option {
	return func(j *Journal) { j.commits, j.keys = true, keys }
}

// keysFor returns the keys that sign the entry after prev. Only an entry that has a list of keys begins to sign. So each signed
// entry names the list that vouches for it.
func (j *Journal) keysFor(prev Stored, next *Checkpoint) []ed25519.PrivateKey {
	if prev.Signed || next.Keys != nil {
		return j.keys
	}
	return nil
}

// signers are keys as they sign for an origin.
func signers(keys []ed25519.PrivateKey, origin string) []seal.Signer {
	signers := make([]seal.Signer, len(keys))
	for i, key := range keys {
		signers[i] = seal.NewSigner(origin, key)
	}
	return signers
}

// public are the public parts of the journal's keys.
func (j *Journal) public() []seal.PublicKey {
	public := make([]seal.PublicKey, len(j.keys))
	for i, key := range j.keys {
		public[i] = seal.PublicOf(key)
	}
	return public
}

// founds tells whether the entry begins an origin. A reset and a move keep the name of the journal. An adoption takes a new name.
// It may follow entries that are lost, and a head of each of them may be signed already. Under the same name, there would be two
// heads of one size.
func (c *Checkpoint) founds() bool { return c.Serial == 1 || c.Kind == KindAdopt }

// origin is the name that the entry gives to the journal, if it founds one.
func (c *Checkpoint) origin() (string, error) { return seal.NewOrigin(c.Tenant, c.Stream, c.Lineage) }

// sealed returns the entry with its seal, as it follows prev. sealed signs the head over prev. So the caller has read prev from
// the store, or the store has acknowledged it.
func (j *Journal) sealed(ctx context.Context, prev Stored, next Checkpoint) (Checkpoint, error) {
	if prev.Signed && len(j.keys) == 0 {
		return next, j.keyless(prev.Serial)
	}
	tree, err := j.after(ctx, prev)
	if err != nil {
		return next, err
	}
	var origin, head string
	if next.founds() {
		origin, err = next.origin()
	} else if prev.Seal != nil {
		origin = prev.Seal.Origin
	} else {
		err = fmt.Errorf("%s cannot be read, and only an adoption may follow it", j.at(j.Key(prev.Serial)))
	}
	if err == nil && prev.Serial > 0 {
		h := prev.head(origin, tree)
		head, err = h.Sign(signers(j.keysFor(prev, &next), origin)...)
	}
	if err != nil {
		return next, err
	}
	s, err := seal.NewSeal(origin, tree, head)
	next.Seal = &s
	return next, err
}

// head is the head of a tree whose newest leaf is this entry. Each byte of its text comes from the entries.
func (s Stored) head(origin string, tree *seal.Frontier) seal.Head {
	return seal.Head{
		Origin: origin, Size: tree.Size(), Root: tree.Root(), Cursor: s.Cursor,
		Records: uint64(max(0, s.Totals.Delivered)),
	}
}

// ownHead is the head of the tree with this entry as its newest leaf, under the entry's own origin.
func (s Stored) ownHead() (seal.Head, error) {
	tree, err := s.Seal.Before()
	if err != nil {
		return seal.Head{}, err
	}
	tree.Append(s.Leaf)
	return s.head(s.Seal.Origin, tree), nil
}

// signHead fills in the head. The caller knows that the entry is in the store.
func (j *Journal) signHead(s *Stored) error {
	keys := j.keys
	if !s.Signed {
		keys = nil // as in the entry itself: signing begins with the next list of keys
	}
	h, err := s.ownHead()
	if err == nil {
		s.Head, err = h.Sign(signers(keys, h.Origin)...)
	}
	return err
}

// after is the tree with this entry as its newest leaf. If the entry cannot be read, the tree grows anew from the bytes in the
// store. It begins with the tree of the newest entry that can be read. A missing entry counts as an empty one. This tree belongs
// to an origin that begins only now.
func (j *Journal) after(ctx context.Context, s Stored) (*seal.Frontier, error) {
	switch {
	case s.Serial == 0:
		return new(seal.Frontier), nil
	case s.Seal != nil:
		tree, err := s.Seal.Before()
		if err == nil {
			tree.Append(s.Leaf)
		}
		return tree, err
	}
	first, err := j.first(ctx, s.Serial)
	if err != nil {
		return nil, err
	}
	var leaves []seal.Hash // the newest one first
	tree := new(seal.Frontier)
	for serial := s.Serial; serial >= first && tree.Size() == 0; serial-- {
		body, _, _, err := j.bucket.Get(ctx, j.Key(serial))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the entries before the adoption: %w", err)
		}
		leaves = append(leaves, seal.Leaf(body))
		if older, entry, err := decode(body); err == nil && older.Serial == serial && j.genuine(entry) {
			if older.Signed && len(j.keys) == 0 {
				return nil, j.keyless(serial)
			}
			tree, leaves = entry.After(), leaves[:len(leaves)-1]
		}
	}
	for missing := seal.Leaf(nil); tree.Size()+uint64(len(leaves)) < s.Serial; {
		tree.Append(missing)
	}
	for _, leaf := range slices.Backward(leaves) {
		tree.Append(leaf)
	}
	return tree, nil
}

// genuine tells whether an entry bears a signature of one of the journal's keys, or none at all.
func (j *Journal) genuine(entry *seal.Entry) bool {
	_, err := entry.SignedBy(j.public()...)
	return err == nil || errors.Is(err, seal.ErrUnsigned) || len(j.keys) == 0
}

// continues compares the seal of an entry with the previous entry.
func (s Stored) continues(before Stored) error {
	switch {
	case before.Signed && !s.Signed:
		return errors.New("it is not signed, and the previous entry is: another writer wrote it, or its signatures were removed")
	case s.founds():
		return nil // its name begins here, and its tree may have grown anew
	case s.Seal.Origin != before.Seal.Origin:
		return fmt.Errorf("its seal is of the journal %s, and that of the previous entry of %s: two journals were mixed",
			s.Seal.Origin, before.Seal.Origin)
	}
	want, err := before.ownHead()
	if err != nil {
		return err
	}
	said, err := seal.ReadHead(s.Seal.Head)
	if err == nil && said.Text() != want.Text() {
		err = fmt.Errorf("its seal has the head %q, and the entries before it make %q: one of them was changed", said.Text(), want.Text())
	}
	return err
}

// unforked reads the note once more before the head over an entry is signed. The note may be of this entry with other bytes, or of
// an entry that does not exist. Then the store had another history at an earlier time, and two heads of one size would prove both.
func (j *Journal) unforked(ctx context.Context, s Stored) error {
	noted, _, err := j.readNote(ctx)
	if err != nil || noted.Serial < s.Serial {
		return nil //nolint:nilerr // the note is only a hint, and Commit writes it anew
	}
	if noted.Serial == s.Serial {
		return j.agrees(noted, s)
	}
	there, err := j.has(ctx, noted.Serial)
	if err == nil && !there {
		err = j.lost(noted)
	}
	return err
}

// forked compares two notes of one entry.
func (j *Journal) forked(old, mine note) error {
	if old.Serial != mine.Serial || old.SHA256 == "" {
		return nil
	}
	if theirs := old.text(); old.SHA256 == mine.SHA256 && (theirs == "" || theirs == mine.text()) {
		return nil
	}
	return j.corrupt(j.Key(mine.Serial), fmt.Errorf("this run committed it with the SHA-256 %s and the head %q, and %s has meanwhile "+
		"noted %s and %q: the store shows two histories, so let no run go on before you know which one is right",
		mine.SHA256, mine.Head, j.at(j.path(latestName)), old.SHA256, old.Head))
}

// text is the signed part of the note's head; "" if the note has no head, or one that makes no sense.
func (n note) text() string {
	h, err := seal.ReadHead(n.Head)
	if err != nil {
		return ""
	}
	return h.Text()
}

// consistent compares a note that is far behind the newest entry with the first entry after the note.
func (j *Journal) consistent(ctx context.Context, noted note, s Stored) error {
	if noted.Head == "" || noted.Serial+1 >= s.Serial {
		return nil // verify has compared them
	}
	next, err := j.entry(ctx, noted.Serial+1)
	switch {
	case err == nil:
		return j.agrees(noted, next)
	case about(err):
		return nil // a person adopted the journal after that entry, or it was pruned: Load verifies only the newest
	default:
		return err
	}
}
