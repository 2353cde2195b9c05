package checkpointtest

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func deliveredCases() []testCase {
	return []testCase{
		{"the set of delivered ids is read with all its changes", deliveredSet},
		{"a set that is not what was written", deliveredDamaged},
		{"a set is written before its entry", snapshotCrash},
		{"an entry builds on the one before", deliveredMixed},
		{"a set outlives a move and a pruned journal", deliveredPruned},
	}
}

// snapshotKey is the key of the snapshot of the set "=set".
func snapshotKey() string {
	sum := sha256.Sum256([]byte("=set"))
	return "archive/delivered/" + hex.EncodeToString(sum[:])
}

// deliver commits an entry for each set: the entry has "x" whole, "+x" as a change, and "=x" as a snapshot.
func deliver(t *world, j *checkpoint.Journal, last checkpoint.Stored, sets ...string) checkpoint.Stored {
	t.Helper()
	for _, set := range sets {
		next := position(int(last.Serial) + 1)
		next.Delivered = []byte(set)
		switch set[0] {
		case '+':
			next.DeliveredBase = last.Next()
		case '=':
			base, err := j.Snapshot(t.Context(), last, next.Delivered)
			check(t, err)
			next.Delivered, next.DeliveredBase = nil, base
		}
		var err error
		last, err = j.Commit(t.Context(), last, next)
		check(t, err)
	}
	return last
}

// wantDelivered checks that an entry's set is made of whole and changes.
func wantDelivered(t *world, j *checkpoint.Journal, s checkpoint.Stored, whole string, changes ...string) {
	t.Helper()
	set, changed, err := j.Delivered(t.Context(), s)
	check(t, err)
	var said []string
	for _, c := range changed {
		said = append(said, string(c))
	}
	if string(set) != whole || !slices.Equal(said, changes) {
		t.Errorf("the set of entry %d is %q and %q, want %q and %q", s.Serial, set, said, whole, changes)
	}
}

func deliveredSet(t *world) {
	a, b := t.journals()
	want := []struct {
		write   string
		whole   string
		changes []string
	}{
		{write: "one", whole: "one"},
		{write: "+a", whole: "one", changes: []string{"+a"}},
		{write: "+b", whole: "one", changes: []string{"+a", "+b"}},
		{write: "=two", whole: "=two"},
		{write: "+c", whole: "=two", changes: []string{"+c"}},
		{write: "+d", whole: "=two", changes: []string{"+c", "+d"}},
		{write: "three", whole: "three"},
		{write: "+e", whole: "three", changes: []string{"+e"}},
		{write: "=one", whole: "=one"},
		{write: "=two", whole: "=two"}, // the same set again: the object exists
	}
	var last checkpoint.Stored
	for _, w := range want {
		last = deliver(t, a, last, w.write)
		loaded, err := b.Load(t.Context())
		check(t, err)
		wantDelivered(t, b, loaded, w.whole, w.changes...)
	}
	for s, err := range b.Entries(t.Context()) {
		check(t, err)
		wantDelivered(t, b, s, want[s.Serial-1].whole, want[s.Serial-1].changes...)
	}
}

func deliveredDamaged(t *world) {
	a, b := t.journals()
	last := deliver(t, a, checkpoint.Stored{}, "=set", "+a", "+b")
	key := snapshotKey()
	refuses := func(j *checkpoint.Journal, says ...string) {
		t.Helper()
		_, _, err := j.Delivered(t.Context(), last)
		wantError(t, err, checkpoint.ErrCorrupt, append(says, "houndtrail adopt")...)
		problems := 0
		for s, err := range j.Survey(t.Context()) {
			if err != nil {
				problems++
				wantError(t, err, checkpoint.ErrCorrupt, says...)
			} else if s.Serial == 3 {
				t.Errorf("a survey has nothing against the newest entry")
			}
		}
		if problems == 0 {
			t.Error("a survey finds no problem")
		}
	}
	refuses(checkpoint.Open(without(t.b, key), identity("host-b")), key, "missing")
	refuses(hidden(t, 2), entryKey(2), "missing")
	t.b.On(Always(Get, key, Fault{Before: errLost})) // a store that does not answer is not a missing object
	_, _, err := b.Delivered(t.Context(), last)
	wantError(t, err, errLost, key)
	t.b.On(nil)
	overwrite(t, t.b, key, []byte("=other"))
	refuses(b, key, "SHA-256")
	_, err = b.Snapshot(t.Context(), last, []byte("=set")) // Snapshot does not take that object for the set that it should write
	wantError(t, err, checkpoint.ErrCorrupt, key)
}

func snapshotCrash(t *world) {
	a, b := t.journals()
	last := deliver(t, a, checkpoint.Stored{}, "one", "+a")
	t.a.On(Once(Put, snapshotKey(), Fault{Before: errLost}))
	_, err := a.Snapshot(t.Context(), last, []byte("=set"))
	wantError(t, err, errLost, snapshotKey())
	t.a.On(Once(Put, snapshotKey(), Fault{After: errLost})) // the store has the snapshot in spite of the error
	_, err = a.Snapshot(t.Context(), last, []byte("=set"))
	wantError(t, err, errLost)
	loaded, err := b.Load(t.Context())
	check(t, err)
	wantDelivered(t, b, loaded, "one", "+a")
	serials, err := collect(b.Entries(t.Context())) // a snapshot is no entry
	if err != nil || len(serials) != 2 {
		t.Errorf("the entries are %v, %v", serials, err)
	}
	wantDelivered(t, b, deliver(t, b, loaded, "+b", "=set", "+c"), "=set", "+c")
	_, version, _, err := t.b.Get(t.Context(), snapshotKey())
	if err != nil || version == "" || checkpoint.Rewritten(snapshotKey()) {
		t.Errorf("the snapshot is rewritten, or is not there: %v", err)
	}
}

func deliveredMixed(t *world) {
	a, _ := t.journals()
	last := deliver(t, a, checkpoint.Stored{}, "one", "two", "=set")
	for name, base := range map[string]*checkpoint.Base{
		"an older set":          {Serial: 2},
		"a set to come":         {Serial: 5},
		"no set":                {Serial: 4},
		"no entry":              {},
		"another snapshot":      {Serial: 3, SHA256: "other"},
		"an older one, as well": {Serial: 3},
	} {
		next := position(4)
		next.DeliveredBase = base
		if _, err := a.Commit(t.Context(), last, next); err == nil {
			t.Errorf("an entry is written that builds on %s", name)
		}
	}
	next := adoption() // an adoption must not depend on entries that may be lost
	next.DeliveredBase = last.Next()
	if _, err := a.Commit(t.Context(), last, next); err == nil {
		t.Error("an adoption is written that builds on what was")
	}
	deliver(t, a, last, "+a")
}

func deliveredPruned(t *world) {
	a, b := t.journals()
	last := deliver(t, a, checkpoint.Stored{}, "one", "+a", "=set", "+b", "+c")
	wantDelivered(t, hidden(t, 1, 2, 3), last, "=set", "+b", "+c")
	id := identity("host-b")
	id.Tenant = "b"
	moved, err := checkpoint.Open(t.b, id, checkpoint.LeaseTTL(TTL)).Move(t.Context(), "a test", time.Now())
	check(t, err)
	wantDelivered(t, b, moved, "=set", "+b", "+c", "")
}
