package checkpointtest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config/setting"
)

func keysCases() []testCase {
	return []testCase{
		{"keys are rotated", rotated},
		{"a list of keys moves nothing", listMovesNothing},
		{"a list of keys that dies hides no window that is open", listDies},
		{"a run that dies at any write of a rotation leaves a journal that goes on", rotationDies},
		{"a run without the newest key ends nothing", runWithoutNewest},
		{"a list that no key of the run vouches for is a hard stop", unvouchedList},
		{"lost keys are replaced by a person", lostKeys},
		{"a person accepts no key over a forged entry", acceptsNothingForged},
		{"a stolen key is revoked", stolenKey},
		{"an ended key founds nothing", endedKeyFounds},
		{"a list that was pruned comes anew", prunedList},
	}
}

// declare declares the keys, like a run that has just loaded the journal.
func declare(t *world, j *checkpoint.Journal) (checkpoint.Stored, error) {
	t.Helper()
	l := acquireWhenFree(t, j)
	defer func() { check(t, l.Release(t.Context())) }()
	prev, err := j.Load(t.Context())
	if err != nil {
		return prev, err
	}
	return j.Declare(t.Context(), l, prev, prev.CommittedAt)
}

// ringOf reads a journal like an auditor who has the first key.
func ringOf(t *world) (*seal.Keyring, []*seal.Entry) {
	t.Helper()
	var ring *seal.Keyring
	var all []*seal.Entry
	for s, err := range checkpoint.Open(t.b, identity("reader")).Entries(t.Context()) {
		check(t, err)
		body, _, _, err := t.b.Get(t.Context(), entryKey(s.Serial))
		check(t, err)
		e, err := seal.ReadEntry(body)
		check(t, err)
		if ring == nil {
			ring = seal.NewKeyring(s.Seal.Origin, seal.PublicOf(Key(1)))
		}
		if s.Keys != nil {
			check(t, ring.Change(e, s.Keys.Keys))
		}
		all = append(all, e)
	}
	return ring, all
}

// bareHead is the head of an entry as text, without signatures.
func bareHead(t *world, s checkpoint.Stored) string {
	t.Helper()
	h, err := s.TreeHead()
	check(t, err)
	return h.Text()
}

func rotated(t *world) {
	commit(t, signing(t.a, Key(1)), 2)
	for n, keys := range [][]ed25519.PrivateKey{{Key(1), Key(2)}, {Key(2)}, {Key(2)}, {Key(2), Key(3)}} {
		j := signing(t.b, keys...)
		list, err := declare(t, j)
		check(t, err)
		last, err := j.Commit(t.Context(), list, position(3+n))
		check(t, err)
		for _, key := range keys {
			headOf(t, last, seal.PublicOf(key))
		}
	}
	_, err := signing(t.b, Key(1)).Load(t.Context())
	wantError(t, err, checkpoint.ErrSignature, entryKey(9), "is retired from entry 5 on", setting.SigningKey)
	ring, entries := ringOf(t)
	var kinds []checkpoint.Kind
	for s, err := range signing(t.b).Entries(t.Context()) {
		check(t, err)
		kinds = append(kinds, s.Kind)
		check(t, ring.Judge(entries[s.Serial-1]))
	}
	export, list := checkpoint.KindExport, checkpoint.KindKeys
	if diff := cmp.Diff([]checkpoint.Kind{export, export, list, export, list, export, export, list, export}, kinds); diff != "" {
		t.Errorf("the entries (-want +got):\n%s", diff)
	}
	if got := ring.Active(9); len(got) != 2 {
		t.Errorf("active are %x", got)
	}
}

func listMovesNothing(t *world) {
	last := commit(t, signing(t.a, Key(1)), 3)
	failed := checkpoint.Failure{State: "failed", Reason: "the server is down", At: last.CommittedAt.UTC(), Serial: 3}
	failed.Since, failed.Tries = failed.At, 1
	check(t, signing(t.a, Key(1)).Fail(t.Context(), failed))
	j := signing(t.b, Key(1), Key(2))
	got, err := declare(t, j)
	check(t, err)
	stands := func(c checkpoint.Checkpoint) []any {
		return []any{c.Cursor.UTC(), c.Start.UTC(), c.Lineage, c.Epoch, c.MaxID, c.Totals, string(c.Delivered), c.DeliveredSince.UTC(), c.Oldest}
	}
	if diff := cmp.Diff(stands(last.Checkpoint), stands(got.Checkpoint)); diff != "" || len(got.Objects) > 0 || got.Kind != checkpoint.KindKeys {
		t.Errorf("the position moved (-before +after):\n%s", diff)
	}
	if f, ok, err := j.Failure(t.Context(), &got.Checkpoint); f != failed || !ok || err != nil || got.Progress().Serial != 3 {
		t.Errorf("the failure of the last run is %+v, %v, %v; progress %+v", f, ok, err, got.Progress())
	}
	again, err := declare(t, signing(t.a, Key(1), Key(2)))
	if err != nil || again.SHA256 != got.SHA256 {
		t.Errorf("the keys are declared again: entry %d, %v", again.Serial, err)
	}
	want := []seal.KeyState{{Key: seal.PublicOf(Key(1)), From: 1}, {Key: seal.PublicOf(Key(2)), From: 4}}
	if list, err := j.KeysOf(t.Context(), again); err != nil || !cmp.Equal(list.Active, want) {
		t.Errorf("the keys are %+v, %v", list, err)
	}
}

func listDies(t *world) {
	t.keysA, t.keysB = []ed25519.PrivateKey{Key(1)}, []ed25519.PrivateKey{Key(1), Key(2)}
	t.diesAtCommit(checkpoint.KindKeys, func(j *checkpoint.Journal, l *checkpoint.Lease, prev checkpoint.Stored) error {
		_, err := j.Declare(t.Context(), l, prev, prev.CommittedAt)
		return err
	})
}

// rotationDies kills the run at each of its writes, with and without the write's effect. The next run has the same keys as the
// killed one.
func rotationDies(t *world) {
	serial := commit(t, signing(t.a, Key(1)), 1).Serial
	keys := []ed25519.PrivateKey{Key(1)}
	for write, effect, n := 1, false, byte(2); ; n++ {
		next := []ed25519.PrivateKey{keys[len(keys)-1], Key(n)}
		if len(keys) == 2 {
			next = keys[1:]
		}
		faulty := &Faulty{Bucket: t.b.Bucket}
		var dead, killed int
		faulty.On(func(_ context.Context, op Op, _ string) Fault {
			if op == Put && dead == 0 {
				if killed++; killed == write {
					dead = 1
					if effect {
						return Fault{After: ErrDead}
					}
				}
			}
			if dead > 0 {
				return Fault{Before: ErrDead}
			}
			return Fault{}
		})
		_, err := rotateOnce(t, faulty, next)
		check(t, faulty.Kill())
		if dead == 0 {
			check(t, err)
			break
		}
		s, err := rotateOnce(t, t.b.Bucket, next)
		check(t, err)
		if list, err := signing(t.b, next...).KeysOf(t.Context(), s); err != nil || !cmp.Equal(list.Actives(), public(next)) {
			t.Fatalf("write %d: the keys are %+v, %v", write, list, err)
		}
		if keys, serial = next, s.Serial; effect {
			write++
		}
		effect = !effect
	}
	ring, entries := ringOf(t)
	for _, e := range entries {
		check(t, ring.Judge(e))
	}
	if serial < 10 {
		t.Errorf("only %d entries", serial)
	}
}

// rotateOnce acts as a run with those keys, up to its first commit.
func rotateOnce(t *world, b bucket.Bucket, keys []ed25519.PrivateKey) (s checkpoint.Stored, err error) {
	j := signing(b, keys...)
	l, err := j.Look(t.Context())
	for errors.Is(err, checkpoint.ErrLeaseHeld) {
		time.Sleep(TTL / 10)
		l, err = j.Look(t.Context())
	}
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, l.Release(t.Context())) }()
	prev, err := j.Load(t.Context())
	if err == nil {
		prev, err = j.Declare(t.Context(), l, prev, prev.CommittedAt)
	}
	if err == nil {
		err = l.Hold(t.Context())
	}
	if err == nil {
		s, err = j.Commit(t.Context(), prev, position(int(prev.Serial)+1))
	}
	return s, err
}

func public(keys []ed25519.PrivateKey) (all []seal.PublicKey) {
	for _, key := range keys {
		all = append(all, seal.PublicOf(key))
	}
	return all
}

func runWithoutNewest(t *world) {
	commit(t, signing(t.a, Key(1)), 1)
	both, err := declare(t, signing(t.a, Key(1), Key(2)))
	check(t, err)
	old := signing(t.b, Key(1))
	same, err := declare(t, old)
	if err != nil || same.SHA256 != both.SHA256 {
		t.Fatalf("a run that has only the first key wrote entry %d, %v", same.Serial, err)
	}
	last, err := old.Commit(t.Context(), same, position(2))
	check(t, err)
	headOf(t, last, seal.PublicOf(Key(1)))
	// An entry that only the second key signed is as good: the list vouches for that key.
	second := signing(t.a, Key(2))
	_, err = second.Commit(t.Context(), last, position(3))
	check(t, err)
	_, err = signing(t.b, Key(1)).Load(t.Context())
	check(t, err)
	ring, entries := ringOf(t)
	for _, e := range entries {
		check(t, ring.Judge(e))
	}
}
