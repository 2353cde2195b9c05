package checkpointtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config/setting"
)

func signedCases() []testCase {
	return []testCase{
		{"a race signs one root for one size", oneRoot},
		{"a head is signed only after its entry is stored", signedAfter},
		{"a note of another history is a hard stop", forkedNote},
		{"a note of another history shows at each commit, and at the end of the lease", forkedUnderLease},
		{"the next load completes a note that a crash left behind", completed},
		{"a journal is signed from some entry on", signingBegins},
		{"a signed journal needs its key", needsKey},
		{"an entry that was forged at the tip is a hard stop", forgedTip},
	}
}

// oneRoot lets writers without a lease commit at the same time. It collects all heads that any of them had.
func oneRoot(t *world) {
	const writers, serials = 4, 6
	var mu sync.Mutex
	heads := map[uint64]string{}
	collect := func(s checkpoint.Stored) {
		mu.Lock()
		defer mu.Unlock()
		if known, ok := heads[s.Serial]; ok && known != s.Head {
			t.Errorf("entry %d has the heads %q and %q", s.Serial, known, s.Head)
		}
		heads[s.Serial] = s.Head
	}
	var group sync.WaitGroup
	for n := range writers {
		j := signing([]bucket.Bucket{t.a, t.b}[n%2], Key(1))
		group.Go(func() {
			for {
				prev, err := j.Load(t.Context())
				if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
					t.Error(err)
					return
				}
				if prev.Serial > 0 {
					collect(prev)
				}
				if prev.Serial >= serials {
					return
				}
				next := position(int(prev.Serial) + 1)
				next.MaxID += int64(n)
				s, err := j.Commit(t.Context(), prev, next)
				if err == nil {
					collect(s)
				} else if !errors.Is(err, checkpoint.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	for s, err := range signing(t.b).Entries(t.Context()) {
		check(t, err)
		if s.Serial > 1 && s.Seal.Head != heads[s.Serial-1] {
			t.Errorf("entry %d has the head %q, and its writer had %q", s.Serial, s.Seal.Head, heads[s.Serial-1])
		}
	}
}

// signedAfter: if a commit failed or lost a race, there is no head over its entry.
func signedAfter(t *world) {
	a, b := signing(t.a, Key(1)), signing(t.b, Key(1))
	last := commit(t, a, 2)
	t.a.On(Once(Put, entryKey(3), Fault{Before: errLost}))
	s, err := a.Commit(t.Context(), last, position(3))
	wantError(t, err, errLost)
	if s.Head != "" || noteOf(t).Serial != 2 {
		t.Errorf("a commit that failed has the head %q, and noted is %+v", s.Head, noteOf(t))
	}
	won, err := b.Commit(t.Context(), last, position(3))
	check(t, err)
	other := position(3)
	other.MaxID++
	s, err = a.Commit(t.Context(), last, other)
	wantError(t, err, checkpoint.ErrConflict)
	if s.Head != "" || noteOf(t).Head != won.Head {
		t.Errorf("the loser has the head %q, and noted is %+v", s.Head, noteOf(t))
	}
}

// forkedNote puts the note of another history into the store, after the entry is stored and before its head is signed or noted.
func forkedNote(t *world) {
	for serial, says := range map[uint64]string{3: "SHA-256", 9: "lost"} {
		a := signing(t.a, Key(1))
		loaded, err := a.Load(t.Context())
		if errors.Is(err, checkpoint.ErrNotFound) {
			loaded = commit(t, a, 2)
		}
		note := fmt.Appendf(nil, `{"serial":%d,"sha256":"%s"}`, max(serial, loaded.Serial+1), strings.Repeat("ab", 32))
		before, _, _, err := t.b.Get(t.Context(), "archive/state/latest")
		check(t, err)
		t.a.On(func(_ context.Context, op Op, key string) Fault {
			if op == Put && strings.HasSuffix(key, ".json") {
				overwrite(t, t.b, "archive/state/latest", note) //nolint:contextcheck // the test's own
			}
			return Fault{}
		})
		_, err = a.Commit(t.Context(), loaded, position(int(loaded.Serial)+1))
		wantError(t, err, checkpoint.ErrCorrupt, says, "archive/state/latest")
		t.a.On(nil)
		if now, _, _, err := t.b.Get(t.Context(), "archive/state/latest"); err != nil || !bytes.Equal(now, note) {
			t.Errorf("the note of the other history became %s, %v", now, err)
		}
		overwrite(t, t.b, "archive/state/latest", before)
	}
}

// forkedUnderLease: while a journal holds a lease, no commit writes the note. With a key, each commit reads the note. Without a
// key, the release finds the fork.
func forkedUnderLease(t *world) {
	last := commit(t, signing(t.a), 2)
	other := func(serial uint64) {
		overwrite(t, t.b, "archive/state/latest", fmt.Appendf(nil, `{"serial":%d,"sha256":"%s"}`, serial, strings.Repeat("ab", 32)))
	}
	unsigned := signing(t.a)
	l := acquire(t, unsigned)
	last, err := unsigned.Commit(t.Context(), last, position(3))
	check(t, err)
	other(3)
	wantError(t, l.Release(t.Context()), checkpoint.ErrCorrupt, entryKey(3), "archive/state/latest", "two histories")

	overwrite(t, t.b, "archive/state/latest", []byte("{}"))
	signed := signing(t.b, Key(1))
	l = acquire(t, signed)
	other(4)
	_, err = signed.Commit(t.Context(), last, position(4))
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(4), "archive/state/latest")
	check(t, l.Release(t.Context()))
}

// completed: if a holder died between its entry and the note, the next holder writes the note, once.
func completed(t *world) {
	a := signing(t.a, Key(1))
	last := commit(t, a, 2)
	t.a.On(Always(Put, "/latest", Fault{Before: errLost}))
	last, err := a.Commit(t.Context(), last, position(3))
	check(t, err)
	wantNote(t, "2")
	for range 2 { // a reader writes nothing
		_, err := checkpoint.Open(t.b, identity("reader")).Load(t.Context())
		check(t, err)
		wantNote(t, "2")
	}
	store := &counted{Bucket: t.b}
	_, err = signing(store, Key(1)).Load(t.Context())
	check(t, err)
	if n := noteOf(t); n.Serial != 3 || n.Head != last.Head || n.SHA256 != last.SHA256 || store.calls[Put] != 1 {
		t.Errorf("noted is %+v, with %v", n, store.calls)
	}
	_, err = signing(store, Key(1)).Load(t.Context())
	check(t, err)
	if store.calls[Put] != 1 {
		t.Errorf("an idle load takes %v", store.calls)
	}
}

func signingBegins(t *world) {
	last := commit(t, signing(t.a), 3)
	a := signing(t.a, Key(1))
	loaded, err := a.Load(t.Context())
	check(t, err)
	if loaded.Signed || loaded.SHA256 != last.SHA256 {
		t.Errorf("loaded is %+v", loaded)
	}
	next, err := a.Commit(t.Context(), loaded, position(4)) // this could be a move: it declares no key
	check(t, err)
	if next.Signed || next.Head != bareHead(t, next) || next.Seal.Head != loaded.Head {
		t.Errorf("an entry is signed, and no list says by whom: %+v", next)
	}
	l := acquireWhenFree(t, a)
	list, err := a.Declare(t.Context(), l, next, next.CommittedAt)
	check(t, err)
	headOf(t, list, seal.PublicOf(Key(1)))
	if before, err := seal.ReadHead(list.Seal.Head); err != nil || !before.Signed() || before.Text() != next.Head {
		t.Errorf("the list has the head %q, %v, of the entries %q", list.Seal.Head, err, next.Head)
	}
	first, err := a.Commit(t.Context(), list, position(5))
	check(t, err)
	check(t, l.Release(t.Context()))
	if !list.Signed || !first.Signed || first.KeysAt != 5 || first.Seal.Head != list.Head || first.Seal.Origin != last.Seal.Origin {
		t.Errorf("the first signed entries are %+v and %+v", list, first)
	}
	serials, err := collect(signing(t.b).Entries(t.Context())) // a history needs no key
	if err != nil || len(serials) != 6 {
		t.Errorf("the entries are %v, %v", serials, err)
	}
}

func needsKey(t *world) {
	last := commit(t, signing(t.a, Key(1)), 3)
	for what, c := range map[string]struct {
		keys []ed25519.PrivateKey
		says []string
	}{
		"no key":       {nil, []string{setting.SigningKey + "_FILE", "no key"}},
		"another key":  {[]ed25519.PrivateKey{Key(2)}, []string{setting.SigningKey, "previous one", "keys --accept"}},
		"another keys": {[]ed25519.PrivateKey{Key(2), Key(3)}, []string{setting.SigningKey}},
	} {
		j := signing(t.b, c.keys...)
		_, err := j.Load(t.Context())
		wantError(t, err, checkpoint.ErrSignature, append(c.says, entryKey(3))...)
		if errors.Is(err, checkpoint.ErrCorrupt) {
			t.Errorf("%s: the journal is corrupt: %v", what, err)
		}
		if len(c.keys) > 0 {
			continue
		}
		_, err = j.Commit(t.Context(), last, position(4))
		wantError(t, err, checkpoint.ErrSignature, c.says...)
		_, err = j.Tip(t.Context())
		wantError(t, err, checkpoint.ErrSignature, c.says...)
	}
	if keys, err := t.b.List(t.Context(), "archive/0", ""); err != nil || len(keys) != 3 {
		t.Errorf("the store has %v, %v", keys, err)
	}
	// The key is lost: a person adopts, with a new key.
	j := signing(t.b, Key(2))
	tip, err := j.Tip(t.Context())
	if err != nil || tip.Readable() || tip.Serial != 3 || tip.SHA256 != last.SHA256 {
		t.Errorf("the tip is %+v, %v", tip, err)
	}
	adopt(t, j, 4, adoption())
}

// forgedTip has forgeries that need only the right to write to the bucket, and no key. They change the newest entries.
func forgedTip(t *world) {
	commit(t, signing(t.a, Key(1)), 4)
	entries := map[uint64][]byte{}
	for serial := uint64(1); serial <= 4; serial++ {
		body, _, _, err := t.b.Get(t.Context(), entryKey(serial))
		check(t, err)
		entries[serial] = body
	}
	honest := func(serial uint64) []byte { return entries[serial] }
	changed := func(serial uint64, keys ...ed25519.PrivateKey) []byte {
		return Reseal(t, entries[serial-1], bytes.Replace(honest(serial), []byte(`"fresh":480`), []byte(`"fresh":999`), 1), keys...)
	}
	third := changed(3)
	unkeyed := map[uint64][]byte{1: honest(1)} // these entries do not name the keys
	for serial := uint64(2); serial <= 4; serial++ {
		unkeyed[serial] = Reseal(t, unkeyed[serial-1], bytes.Replace(honest(serial), []byte(`"keys_at":1,`), nil, 1))
	}
	for what, c := range map[string]struct {
		forged map[uint64][]byte
		kind   error
	}{
		"a changed byte":         {map[uint64][]byte{4: bytes.Replace(honest(4), []byte(`"fresh":480`), []byte(`"fresh":999`), 1)}, checkpoint.ErrCorrupt},
		"no signatures":          {map[uint64][]byte{4: changed(4)}, checkpoint.ErrCorrupt},
		"another key":            {map[uint64][]byte{4: changed(4, Key(9))}, checkpoint.ErrSignature},
		"two without signatures": {map[uint64][]byte{3: third, 4: Reseal(t, third, honest(4))}, checkpoint.ErrCorrupt},
		"all that came after it": {map[uint64][]byte{2: unkeyed[2], 3: unkeyed[3], 4: unkeyed[4]}, checkpoint.ErrSignature},
	} {
		for serial, body := range c.forged {
			overwrite(t, t.b, entryKey(serial), body)
		}
		overwrite(t, t.b, "archive/state/latest", []byte("{}"))
		_, err := signing(t.b, Key(1)).Load(t.Context())
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", what, err)
		}
		if n := noteOf(t); n.Serial != 0 {
			t.Errorf("%s: a head over it is noted: %+v", what, n)
		}
		for serial, body := range entries {
			overwrite(t, t.b, entryKey(serial), body)
		}
	}
	_, err := signing(t.b, Key(1)).Load(t.Context())
	check(t, err)
}
