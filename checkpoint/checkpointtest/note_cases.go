package checkpointtest

import (
	"errors"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func noteCases() []testCase {
	return []testCase{
		{"a cycle notes its newest entry once", notedOnce},
		{"a note that cannot be written is told", noteUnwritten},
		{"a note never goes back", noteForward},
	}
}

func wantNote(t *world, says string) {
	t.Helper()
	body, _, _, err := t.b.Get(t.Context(), "archive/state/latest")
	if err != nil || !strings.HasPrefix(string(body), `{"serial":`+says+`,`) {
		t.Errorf("noted is %s, %v; want %s", body, err, says)
	}
}

func notedOnce(t *world) {
	store := &counted{Bucket: t.a}
	j := checkpoint.Open(store, identity("host-a"), checkpoint.LeaseTTL(TTL))
	commit(t, j, 1)
	wantNote(t, "1")
	lease := acquire(t, j)
	last, err := j.Load(t.Context())
	check(t, err)
	store.calls = nil
	for range 5 {
		last, err = j.Commit(t.Context(), last, position(int(last.Serial)+1))
		check(t, err)
	}
	if store.calls[Put] != 5 || store.calls[Get] != 0 || store.calls[List] != 0 {
		t.Errorf("five commits take %v", store.calls)
	}
	wantNote(t, "1")
	store.calls = nil
	check(t, lease.Release(t.Context()))
	if store.calls[Put] != 2 || store.calls[Get] != 0 {
		t.Errorf("the end of the cycle takes %v", store.calls)
	}
	wantNote(t, "6")
	lease = acquire(t, j)
	store.calls = nil
	check(t, lease.Release(t.Context())) // nothing was committed
	if store.calls[Put] != 1 {
		t.Errorf("the end of an idle cycle takes %v", store.calls)
	}
}

func noteUnwritten(t *world) {
	var told []error
	a := checkpoint.Open(t.a, identity("host-a"), checkpoint.LeaseTTL(TTL), checkpoint.Warn(func(err error) { told = append(told, err) }))
	t.a.On(Always(Put, "/latest", Fault{Before: errLost}))
	last := commit(t, a, 2)
	lease := acquire(t, a)
	_, err := a.Commit(t.Context(), last, position(3))
	check(t, err)
	check(t, lease.Release(t.Context()))
	if len(told) != 3 || !errors.Is(told[2], errLost) {
		t.Fatalf("told are %v", told)
	}
	wantError(t, told[2], errLost, "archive/state/latest", "entry 3")
	t.a.On(nil)
	lease = acquire(t, a)
	check(t, lease.Release(t.Context())) // the release writes the note whose write failed earlier
	wantNote(t, "3")
	if len(told) != 3 {
		t.Errorf("told are %v", told)
	}
}

func noteForward(t *world) {
	a, b := t.journals()
	commit(t, a, 1)
	lease := acquire(t, a)
	last, err := a.Load(t.Context())
	check(t, err)
	last, err = a.Commit(t.Context(), last, position(2))
	check(t, err)
	_, err = b.Commit(t.Context(), last, position(3)) // another runner commits, and notes it at once
	check(t, err)
	check(t, lease.Release(t.Context()))
	wantNote(t, "3")
	overwrite(t, t.b, "archive/state/latest", []byte("garbage"))
	lease = acquire(t, b)
	last, err = b.Load(t.Context())
	check(t, err)
	_, err = b.Commit(t.Context(), last, position(4))
	check(t, err)
	overwrite(t, t.b, "archive/state/latest", []byte("other garbage")) // this is no note of a later entry
	check(t, lease.Release(t.Context()))
	wantNote(t, "4")
}
