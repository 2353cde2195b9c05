package seal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Signing is the list of an entry after the one with this list, if these keys sign from then on, the oldest first. A key that is
// not listed yet is active from the entry on. If a listed key does not sign any more, and a later one signs in its place, it is
// retired. Otherwise it stays active: a run that does not have the newest key yet must not end it for good.
func (k Keys) Signing(serial uint64, signing ...PublicKey) (Keys, error) {
	next := Keys{Retired: slices.Clone(k.Retired), Revoked: slices.Clone(k.Revoked)}
	last := -1 // the place of the newest listed key that signs
	for i, key := range k.Active {
		if slices.Contains(signing, key.Key) {
			last = i
		}
	}
	var added []KeyState
	for _, key := range signing {
		if why := k.ended(key); why != "" {
			return Keys{}, fmt.Errorf("the key with SHA-256 %s %s, and does not come back: leave it out, and if no other is left, make a "+
				"new one with houndtrail keygen", key.Fingerprint(), why)
		}
		if !k.Lists(key) {
			added = append(added, KeyState{Key: key, From: serial})
			last = len(k.Active)
		}
	}
	for i, key := range k.Active {
		if i < last && !slices.Contains(signing, key.Key) {
			next.Retired = append(next.Retired, KeyState{Key: key.Key, From: serial, Reason: "another key signs in its place"})
			continue
		}
		next.Active = append(next.Active, key)
	}
	next.Active = append(next.Active, added...)
	return next, nil
}

// Replaced is the list of an entry with which these keys take the place of all others, because those are lost or stolen. No
// earlier key vouches for such an entry.
func (k Keys) Replaced(serial uint64, reason string, by ...PublicKey) (Keys, error) {
	lost := Keys{Retired: k.Retired, Revoked: slices.Clone(k.Revoked)}
	for _, key := range k.Active {
		lost.Revoked = append(lost.Revoked, KeyState{Key: key.Key, From: serial, Reason: reason})
	}
	next, err := lost.Signing(serial, by...)
	for i := range next.Active {
		next.Active[i].Reason = reason
	}
	return next, err
}

// Revoke is the list after one key was stolen. The signatures of that key from that serial on are worth nothing.
func (k Keys) Revoke(key PublicKey, from uint64, reason string) (Keys, error) {
	this := func(s KeyState) bool { return s.Key == key }
	next := Keys{
		Active:  slices.DeleteFunc(slices.Clone(k.Active), this),
		Retired: slices.DeleteFunc(slices.Clone(k.Retired), this),
		Revoked: slices.Clone(k.Revoked),
	}
	at := slices.IndexFunc(k.Revoked, this)
	switch {
	case !k.Lists(key):
		return Keys{}, fmt.Errorf("the key with SHA-256 %s never was a key of this journal", key.Fingerprint())
	case len(next.Active) == 0:
		return Keys{}, fmt.Errorf("the key with SHA-256 %s is the only active one: let a run sign with a new key too, then revoke this one",
			key.Fingerprint())
	case at >= 0 && k.Revoked[at].From <= from:
		return Keys{}, fmt.Errorf("the key with SHA-256 %s is revoked from entry %d on already", key.Fingerprint(), k.Revoked[at].From)
	case at >= 0:
		next.Revoked = slices.Delete(next.Revoked, at, at+1)
	}
	next.Revoked = append(next.Revoked, KeyState{Key: key, From: from, Reason: reason})
	return next, nil
}

// Lists tells whether the list has that key, in any state.
func (k Keys) Lists(key PublicKey) bool {
	return slices.ContainsFunc(slices.Concat(k.Active, k.Retired, k.Revoked), func(s KeyState) bool { return s.Key == key })
}

// Actives returns the active keys.
func (k Keys) Actives() []PublicKey {
	var active []PublicKey
	for _, s := range k.Active {
		active = append(active, s.Key)
	}
	return active
}

// Equal tells whether both are the same list.
func (k Keys) Equal(other Keys) bool {
	return slices.Equal(k.Active, other.Active) && slices.Equal(k.Retired, other.Retired) && slices.Equal(k.Revoked, other.Revoked)
}

// ended tells from which entry on a key is not active any more; "" if it is active or unknown.
func (k Keys) ended(key PublicKey) string {
	for what, states := range map[string][]KeyState{"retired": k.Retired, "revoked": k.Revoked} {
		for _, s := range states {
			if s.Key == key {
				return fmt.Sprintf("is %s from entry %d on", what, s.From)
			}
		}
	}
	return ""
}

// Ended tells which of these keys are not active any more, and from which entry on; "" if all are active or unknown.
func (k Keys) Ended(keys ...PublicKey) string {
	var texts []string
	for _, key := range keys {
		if why := k.ended(key); why != "" {
			texts = append(texts, fmt.Sprintf("the key with SHA-256 %s %s", key.Fingerprint(), why))
		}
	}
	return strings.Join(texts, ", ")
}

// follow returns the lives of all keys after an entry with that list. It returns an error if the list does not follow from the
// previous one. No key is forgotten, no end is taken back, and a new key is active from the entry itself on. Only the first list
// may give a new key an earlier serial. Signing can have begun before it, and a pruned journal has lost the lists before it.
func (r *Keyring) follow(serial uint64, keys Keys) (map[PublicKey]life, error) {
	if len(keys.Active) == 0 {
		return nil, errors.New("no key is active: a signed journal stays signed")
	}
	f := follower{
		serial: serial, first: len(r.lives) == 0, before: r.lives, next: map[PublicKey]life{}, ids: map[uint32]PublicKey{},
	}
	for _, key := range r.known() {
		f.ids[key.ID(r.origin)] = key
	}
	for _, list := range []struct {
		states []KeyState
		state  func(KeyState, life, bool) (life, error)
	}{{keys.Active, f.active}, {keys.Retired, f.retired}, {keys.Revoked, f.revoked}} {
		for _, k := range list.states {
			if err := f.add(r.origin, k, list.state); err != nil {
				return nil, fmt.Errorf("the key with SHA-256 %s: %w", k.Key.Fingerprint(), err)
			}
		}
	}
	for key := range maps.Keys(r.lives) {
		if _, listed := f.next[key]; !listed {
			return nil, fmt.Errorf("the key with SHA-256 %s is missing: no key is forgotten", key.Fingerprint())
		}
	}
	return f.next, nil
}

// A follower builds the lives of all keys from one list of them.
type follower struct {
	serial uint64
	first  bool // there is no previous list
	before map[PublicKey]life
	next   map[PublicKey]life
	ids    map[uint32]PublicKey
}

func (f *follower) add(origin string, k KeyState, state func(KeyState, life, bool) (life, error)) error {
	if _, twice := f.next[k.Key]; twice {
		return errors.New("it is there twice")
	}
	id := k.Key.ID(origin)
	if other, known := f.ids[id]; known && other != k.Key {
		return fmt.Errorf("it has the same id as the key with SHA-256 %s: make another one", other.Fingerprint())
	}
	if k.From == 0 || k.From > f.serial {
		return fmt.Errorf("entry %d cannot speak of it from entry %d on", f.serial, k.From)
	}
	was, known := f.before[k.Key]
	is, err := state(k, was, known)
	f.next[k.Key], f.ids[id] = is, k.Key
	return err
}

func (f *follower) active(k KeyState, was life, known bool) (life, error) {
	switch {
	case was.retired != 0 || was.revoked != 0:
		return was, errors.New("it was retired or revoked, and does not come back: make another one")
	case known && k.From != was.active:
		return was, fmt.Errorf("it is active from entry %d on, and not from %d", was.active, k.From)
	case !known && !f.first && k.From != f.serial:
		return was, fmt.Errorf("it is new, and cannot be active from entry %d on", k.From)
	}
	return life{active: k.From}, nil
}

func (f *follower) retired(k KeyState, was life, known bool) (life, error) {
	switch {
	case !known && !f.first:
		return was, errors.New("it was never active")
	case was.revoked != 0:
		return was, errors.New("it was revoked, and that stays")
	case was.retired != 0 && k.From != was.retired, known && was.retired == 0 && k.From != f.serial:
		return was, fmt.Errorf("it cannot be retired from entry %d on", k.From)
	}
	was.retired = k.From
	return was, nil
}

func (f *follower) revoked(k KeyState, was life, known bool) (life, error) {
	switch {
	case !known && !f.first:
		return was, errors.New("it was never active")
	case was.revoked != 0 && k.From > was.revoked:
		return was, fmt.Errorf("it was revoked from entry %d on, and that stays", was.revoked)
	}
	was.revoked = k.From
	return was, nil
}
