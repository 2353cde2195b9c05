package seal

import (
	"errors"
	"fmt"
	"slices"
)

// The ways in which the keys of a journal can be wrong, to be tested with errors.Is.
var (
	// ErrDowngraded: the text has no signature, although earlier entries of the journal are signed.
	ErrDowngraded = errors.New("it is not signed, and the journal was signed before it")
	// ErrInactive: a key of the journal signed the text, but the key was not active then.
	ErrInactive = errors.New("it is signed only by keys that were not active then")
	// ErrRevoked: no active key signed the text, and a revoked one did. Its signature does not protect the text.
	ErrRevoked = errors.New("it is signed only by keys that are revoked since then")
	// ErrUnvouched: keys appear in the journal, and no earlier key signed for them.
	ErrUnvouched = errors.New("no earlier key vouches for the new keys")
)

// Keys is the content of an entry that changes a journal's keys: all keys that the journal ever had, with their state from that
// entry on. The entry is signed by a key that was active before it, and by each key that it makes active.
type Keys struct {
	Active  []KeyState `json:"active"`
	Retired []KeyState `json:"retired,omitempty"` // replaced as planned: their signatures stay good
	Revoked []KeyState `json:"revoked,omitempty"` // stolen or lost: their signatures from then on are worth nothing
}

// A KeyState is one key, and the serial from which it is active, retired or revoked.
type KeyState struct {
	Key    PublicKey `json:"key"`
	From   uint64    `json:"from"`
	Reason string    `json:"reason,omitempty"`
}

// A life is the serials in which a key is active: from active, until the earlier of retired and revoked. The ends are 0 if they
// have not come.
type life struct{ active, retired, revoked uint64 }

func (l life) at(serial uint64) bool {
	return l.active <= serial && (l.retired == 0 || serial < l.retired) && !l.revokedAt(serial)
}

func (l life) revokedAt(serial uint64) bool { return l.revoked != 0 && l.revoked <= serial }

// A Keyring knows which keys of one journal were active at which serial. First the caller tells it of all entries that change the
// keys, in their order. Then it judges any entry and any head.
type Keyring struct {
	origin   string
	trusted  []PublicKey // known from outside of the journal
	accepted []PublicKey // by a person, without an earlier key that vouches for them
	lives    map[PublicKey]life
	changed  uint64 // the newest entry that changed the keys
}

// NewKeyring begins with the keys that the reader has from outside of the journal. Without such a key, the keyring believes the
// first keys that the journal names, and Pinned is false. Then an attacker who can write the journal can choose its keys.
func NewKeyring(origin string, trusted ...PublicKey) *Keyring {
	return &Keyring{origin: origin, trusted: trusted, lives: map[PublicKey]life{}}
}

// Accept says that a person accepts a key for which no earlier key vouches, because all earlier keys are lost.
func (r *Keyring) Accept(key PublicKey) { r.accepted = append(r.accepted, key) }

// Told tells whether an entry has told the keyring of keys.
func (r *Keyring) Told() bool { return len(r.lives) > 0 }

// Pinned tells whether the reader has a key from outside of the journal.
func (r *Keyring) Pinned() bool { return len(r.trusted) > 0 }

// Since is the first serial that has to be signed; 0 if no entry has to be signed.
func (r *Keyring) Since() uint64 {
	if len(r.lives) == 0 {
		if r.Pinned() {
			return 1
		}
		return 0
	}
	var since uint64
	for _, l := range r.lives {
		if since == 0 || l.active < since {
			since = l.active
		}
	}
	return max(since, 1)
}

// Active returns the keys that are active at a serial. If a reader knows of no change, the trusted keys count as active.
func (r *Keyring) Active(serial uint64) []PublicKey {
	if len(r.lives) == 0 {
		return slices.Clone(r.trusted)
	}
	var active []PublicKey
	for key, l := range r.lives {
		if l.at(serial) {
			active = append(active, key)
		}
	}
	slices.SortFunc(active, func(a, b PublicKey) int {
		return slices.Compare(a[:], b[:])
	})
	return active
}

// known returns all keys whose signatures the reader can open.
func (r *Keyring) known() []PublicKey {
	known := slices.Clone(r.trusted)
	for key := range r.lives {
		known = append(known, key)
	}
	return known
}

// Judge tells whether a key that was active at that serial signed the entry. The error is one of those of this package.
// [ErrUnsigned] is no fault in a journal that is not signed, or not yet. [ErrDowngraded] is a fault.
func (r *Keyring) Judge(e *Entry) error { return r.judge(e.Serial, e.signed) }

// JudgeHead is Judge for a head. A key that is active only from the next entry on may have signed the head too. The writer of that
// entry signs the head before it, and completes the head that a crash of the previous writer has left.
func (r *Keyring) JudgeHead(h *SignedHead) error {
	err := r.judge(h.Size, h.signed)
	if errors.Is(err, ErrInactive) && r.judge(h.Size+1, h.signed) == nil {
		return nil
	}
	return err
}

func (r *Keyring) judge(serial uint64, s signed) error {
	if s.origin != r.origin {
		return fmt.Errorf("it is of %s, and the journal is %s", s.origin, r.origin)
	}
	if since := r.Since(); !s.Signed() && since != 0 && serial >= since {
		return ErrDowngraded
	}
	by, err := s.SignedBy(r.known()...)
	if err != nil {
		return err
	}
	active := r.Active(serial)
	revoked := false
	for _, key := range by {
		if slices.Contains(active, key) {
			return nil
		}
		revoked = revoked || r.lives[key].revokedAt(serial)
	}
	if revoked {
		return ErrRevoked
	}
	return ErrInactive
}

// Change tells the keyring of an entry that changes the keys. If the entry may not do that, the keyring stays as it was.
func (r *Keyring) Change(e *Entry, keys Keys) error {
	if e.Serial <= r.changed || e.Seal.Origin != r.origin {
		return fmt.Errorf("entry %d of %s cannot change the keys of %s after entry %d", e.Serial, e.Seal.Origin, r.origin, r.changed)
	}
	next, err := r.follow(e.Serial, keys)
	if err != nil {
		return fmt.Errorf("the keys of entry %d: %w", e.Serial, err)
	}
	listed := make([]PublicKey, 0, len(next))
	for key := range next {
		listed = append(listed, key)
	}
	by, err := e.SignedBy(append(r.known(), listed...)...)
	if err != nil {
		return fmt.Errorf("entry %d, which changes the keys: %w", e.Serial, err)
	}
	for _, k := range keys.Active {
		if _, known := r.lives[k.Key]; !known && !slices.Contains(by, k.Key) {
			return fmt.Errorf("entry %d: %w: the new key with SHA-256 %s did not sign it", e.Serial, ErrUnvouched, k.Key.Fingerprint())
		}
	}
	if !slices.ContainsFunc(by, func(key PublicKey) bool { return r.vouches(key, e.Serial) }) {
		return fmt.Errorf("entry %d: %w", e.Serial, ErrUnvouched)
	}
	r.lives, r.changed = next, e.Serial
	return nil
}

// vouches tells whether the key may sign for new keys at that serial. If the keyring knows of keys, only these vouch for others. A
// further key of the reader's does not vouch: otherwise a reader of both keys would not notice that the journal changed hands.
func (r *Keyring) vouches(key PublicKey, serial uint64) bool {
	l, listed := r.lives[key]
	switch {
	case listed:
		return l.at(serial - 1)
	case slices.Contains(r.accepted, key):
		return true
	case r.Told():
		return false
	}
	return !r.Pinned() || slices.Contains(r.trusted, key) // without a key, the reader believes the first keys of the journal
}
