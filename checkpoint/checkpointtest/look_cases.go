package checkpointtest

import (
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func lookCases() []testCase {
	return []testCase{
		{"to look writes nothing", lookOnly},
		{"an idle cycle reads little", idleReads},
		{"what was looked at is taken only if nothing has happened since", lookAndHold},
		{"of two that look one takes the lease", lookTwice},
		{"to look takes over from a holder that died", lookAbandoned},
	}
}

func lookAt(t *world, j *checkpoint.Journal) *checkpoint.Lease {
	t.Helper()
	l, err := j.Look(t.Context())
	check(t, err)
	return l
}

// used makes a stream whose lease was released, and returns a view of its store that counts the calls.
func used(t *world) (j *checkpoint.Journal, store *counted) {
	t.Helper()
	store = &counted{Bucket: t.a}
	j = checkpoint.Open(store, identity("host-a"), checkpoint.LeaseTTL(TTL))
	l := acquire(t, j)
	commit(t, j, 3)
	check(t, l.Intend(t.Context(), windowOf(3)))
	check(t, l.Release(t.Context()))
	store.reset()
	return j, store
}

func lookOnly(t *world) {
	j, store := used(t)
	for range 3 {
		l := lookAt(t, j)
		if wantIntents(t, l, windowOf(3)); l.CommitUncertain() {
			t.Error("it is in doubt")
		}
		check(t, l.Context().Err())
		check(t, l.Release(t.Context()))
		if l.Context().Err() == nil {
			t.Error("the context does not end with the lease")
		}
	}
	if store.calls[Put] != 0 || store.calls[Get] != 3 || store.calls[List] != 0 {
		t.Errorf("three looks take %v", store.calls)
	}
}

func idleReads(t *world) {
	j, store := used(t)
	for range 3 {
		store.reset()
		l := lookAt(t, j)
		_, err := j.Load(t.Context())
		check(t, err)
		check(t, l.Release(t.Context()))
		if store.calls[Put] != 0 || store.calls[Get] > 2 || store.calls[List] > 1 {
			t.Errorf("an idle cycle takes %v", store.calls)
		}
	}
	// The journal asks the store even for an entry that this process remembers.
	edit(t, t.b, entryKey(3), `"late":1`, `"late":2`)
	_, err := j.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(3))
	edit(t, t.b, entryKey(3), `"late":2`, `"late":1`)
	_, err = j.Load(t.Context())
	check(t, err)
	_, b := t.journals()
	last, err := b.Load(t.Context())
	check(t, err)
	last, err = b.Commit(t.Context(), last, position(4))
	check(t, err)
	if loaded, err := j.Load(t.Context()); err != nil || loaded.SHA256 != last.SHA256 {
		t.Errorf("entry %d is loaded, %v", loaded.Serial, err)
	}
}

func lookAndHold(t *world) {
	a, store := used(t)
	_, b := t.journals()
	l := lookAt(t, a)
	check(t, l.Hold(t.Context()))
	check(t, l.Hold(t.Context())) // a second Hold does nothing
	if !t.locking {
		_, err := b.Acquire(t.Context())
		wantError(t, err, checkpoint.ErrLeaseHeld, "host-a")
	}
	check(t, l.Release(t.Context()))
	if store.calls[Put] != 2 {
		t.Errorf("to hold and to release takes %v", store.calls)
	}
	if t.locking { // Look alone takes the lock
		l := lookAt(t, a)
		_, err := b.Look(t.Context())
		wantError(t, err, checkpoint.ErrLeaseHeld)
		check(t, l.Release(t.Context()))
		check(t, lookAt(t, b).Release(t.Context()))
		return
	}
	l = lookAt(t, a)
	_, err := a.Load(t.Context())
	check(t, err)
	other := acquire(t, b)
	last, err := b.Load(t.Context())
	check(t, err)
	_, err = b.Commit(t.Context(), last, position(4))
	check(t, err)
	check(t, other.Release(t.Context()))
	wantError(t, l.Hold(t.Context()), checkpoint.ErrLeaseHeld, "another runner")
	wantError(t, l.Intend(t.Context(), windowOf(4)), checkpoint.ErrLeaseHeld)
	if l.Context().Err() == nil {
		t.Error("a lease that was not to be had goes on")
	}
	check(t, l.Release(t.Context()))
	status, err := b.LeaseStatus(t.Context())
	if err != nil || status.Held || status.Holder.Host != "" {
		t.Errorf("the lease is %+v, %v", status, err)
	}
}

func lookTwice(t *world) {
	if t.locking {
		return // only one process can look
	}
	a, _ := used(t)
	_, b := t.journals()
	first, second := lookAt(t, a), lookAt(t, b)
	check(t, second.Intend(t.Context(), windowOf(4)))
	wantError(t, first.Hold(t.Context()), checkpoint.ErrLeaseHeld, "host-b")
	check(t, first.Release(t.Context()))
	status, err := a.LeaseStatus(t.Context())
	if err != nil || !status.Held || status.Holder.Host != "host-b" || !status.Intents[1].Equal(windowOf(4)) {
		t.Errorf("the lease is %+v, %v", status, err)
	}
	_, err = a.Look(t.Context())
	wantError(t, err, checkpoint.ErrLeaseHeld, "host-b")
	check(t, second.Release(t.Context()))
}

func lookAbandoned(t *world) {
	a, b := t.journals()
	dead := acquire(t, a)
	check(t, dead.Intend(t.Context(), windowOf(1)))
	check(t, t.a.Kill())
	if !t.locking {
		time.Sleep(TTL + 3*time.Second)
	}
	l := lookAt(t, b)
	status, err := b.LeaseStatus(t.Context())
	if err != nil || !status.Held || status.Holder.Host != "host-b" || !l.CommitUncertain() {
		t.Errorf("the lease is %+v, %v, in doubt %v", status, err, l.CommitUncertain())
	}
	check(t, l.Release(t.Context()))
	l = lookAt(t, b) // the doubt outlives a cycle that resolved nothing
	if !l.CommitUncertain() {
		t.Error("the doubt is forgotten")
	}
	check(t, l.Release(t.Context()))
}
