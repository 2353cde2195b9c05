package checkpointtest

import (
	"bytes"
	"errors"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

func unvouchedList(t *world) {
	last := commit(t, signing(t.a, Key(1)), 2)
	body := func(serial uint64) []byte {
		body, _, _, err := t.b.Get(t.Context(), entryKey(serial))
		check(t, err)
		return body
	}
	l := acquireWhenFree(t, signing(t.a, Key(1), Key(9)))
	_, err := signing(t.a, Key(1), Key(9)).Declare(t.Context(), l, last, last.CommittedAt)
	check(t, err)
	check(t, l.Release(t.Context()))
	forged := Reseal(t, body(2), body(3), Key(9)) // without the key that could vouch
	overwrite(t, t.b, entryKey(3), forged)
	overwrite(t, t.b, "archive/state/latest", []byte("{}"))
	_, err = signing(t.b, Key(1)).Load(t.Context())
	wantError(t, err, checkpoint.ErrSignature, entryKey(3), "keys --accept", "another writer")
	// The forger writes one more entry.
	overwrite(t, t.b, entryKey(4), Reseal(t, forged, bytes.ReplaceAll(bytes.Replace(body(2), []byte(`"keys_at":1`), []byte(`"keys_at":3`), 1),
		[]byte(`"serial":2`), []byte(`"serial":4`)), Key(9)))
	_, err = signing(t.b, Key(1)).Load(t.Context())
	wantError(t, err, checkpoint.ErrSignature, entryKey(4))
	if n := noteOf(t); n.Serial != 0 {
		t.Errorf("a head over it is noted: %+v", n)
	}
}

func lostKeys(t *world) {
	last := commit(t, signing(t.a, Key(1)), 2)
	order := checkpoint.KeyOrder{Reason: "the machine burnt", At: last.CommittedAt}
	unsaid := order
	unsaid.Reason = " "
	_, err := signing(t.b, Key(2)).ChangeKeys(t.Context(), unsaid)
	wantError(t, err, err, "reason")
	_, err = signing(t.b, Key(1)).ChangeKeys(t.Context(), order)
	wantError(t, err, checkpoint.ErrKeys, "nothing was changed")
	accepted, err := signing(t.b, Key(2)).ChangeKeys(t.Context(), order)
	check(t, err)
	want := &checkpoint.KeyList{
		Keys: seal.Keys{
			Active:  []seal.KeyState{{Key: seal.PublicOf(Key(2)), From: 3, Reason: order.Reason}},
			Revoked: []seal.KeyState{{Key: seal.PublicOf(Key(1)), From: 3, Reason: order.Reason}},
		},
		Follows: checkpoint.Progress{Serial: 2, CommittedAt: last.CommittedAt.UTC()},
	}
	if diff := cmp.Diff(want, accepted.Keys); diff != "" || !accepted.Cursor.Equal(last.Cursor) || accepted.Lineage != last.Lineage {
		t.Errorf("the entry of the new key (-want +got):\n%s", diff)
	}
	j := signing(t.a, Key(2))
	loaded, err := j.Load(t.Context())
	check(t, err)
	_, err = j.Commit(t.Context(), loaded, position(3))
	check(t, err)
	_, err = signing(t.b, Key(1), Key(3)).Load(t.Context())
	wantError(t, err, checkpoint.ErrSignature, "revoked from entry 3 on")
}

func acceptsNothingForged(t *world) {
	commit(t, signing(t.a, Key(1)), 3)
	honest, _, _, err := t.b.Get(t.Context(), entryKey(3))
	check(t, err)
	second, _, _, err := t.b.Get(t.Context(), entryKey(2))
	check(t, err)
	order := checkpoint.KeyOrder{Reason: "the machine burnt"}
	for what, body := range map[string][]byte{
		"signed by another key": Reseal(t, second, bytes.Replace(honest, []byte(`"fresh":480`), []byte(`"fresh":999`), 1), Key(9)),
		"not signed":            Reseal(t, second, honest),
		"changed":               bytes.Replace(honest, []byte(`"fresh":480`), []byte(`"fresh":999`), 1),
	} {
		overwrite(t, t.b, entryKey(3), body)
		overwrite(t, t.b, "archive/state/latest", []byte("{}"))
		if _, err := signing(t.b, Key(2)).ChangeKeys(t.Context(), order); !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if keys, err := t.b.List(t.Context(), "archive/0", ""); err != nil || len(keys) != 3 {
		t.Errorf("the store has %v, %v", keys, err)
	}
}

func stolenKey(t *world) {
	commit(t, signing(t.a, Key(1)), 3)
	_, err := declare(t, signing(t.a, Key(1), Key(2)))
	check(t, err)
	j := signing(t.b, Key(2))
	order := checkpoint.KeyOrder{Revoke: seal.PublicOf(Key(1)), From: 3, Reason: "stolen"}
	for what, change := range map[string]func(*checkpoint.KeyOrder){
		"unknown": func(o *checkpoint.KeyOrder) { o.Revoke = seal.PublicOf(Key(7)) },
		"own":     func(o *checkpoint.KeyOrder) { o.Revoke = seal.PublicOf(Key(2)); o.From = 9 },
		"late":    func(o *checkpoint.KeyOrder) { o.From = 6 },
	} {
		o := order
		change(&o)
		if _, err := j.ChangeKeys(t.Context(), o); !errors.Is(err, checkpoint.ErrKeys) {
			t.Errorf("%s: %v", what, err)
		}
	}
	revoked, err := j.ChangeKeys(t.Context(), order)
	check(t, err)
	if got := revoked.Keys.Revoked; len(got) != 1 || got[0] != (seal.KeyState{Key: order.Revoke, From: 3, Reason: "stolen"}) {
		t.Errorf("revoked are %+v", got)
	}
	ring, entries := ringOf(t)
	for i, want := range []error{nil, nil, seal.ErrRevoked, nil, nil} {
		if err := ring.Judge(entries[i]); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("entry %d: %v", i+1, err)
		}
	}
	if _, err := declare(t, signing(t.a, Key(1), Key(2))); !errors.Is(err, checkpoint.ErrSignature) {
		t.Errorf("a revoked key signs again: %v", err)
	}
}

// endedKeyFounds: with a key that was ended, no adoption may follow.
func endedKeyFounds(t *world) {
	commit(t, signing(t.a, Key(1)), 1)
	_, err := declare(t, signing(t.a, Key(1), Key(2)))
	check(t, err)
	_, err = declare(t, signing(t.a, Key(2)))
	check(t, err)
	_, err = signing(t.b, Key(1)).Tip(t.Context())
	wantError(t, err, checkpoint.ErrSignature, "retired from entry 3 on")
}

// prunedList: a lifecycle rule has removed the entry with the list. The journal goes on, and names its keys again.
func prunedList(t *world) {
	j := signing(t.a, Key(1))
	commit(t, j, 4)
	store := without(t.b, entryKey(1), entryKey(2))
	list, err := declare(t, signing(store, Key(1)))
	check(t, err)
	if list.Serial != 5 || list.Keys == nil || list.Keys.Active[0].From != 1 {
		t.Errorf("the list is %+v in entry %d", list.Keys, list.Serial)
	}
	_, err = signing(store, Key(2)).Load(t.Context())
	wantError(t, err, checkpoint.ErrSignature, entryKey(5))
}
