package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// A SigningKey is a key that a journal names.
type SigningKey struct {
	SHA256 string `json:"sha256"` // of the public key (SPKI)
	State  string `json:"state"`  // active, retired or revoked
	From   uint64 `json:"from"`   // the first entry with that state
	Reason string `json:"reason,omitempty"`
}

// A listing is an entry with a list of keys.
type listing struct {
	checkpoint.Stored

	sealed *seal.Entry
}

// lists tells the keyrings all lists of keys in the journal. Each list names the previous one, so few requests find all of them,
// and no other entry is needed. The entries between name a list as well. The verification checks that name with each of them.
func (j *journal) lists(ctx context.Context) {
	if !j.tip.Readable() {
		return
	}
	var unvouched []listing
	var said error // the reason
	for _, l := range slices.Backward(j.listings(ctx)) {
		ring := j.ringOf(l)
		first := !ring.Told()
		switch err := j.change(ring, l); {
		case err == nil && first:
			unvouched = nil // a key vouches for this later list, and so it stands over them
		case err != nil:
			unvouched, said = append(unvouched, l), err
		}
	}
	if len(unvouched) > 0 {
		l := unvouched[0]
		j.report(KeyUnvouched, Error, l.Serial, "Entry %d says that other keys sign the journal, and you cannot rely on that: %v. It names %s.",
			l.Serial, said, fingerprints(l.Keys.Active))
	}
}

// ringOf returns the keyring of a list's journal. If an adoption began a journal with a new name, the keys that were active before
// it vouch for the new ones.
func (j *journal) ringOf(l listing) *seal.Keyring {
	ring := j.rings[l.Seal.Origin]
	if ring == nil {
		trusted := slices.Clone(j.Keys)
		if len(trusted) > 0 {
			for _, earlier := range j.rings {
				if earlier.Told() {
					trusted = append(trusted, earlier.Active(l.Serial-1)...)
				}
			}
		}
		ring = seal.NewKeyring(l.Seal.Origin, trusted...)
		j.rings[l.Seal.Origin] = ring
	}
	return ring
}

// change adds a list to a keyring. If no earlier key vouches for the list, but the reader accepts its keys, it adds the list, too.
func (j *journal) change(ring *seal.Keyring, l listing) error {
	err := ring.Change(l.sealed, l.Keys.Keys)
	if errors.Is(err, seal.ErrUnvouched) {
		for _, key := range j.Accept {
			if by, signed := l.sealed.SignedBy(key); signed == nil && slices.Contains(l.Keys.Actives(), by[0]) {
				ring.Accept(key)
				if err = ring.Change(l.sealed, l.Keys.Keys); err == nil {
					j.report(KeyAccepted, Info, l.Serial, "Entry %d says that the key with SHA-256 %s signs the journal. No earlier key "+
						"vouches for it, and you accepted it.", l.Serial, key.Fingerprint())
				}
			}
		}
	}
	if err == nil {
		j.told(l)
	}
	return err
}

// told notes the state of each key in a list.
func (j *journal) told(l listing) {
	j.stream.SigningKeys = nil
	for _, of := range []struct {
		state string
		keys  []seal.KeyState
	}{{"active", l.Keys.Active}, {"retired", l.Keys.Retired}, {"revoked", l.Keys.Revoked}} {
		for _, k := range of.keys {
			j.stream.SigningKeys = append(j.stream.SigningKeys, SigningKey{k.Key.Fingerprint(), of.state, k.From, k.Reason})
		}
	}
	for _, k := range l.Keys.Revoked {
		if k.From < l.Serial && !slices.Contains(j.revoked, k) {
			j.revoked = append(j.revoked, k)
			j.report(KeyRevoked, Warning, k.From, "The key with SHA-256 %s is revoked from entry %d on (%s), which entry %d says: what it "+
				"alone signed in between is not protected by its signature.", k.Key.Fingerprint(), k.From, k.Reason, l.Serial)
		}
	}
}

// listings returns the entries with lists of keys, the newest first. The oldest ones may be pruned.
func (j *journal) listings(ctx context.Context) (all []listing) {
	for at := j.tip.NewestKeys(); at > 0; {
		l, err := j.listing(ctx, at)
		switch {
		case err == nil:
			all = append(all, l)
			at = l.KeysAt
			continue
		case errors.Is(err, fs.ErrNotExist):
			if earliest, pruned := j.earliest(ctx); pruned != nil {
				j.unread(pruned)
			} else if earliest < at {
				j.report(KeyUnvouched, Error, at, "Entry %d, which says what keys sign the journal, is missing.", at)
			}
		case errors.Is(err, checkpoint.ErrCorrupt), errors.Is(err, checkpoint.ErrForeign), errors.As(err, new(unreadable)):
			j.report(KeyUnvouched, Error, at, "Entry %d, which says what keys sign the journal, is not one that you can rely on: %v.",
				at, cause(err))
		default: // the store failed, or the journal needs a newer version
			j.unread(err)
		}
		break
	}
	return all
}

func (j *journal) listing(ctx context.Context, serial uint64) (l listing, err error) {
	body, _, _, err := j.Positions.Get(ctx, j.Key(serial))
	if err != nil {
		return l, err
	}
	if l.Stored, err = j.Parse(serial, body); err != nil {
		return l, err
	}
	if l.Keys == nil {
		return l, unreadable{errors.New("it has no list of keys")}
	}
	if l.sealed, err = seal.ReadEntry(body); err != nil {
		err = unreadable{err}
	}
	return l, err
}

func fingerprints(keys []seal.KeyState) string {
	var texts []string
	for _, k := range keys {
		texts = append(texts, fmt.Sprintf("%s (from entry %d on)", k.Key.Fingerprint(), k.From))
	}
	return "the keys with SHA-256 " + strings.Join(texts, ", ")
}
