package seal_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// signedBy is the next entry of a journal, signed by the keys of these numbers.
func signedBy(t *testing.T, journal []*seal.Entry, keys ...int) []*seal.Entry {
	t.Helper()
	var by []seal.Signer
	for _, n := range keys {
		by = append(by, seal.NewSigner(origin, private(n)))
	}
	return extend(t, journal, len(journal)+1, by...)
}

// journalBy is a journal whose entries are signed by these keys. An empty list means an unsigned entry.
func journalBy(t *testing.T, by ...[]int) []*seal.Entry {
	t.Helper()
	var journal []*seal.Entry
	for _, keys := range by {
		journal = signedBy(t, journal, keys...)
	}
	return journal
}

func state(n int, from uint64) seal.KeyState { return seal.KeyState{Key: public(n), From: from} }

func states(list ...seal.KeyState) []seal.KeyState { return list }

// verdicts returns a keyring's verdict on each entry.
func verdicts(ring *seal.Keyring, journal []*seal.Entry) []error {
	var list []error
	for _, e := range journal {
		list = append(list, ring.Judge(e))
	}
	return list
}

func compare(t *testing.T, got, want []error) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(got, want error) bool { return errors.Is(got, want) && (got == nil) == (want == nil) }) {
		t.Errorf("the keyring says\n%v, want\n%v", got, want)
	}
}

// TestRotation: key 1 signs, then both keys sign, then key 2 alone. The reader may have either key.
func TestRotation(t *testing.T) {
	t.Parallel()
	journal := journalBy(t, []int{1}, []int{1}, []int{1, 2}, []int{1, 2}, []int{1, 2}, []int{2}, []int{1}, nil, []int{3})
	for pinned := 1; pinned <= 2; pinned++ {
		ring := seal.NewKeyring(origin, public(pinned))
		for _, change := range []struct {
			serial int
			keys   seal.Keys
		}{
			{1, seal.Keys{Active: states(state(1, 1))}},
			{3, seal.Keys{Active: states(state(1, 1), state(2, 3))}},
			{5, seal.Keys{Active: states(state(2, 3)), Retired: states(state(1, 5))}},
		} {
			if pinned == 2 && change.serial == 1 {
				if err := ring.Change(journal[0], change.keys); !errors.Is(err, seal.ErrUnvouched) {
					t.Errorf("a reader of key 2 takes key 1 on its own word: %v", err)
				}
				continue
			}
			if err := ring.Change(journal[change.serial-1], change.keys); err != nil {
				t.Fatalf("entry %d: %v", change.serial, err)
			}
		}
		compare(t, verdicts(ring, journal), []error{nil, nil, nil, nil, nil, nil, seal.ErrInactive, seal.ErrDowngraded, seal.ErrUnknownKey})
		if got := ring.Active(4); len(got) != 2 || len(ring.Active(5)) != 1 || len(ring.Active(2)) != 1 || ring.Since() != 1 || !ring.Pinned() {
			t.Errorf("active at 4 are %x", got)
		}
		compare(t, []error{ring.JudgeHead(mustRead(t, journal[5].Seal.Head)), ring.JudgeHead(mustRead(t, journal[8].Seal.Head))}, []error{nil, seal.ErrUnknownKey})
		// The writer of entry 3, by which key 2 is active, may have completed the head of 2. Key 1 signs no head from 5 on.
		for key, sizes := range map[int]map[uint64]error{1: {4: nil, 5: seal.ErrInactive}, 2: {1: seal.ErrInactive, 2: nil, 3: nil}} {
			for size, want := range sizes {
				h := mustRead(t, journal[size].Seal.Head).Head
				note, err := h.Sign(seal.NewSigner(origin, private(key)))
				if err != nil {
					t.Fatal(err)
				}
				if err := ring.JudgeHead(mustRead(t, note)); !errors.Is(err, want) || (err == nil) != (want == nil) {
					t.Errorf("the head of %d by key %d: %v", size, key, err)
				}
			}
		}
	}
}

// TestSigningThatStartsLate: the first signed entry covers the entries before it, and these need no signature. Later entries need
// one.
func TestSigningThatStartsLate(t *testing.T) {
	t.Parallel()
	journal := journalBy(t, nil, nil, []int{1}, []int{1}, nil)
	for _, pinned := range [][]seal.PublicKey{nil, {public(1)}} {
		ring := seal.NewKeyring(origin, pinned...)
		if want := uint64(len(pinned)); ring.Since() != want {
			t.Errorf("with %d keys the journal is signed since %d", len(pinned), ring.Since())
		}
		if err := ring.Change(journal[2], seal.Keys{Active: states(state(1, 3))}); err != nil {
			t.Fatal(err)
		}
		compare(t, verdicts(ring, journal), []error{seal.ErrUnsigned, seal.ErrUnsigned, nil, nil, seal.ErrDowngraded})
		if ring.Since() != 3 {
			t.Errorf("signed since %d", ring.Since())
		}
	}
	// Without a change of keys, the reader's key has to have signed every entry.
	compare(t, verdicts(seal.NewKeyring(origin, public(1)), journal), []error{seal.ErrDowngraded, seal.ErrDowngraded, nil, nil, seal.ErrDowngraded})
	compare(t, verdicts(seal.NewKeyring(origin), journal), []error{seal.ErrUnsigned, seal.ErrUnsigned, seal.ErrUnknownKey, seal.ErrUnknownKey, seal.ErrUnsigned})
}

// TestStolenKey: after its revocation, the key's signature alone is worth nothing.
func TestStolenKey(t *testing.T) {
	t.Parallel()
	journal := journalBy(t, []int{1}, []int{1}, []int{1}, []int{1, 2}, []int{2}, []int{1})
	ring := seal.NewKeyring(origin, public(1))
	if err := ring.Change(journal[0], seal.Keys{Active: states(state(1, 1))}); err != nil {
		t.Fatal(err)
	}
	if err := ring.Change(journal[3], seal.Keys{Active: states(state(2, 4)), Revoked: states(state(1, 2))}); err != nil {
		t.Fatal(err)
	}
	compare(t, verdicts(ring, journal), []error{nil, seal.ErrRevoked, seal.ErrRevoked, nil, nil, seal.ErrRevoked})
	thief := signedBy(t, journal, 1, 3)
	err := ring.Change(thief[6], seal.Keys{Active: states(state(2, 4), state(3, 7)), Revoked: states(state(1, 2))})
	if !errors.Is(err, seal.ErrUnvouched) {
		t.Errorf("a revoked key vouches for another: %v", err)
	}
}

// TestLostKey: if only the new key itself signs for it, it is refused until a person accepts it.
func TestLostKey(t *testing.T) {
	t.Parallel()
	journal := journalBy(t, []int{1}, []int{2}, []int{2})
	first, lost := seal.Keys{Active: states(state(1, 1))}, seal.Keys{Active: states(state(2, 2)), Revoked: states(state(1, 2))}
	ring := seal.NewKeyring(origin, public(1))
	if err := ring.Change(journal[0], first); err != nil {
		t.Fatal(err)
	}
	if err := ring.Change(journal[1], lost); !errors.Is(err, seal.ErrUnvouched) {
		t.Errorf("a key is taken on its own word: %v", err)
	}
	compare(t, verdicts(ring, journal), []error{nil, seal.ErrUnknownKey, seal.ErrUnknownKey})
	both := seal.NewKeyring(origin, public(1), public(2))
	if err := both.Change(journal[0], first); err != nil {
		t.Fatal(err)
	}
	if err := both.Change(journal[1], lost); !errors.Is(err, seal.ErrUnvouched) {
		t.Errorf("a reader of both keys does not notice that the journal changed hands: %v", err)
	}
	both.Accept(public(2))
	if err := both.Change(journal[1], lost); err != nil {
		t.Error(err)
	}
	compare(t, verdicts(both, journal), []error{nil, nil, nil})
	later := seal.NewKeyring(origin, public(2))
	if err := later.Change(journal[0], first); !errors.Is(err, seal.ErrUnvouched) || later.Told() {
		t.Errorf("a reader of the later key takes the first one on its own word: %v", err)
	}
	if err := later.Change(journal[1], lost); err != nil || !later.Told() {
		t.Errorf("a reader of the later key: %v", err)
	}
	compare(t, verdicts(later, journal), []error{nil, nil, nil})
}

// TestChangesThatDoNotFollow: a list of keys that does not follow from the previous one changes nothing.
func TestChangesThatDoNotFollow(t *testing.T) {
	t.Parallel()
	journal := journalBy(t, []int{1}, []int{1, 2}, []int{1, 2, 3}, []int{1, 2, 3, 4})
	good := []seal.Keys{
		{Active: states(state(1, 1))},
		{Active: states(state(1, 1), state(2, 2))},
		{Active: states(state(2, 2), state(3, 3)), Retired: states(state(1, 3))},
	}
	for what, tc := range map[string]struct {
		after int
		keys  seal.Keys
	}{
		"none active":              {3, seal.Keys{Retired: states(state(1, 3), state(2, 4), state(3, 4))}},
		"twice":                    {3, seal.Keys{Active: states(state(2, 2), state(3, 3), state(3, 3)), Retired: states(state(1, 3))}},
		"in two lists":             {3, seal.Keys{Active: states(state(2, 2), state(3, 3)), Retired: states(state(1, 3), state(2, 4))}},
		"forgotten":                {3, seal.Keys{Active: states(state(2, 2), state(3, 3))}},
		"back from retirement":     {3, seal.Keys{Active: states(state(1, 1), state(2, 2), state(3, 3))}},
		"active earlier":           {3, seal.Keys{Active: states(state(2, 1), state(3, 3)), Retired: states(state(1, 3))}},
		"new and backdated":        {3, seal.Keys{Active: states(state(2, 2), state(3, 3), state(4, 3)), Retired: states(state(1, 3))}},
		"in the future":            {3, seal.Keys{Active: states(state(2, 2), state(3, 3), state(4, 5)), Retired: states(state(1, 3))}},
		"from 0":                   {3, seal.Keys{Active: states(state(2, 2), state(3, 3)), Retired: states(state(1, 0))}},
		"retired earlier":          {3, seal.Keys{Active: states(state(2, 2), state(3, 3)), Retired: states(state(1, 2))}},
		"retired in the past":      {3, seal.Keys{Active: states(state(2, 2)), Retired: states(state(1, 3), state(3, 3))}},
		"retired, never active":    {3, seal.Keys{Active: states(state(2, 2), state(3, 3)), Retired: states(state(1, 3), state(4, 4))}},
		"revoked, never active":    {3, seal.Keys{Active: states(state(2, 2), state(3, 3)), Retired: states(state(1, 3)), Revoked: states(state(4, 4))}},
		"new, did not sign":        {1, seal.Keys{Active: states(state(1, 1), state(3, 2))}},
		"an entry before the last": {3, seal.Keys{}},
	} {
		ring := seal.NewKeyring(origin, public(1))
		for i, keys := range good[:tc.after] {
			if err := ring.Change(journal[i], keys); err != nil {
				t.Fatal(err)
			}
		}
		next := journal[tc.after]
		if tc.keys.Active == nil && tc.keys.Retired == nil {
			next, tc.keys = journal[1], good[2]
		}
		before := ring.Active(4)
		if err := ring.Change(next, tc.keys); err == nil {
			t.Errorf("%s: it is taken", what)
		}
		if !slices.Equal(before, ring.Active(4)) {
			t.Errorf("%s: the keyring changed", what)
		}
	}
	// The same list is good if it revokes a retired key. It is good if it revokes a key from an earlier entry on, but not from a
	// later one on.
	ring := seal.NewKeyring(origin, public(1))
	for i, keys := range good {
		if err := ring.Change(journal[i], keys); err != nil {
			t.Fatal(err)
		}
	}
	long := signedBy(t, signedBy(t, journal, 2), 2)
	for i, from := range []uint64{3, 2} {
		keys := seal.Keys{Active: states(state(2, 2), state(3, 3)), Revoked: states(state(1, from))}
		if err := ring.Change(long[3+i], keys); err != nil {
			t.Error(err)
		}
	}
	later := seal.Keys{Active: states(state(2, 2), state(3, 3)), Revoked: states(state(1, 5))}
	if ring.Change(long[5], later) == nil {
		t.Error("a revocation is taken back")
	}
	if ring.Change(long[5], seal.Keys{Active: states(state(2, 2), state(3, 3)), Retired: states(state(1, 3))}) == nil {
		t.Error("a revoked key is retired")
	}
	if ring.Change(long[4], seal.Keys{Active: states(state(2, 2), state(3, 3)), Revoked: states(state(1, 2))}) == nil {
		t.Error("an entry changes the keys twice")
	}
	if seal.NewKeyring(origin, public(1)).Change(journal[0], seal.Keys{Active: states(state(1, 0))}) == nil {
		t.Error("a key is active from entry 0 on")
	}
}

// TestKeysWithOneID: an id of 32 bits is no fingerprint. These two keys have the same id in this journal, and the keyring does not
// mix them up.
func TestKeysWithOneID(t *testing.T) {
	t.Parallel()
	var twins []ed25519.PrivateKey
	for _, n := range []uint32{56470, 132708} {
		seed := make([]byte, ed25519.SeedSize)
		binary.BigEndian.PutUint32(seed, n)
		twins = append(twins, ed25519.NewKeyFromSeed(seed))
	}
	one, two := seal.PublicOf(twins[0]), seal.PublicOf(twins[1])
	if one.ID(origin) != two.ID(origin) {
		t.Fatalf("the ids are %08x and %08x", one.ID(origin), two.ID(origin))
	}
	journal := extend(t, nil, 2, seal.NewSigner(origin, twins[0]))
	if _, err := journal[1].SignedBy(two); !errors.Is(err, seal.ErrBadSignature) {
		t.Errorf("the signature of one key is the other one's: %v", err)
	}
	if _, err := journal[1].SignedBy(one, two); err == nil || errors.Is(err, seal.ErrBadSignature) {
		t.Errorf("with both keys: %v", err)
	}
	if _, err := journal[1].SignedBy(one, one); err != nil {
		t.Errorf("with one key twice: %v", err)
	}
	ring := seal.NewKeyring(origin, one)
	keys := seal.Keys{Active: states(seal.KeyState{Key: one, From: 1}, seal.KeyState{Key: two, From: 1})}
	if err := ring.Change(journal[0], keys); err == nil || !strings.Contains(err.Error(), "make another one") {
		t.Errorf("a journal has both keys: %v", err)
	}
}

// TestKeysOfAnotherJournal: the same key signs for several journals. A signature is good only in its own journal.
func TestKeysOfAnotherJournal(t *testing.T) {
	t.Parallel()
	ring := seal.NewKeyring(strings.Replace(origin, "archive", "webhook", 1), public(1))
	if err := ring.Judge(entry(t, 1)); err == nil {
		t.Error("an entry of another journal is good")
	}
	if err := ring.JudgeHead(mustRead(t, head(t, 1))); err == nil {
		t.Error("a head of another journal is good")
	}
	if err := ring.Change(entry(t, 1), seal.Keys{Active: states(state(1, 1))}); err == nil {
		t.Error("an entry of another journal changes the keys")
	}
}
