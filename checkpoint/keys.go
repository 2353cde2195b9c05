package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config/setting"
)

// A KeyList tells which public keys vouch for a journal from an entry on, and which keys vouched for it earlier. Each active key
// has signed the entry. So has at least one key that was active before the entry, unless all of those were lost, and a person
// accepted the list.
type KeyList struct {
	seal.Keys

	Follows Progress `json:"follows,omitzero"` // in an entry of kind keys; Commit's caller fills it in
}

// NewestKeys is the newest entry, up to this one, that has a list of keys; 0 if there is none.
func (c *Checkpoint) NewestKeys() uint64 {
	if c.Keys != nil {
		return c.Serial
	}
	return c.KeysAt
}

// Declare makes the journal's newest list name the keys of this run. If the list differs from these keys, Declare commits an entry
// of kind keys after prev, and returns it. If the list has these keys already, Declare returns prev. The first list says that
// signing begins. If the earlier list was pruned, a new first list takes its place.
//
// As with [Journal.Compact], the entry leaves the position as it is, and the lease's intents outlive it. The caller has loaded
// prev under the lease. Declare takes the lease only if it writes. at is the caller's clock.
//
// Until the entry is stored, the keys of the previous list vouch for the journal. A crash before that leaves nothing, and the next
// run declares the same keys. After it, a run that has only the retired key stops: no reader would believe its entries.
func (j *Journal) Declare(ctx context.Context, lease *Lease, prev Stored, at time.Time) (Stored, error) {
	next, differs, err := j.undeclared(ctx, prev)
	if err != nil || !differs {
		return prev, err
	}
	if err := lease.Hold(ctx); err != nil {
		return Stored{}, err
	}
	return j.declare(ctx, lease, prev, next, at)
}

// Undeclared tells whether Declare would write an entry after an entry that was loaded.
func (j *Journal) Undeclared(ctx context.Context, prev Stored) (bool, error) {
	_, differs, err := j.undeclared(ctx, prev)
	return differs, err
}

// undeclared returns the list with the keys of this run, and tells whether it differs from the journal's list.
func (j *Journal) undeclared(ctx context.Context, prev Stored) (next seal.Keys, differs bool, err error) {
	if len(j.keys) == 0 || prev.Serial == 0 {
		return next, false, nil
	}
	list, err := j.keysOf(ctx, prev)
	if err != nil {
		return next, false, err
	}
	from := prev.Serial + 1
	if list == nil && prev.NewestKeys() > 0 {
		from = 1 // the earlier lists were pruned, so the beginning of these keys is not known
	}
	next, err = j.signing(list, from)
	return next, err == nil && (list == nil || !next.Equal(list.Keys)), err
}

// signing is the list of the entry after one that has this list; nil for no list.
func (j *Journal) signing(list *KeyList, serial uint64) (seal.Keys, error) {
	var keys seal.Keys
	if list != nil {
		keys = list.Keys
	}
	next, err := keys.Signing(serial, j.public()...)
	if err != nil {
		err = fmt.Errorf("%w: "+setting.SigningKey+": %w", ErrSignature, err)
	}
	return next, err
}

// declare commits an entry of kind keys.
func (j *Journal) declare(ctx context.Context, lease *Lease, prev Stored, keys seal.Keys, at time.Time) (Stored, error) {
	lease.Settle(prev.Window)
	if err := lease.Tell(ctx); err != nil { // as in Move: no reader looks at an older entry for the last window
		return Stored{}, err
	}
	next := prev.Standing(KindKeys)
	next.Keys, next.CommittedAt = &KeyList{Keys: keys, Follows: prev.Progress()}, at
	return j.Commit(ctx, prev, next)
}

// A KeyOrder is a person's order for a journal's keys. Either Revoke names a key, or the order accepts the keys of this run.
type KeyOrder struct {
	Revoke seal.PublicKey // a stolen key; the zero value accepts this run's keys, because all others are lost
	From   uint64         // the first entry that the thief may have written; 0 for the next entry
	Reason string
	At     time.Time // the caller's clock: a change of keys asks no server
}

// ChangeKeys commits one entry of kind keys for a person. It takes the lease.
//
// To revoke a key, this run signs with another key that is active. To accept this run's keys, the newest entry has to be signed by
// the keys that the journal itself names, so that nothing forged is built upon. The entry revokes all these keys. The position
// stays, and no record is lost or doubled. Every reader has to accept the new key too.
func (j *Journal) ChangeKeys(ctx context.Context, o KeyOrder) (changed Stored, err error) {
	if strings.TrimSpace(o.Reason) == "" {
		return Stored{}, errors.New("a change of keys needs a reason, which stands in the journal: give one")
	}
	err = j.leased(ctx, func(ctx context.Context, lease *Lease) error {
		prev, keys, err := j.ordered(ctx, o)
		if err == nil {
			changed, err = j.declare(ctx, lease, prev, keys, o.At)
		}
		return err
	})
	return changed, err
}

// ordered returns the newest entry, and the list that fulfils the order.
func (j *Journal) ordered(ctx context.Context, o KeyOrder) (prev Stored, keys seal.Keys, err error) {
	accepts := o.Revoke == seal.PublicKey{}
	if accepts {
		prev, err = j.loadAccepting(ctx)
	} else {
		prev, err = j.Load(ctx)
	}
	if err != nil {
		return prev, keys, err
	}
	list, err := j.keysOf(ctx, prev)
	switch {
	case err != nil:
		return prev, keys, err
	case list == nil:
		return prev, keys, fmt.Errorf("%w: %s names no keys yet: run houndtrail run --once first, which does so",
			ErrSignature, j.at(j.Key(prev.Serial)))
	case accepts:
		keys, err = list.Replaced(prev.Serial+1, o.Reason, j.public()...)
	default:
		keys, err = list.Revoke(o.Revoke, cmp.Or(o.From, prev.Serial+1), o.Reason)
	}
	if err == nil && o.From > prev.Serial+1 {
		err = fmt.Errorf("entry %d is not there yet: the newest one is %d", o.From, prev.Serial)
	}
	if err != nil {
		err = fmt.Errorf("%w: nothing was changed: %w", ErrKeys, err)
	}
	return prev, keys, err
}

// KeysOf is the list of keys that is in force after an entry; nil if there is none, or if it was pruned. KeysOf opens no
// signature.
func (j *Journal) KeysOf(ctx context.Context, s Stored) (*KeyList, error) { return j.keysOf(ctx, s) }

// authentic opens the signatures of the newest entry, because a run builds on it. The head in its seal covers all older entries. A
// reader cannot do this: verify does it, with the public keys.
func (j *Journal) authentic(ctx context.Context, s Stored, entry *seal.Entry) error {
	if !j.commits {
		return nil
	}
	if !s.Signed {
		return j.unsignedSoFar(ctx, s)
	}
	if len(j.keys) == 0 {
		return j.keyless(s.Serial)
	}
	list, of, err := j.listFor(ctx, s, entry)
	switch {
	case err != nil:
		return err
	case list == nil: // the list was pruned
		_, err = entry.SignedBy(j.public()...)
		return j.judged(s, seal.Keys{}, err)
	}
	if _, err = of.SignedBy(j.public()...); err == nil {
		_, err = entry.SignedBy(list.Keys.Actives()...)
	}
	if err := j.judged(s, list.Keys.Keys, err); err != nil {
		return err
	}
	j.keyed.Store(list)
	return nil
}

// judged gives a person the next step if no key of this run vouches for an entry.
func (j *Journal) judged(s Stored, list seal.Keys, err error) error {
	switch ended := list.Ended(j.public()...); {
	case err == nil:
		return nil
	case errors.Is(err, seal.ErrBadSignature):
		return j.corrupt(j.Key(s.Serial), err)
	case ended != "":
		return fmt.Errorf("%w: %s: %s: give the keys that took its place in "+setting.SigningKey+"; %w", ErrSignature,
			j.at(j.Key(s.Serial)), ended, ErrKeys)
	}
	return fmt.Errorf("%w: %s: %w, of those in "+setting.SigningKey+": if the key was replaced, give the previous one too, before the new "+
		"one, until a run has ended. If it is lost, houndtrail keys --accept goes on with the new key. If neither is so, another writer "+
		"wrote this entry: look in the store's earlier versions who did, and restore the journal", ErrSignature, j.at(j.Key(s.Serial)), err)
}

// coherent is authentic for a journal whose keys are lost: the keys that the journal names have signed its newest entry.
func (j *Journal) coherent(ctx context.Context, s Stored, entry *seal.Entry) error {
	if !s.Signed {
		return fmt.Errorf("%w: %s is not signed, so that no key is to be accepted: run houndtrail run --once, which begins to sign",
			ErrKeys, j.at(j.Key(s.Serial)))
	}
	list, of, err := j.listFor(ctx, s, entry)
	if err != nil {
		return err
	}
	if list == nil {
		return fmt.Errorf("%w: entry %d has the list of the keys and was pruned, so that it is not known whether another writer wrote the "+
			"newest entry: restore that entry, or run houndtrail adopt", ErrKeys, s.NewestKeys())
	}
	for _, e := range []*seal.Entry{of, entry} {
		if _, err := e.SignedBy(list.Keys.Actives()...); err != nil {
			return j.corrupt(j.Key(e.Serial), err)
		}
	}
	j.keyed.Store(list)
	return nil
}

// listFor reads the list of keys that is in force at an entry, and opens no signature. It is nil if the list was pruned.
func (j *Journal) listFor(ctx context.Context, s Stored, entry *seal.Entry) (*Stored, *seal.Entry, error) {
	if s.Keys != nil {
		return &s, entry, nil
	}
	list, of, err := j.sealedEntry(ctx, s.KeysAt)
	if errors.Is(err, ErrMissing) {
		if first, firstErr := j.first(ctx, s.Serial); firstErr != nil || first > s.KeysAt {
			return nil, nil, firstErr
		}
	}
	if err == nil && list.Keys == nil {
		err = j.corrupt(j.Key(s.KeysAt), fmt.Errorf("entry %d says that it has the list of the keys, and it has none", s.Serial))
	}
	return &list, of, err
}

// keysOf is the list of keys that is in force after an entry that was loaded or committed; nil if there is none, or if it was
// pruned.
func (j *Journal) keysOf(ctx context.Context, s Stored) (*KeyList, error) {
	at := s.NewestKeys()
	if known := j.keyed.Load(); at == 0 || known != nil && known.Serial == at {
		if at == 0 {
			return nil, nil //nolint:nilnil // as the comment says
		}
		return known.Keys, nil
	}
	list, _, err := j.listFor(ctx, s, nil)
	if err != nil || list == nil {
		return nil, err
	}
	return list.Keys, nil
}

// remember keeps an entry that this process committed, if the entry has a list of keys.
func (j *Journal) remember(s Stored) {
	if s.Keys != nil {
		j.keyed.Store(&s)
	}
}

func (j *Journal) keyless(serial uint64) error {
	return fmt.Errorf("%w: %s is signed, and this run has no key: set "+setting.SigningKey+"_FILE to the file with the journal's key. "+
		"Without a key, an entry of this run would look like a forged one", ErrSignature, j.at(j.Key(serial)))
}

// unsignedSoFar tells whether signing may begin after an entry that is not signed. It may begin only if no earlier entry is
// signed. Otherwise a writer could forge the newest entries without a key, and the next honest head would vouch for them. An entry
// that cannot be read counts as a forged one, unless a person adopted the journal after it.
func (j *Journal) unsignedSoFar(ctx context.Context, newest Stored) error {
	if len(j.keys) == 0 {
		return nil
	}
	var problem error
	for s, err := range j.Survey(ctx) {
		switch {
		case !about(err):
			return err
		case s.Signed:
			return fmt.Errorf("%w: %s is signed, and %s is not: another writer wrote the entries since then, or their signatures were "+
				"removed: look in the store's earlier versions who did, and restore the journal", ErrSignature, j.at(j.Key(s.Serial)),
				j.at(j.Key(newest.Serial)))
		case err != nil:
			problem = err
		case s.Kind == KindAdopt:
			problem = nil
		}
	}
	return problem
}
