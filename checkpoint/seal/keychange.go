package seal

import (
	"errors"
	"fmt"
	"maps"
)

// follow returns the lives of all keys after an entry with that list, or an error if the list does not follow from the previous
// one. No key is forgotten, no end is taken back, and a new key is active from the entry itself on. The first list may name
// earlier serials, since signing can have begun before it, and a pruned journal has lost the lists before it.
func (r *Keyring) follow(serial uint64, keys Keys) (map[PublicKey]life, error) {
	if len(keys.Active) == 0 {
		return nil, errors.New("no key is active: a signed journal stays signed")
	}
	f := follower{serial: serial, first: len(r.lives) == 0, before: r.lives, next: map[PublicKey]life{}, ids: map[uint32]PublicKey{}}
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
