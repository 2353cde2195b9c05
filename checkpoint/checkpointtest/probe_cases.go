package checkpointtest

import (
	"context"
	"errors"
	"io/fs"

	"github.com/houndtrail/houndtrail/checkpoint"
)

const probeKey = "archive/state/probe"

func probeCases() []testCase {
	return []testCase{
		{"a store is probed at the first lease", probed},
		{"a store that ignores conditions is refused", unconditional},
		{"another runner probes at the same moment", probedTwice},
		{"a probe that is not answered", probeFails},
	}
}

func probed(t *world) {
	a, b := t.journals()
	puts := 0
	t.a.On(func(_ context.Context, op Op, key string) Fault {
		if op == Put && key == probeKey {
			puts++
		}
		return Fault{}
	})
	check(t, acquire(t, a).Release(t.Context()))
	if puts != 4 { // two creations and two replacements
		t.Errorf("%d probes", puts)
	}
	check(t, acquire(t, a).Release(t.Context()))
	check(t, acquire(t, b).Release(t.Context()))
	if puts != 4 {
		t.Errorf("%d probes after the second lease", puts)
	}
}

func unconditional(t *world) {
	for header, store := range map[string]Unconditional{
		"If-None-Match": {Bucket: t.a, Creates: true},
		"If-Match":      {Bucket: t.a, Replaces: true},
	} {
		j := checkpoint.Open(store, identity("host-a"), checkpoint.LeaseTTL(TTL))
		for range 2 { // the object that the first attempt leaves does not hide the fault from the second
			_, err := j.Acquire(t.Context())
			wantError(t, err, checkpoint.ErrUnconditional, t.a.String(), probeKey, header, "another store", "gateway setting")
		}
		if _, _, _, err := t.b.Get(t.Context(), "archive/state/lease.json"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the lease is there: %v", err)
		}
	}
	_, b := t.journals()
	check(t, acquire(t, b).Release(t.Context())) // the store itself has no fault
}

func probedTwice(t *world) {
	for n := range 5 {
		id := identity("host-a")
		id.Stream = string(rune('a' + n))
		key, puts := id.Stream+"/state/probe", 0
		t.a.On(func(ctx context.Context, op Op, called string) Fault {
			if op != Put || called != key {
				return Fault{}
			}
			if puts == n {
				body := []byte("another runner's")
				_, version, _, err := t.b.Get(ctx, key)
				if err == nil || errors.Is(err, fs.ErrNotExist) {
					_, err = t.b.Put(ctx, key, body, version)
				}
				check(t, err)
			}
			puts++
			return Fault{}
		})
		l, err := checkpoint.Open(t.a, id, checkpoint.LeaseTTL(TTL)).Acquire(t.Context())
		check(t, err)
		check(t, l.Release(t.Context()))
		if puts < 3 {
			t.Errorf("%d probes", puts)
		}
	}
}

func probeFails(t *world) {
	a, b := t.journals()
	for _, hook := range []Hook{
		Once(Put, probeKey, Fault{Before: errLost}),
		Once(Put, probeKey, Fault{After: errLost}),
		Once(Get, probeKey, Fault{Before: errLost}), // the previous attempt left the object
	} {
		t.a.On(hook)
		_, err := a.Acquire(t.Context())
		wantError(t, err, errLost, probeKey)
		if errors.Is(err, checkpoint.ErrUnconditional) {
			t.Errorf("no answer passes for success: %v", err)
		}
	}
	check(t, acquire(t, b).Release(t.Context()))
}
