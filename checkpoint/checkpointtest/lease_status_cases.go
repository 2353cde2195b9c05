package checkpointtest

import (
	"context"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

func leaseStatusCases() []testCase {
	return []testCase{
		{"a look at the lease", leaseStatus},
		{"a look at a lease that was left behind", abandonedLeaseStatus},
	}
}

// look calls LeaseStatus, and checks that the call writes and locks nothing.
func look(t *world, j *checkpoint.Journal) checkpoint.LeaseStatus {
	t.Helper()
	t.b.On(func(_ context.Context, op Op, key string) Fault {
		if op == Put || op == Lock {
			t.Errorf("looking at the lease does a %s of %s", op, key)
		}
		return Fault{}
	})
	defer t.b.On(nil)
	status, err := j.LeaseStatus(t.Context())
	check(t, err)
	return status
}

// wantHeld checks the status of a lease that the suite's own process took.
func wantHeld(t *world, s checkpoint.LeaseStatus) {
	t.Helper()
	holder := checkpoint.Holder{Host: "host-a", PID: os.Getpid(), Version: "v1.2.3"}
	if !s.Held || s.Holder != holder || s.Since.IsZero() || time.Since(s.Since) > time.Hour {
		t.Errorf("the lease is %+v, want it held by %+v since a moment ago", s, holder)
	}
	// The store may add some seconds to the TTL, since stores tell ages in whole seconds.
	if t.locking != (s.Expires == 0) || s.Expires < 0 || s.Expires > TTL+5*time.Second {
		t.Errorf("the lease expires in %s; with a lock of the process: %t", s.Expires, t.locking)
	}
}

func leaseStatus(t *world) {
	a, b := t.journals()
	wantFree := func(when string) {
		t.Helper()
		s := look(t, b)
		if s.Intents = nil; !reflect.DeepEqual(s, checkpoint.LeaseStatus{}) {
			t.Errorf("%s the lease is %+v", when, s)
		}
	}
	wantFree("in a fresh stream")
	l := acquire(t, a)
	wantHeld(t, look(t, b))
	check(t, l.Intend(t.Context(), windowOf(1)))
	time.Sleep(2 * TTL) // longer than the life of a lease that is not renewed
	wantHeld(t, look(t, b))
	check(t, l.Context().Err())
	check(t, l.Release(t.Context()))
	wantFree("after the release")
	if s := look(t, b); !slices.EqualFunc(s.Intents, []window.Window{windowOf(1)}, window.Window.Equal) {
		t.Errorf("after the release the windows %v are declared", s.Intents)
	}

	t.b.On(Once(Get, "lease.json", Fault{Before: errLost}))
	_, err := b.LeaseStatus(t.Context())
	wantError(t, err, errLost, "archive/state/lease.json")
}

// If leases expire, a lease that is not renewed becomes free by itself. If a lock decides, only the holder's machine can tell that
// the lease is free. The object still names the holder.
func abandonedLeaseStatus(t *world) {
	a, b := t.journals()
	acquire(t, a)
	check(t, t.a.Kill())
	held := look(t, b)
	wantHeld(t, held)
	if t.locking {
		time.Sleep(2 * TTL)
		wantHeld(t, look(t, b))
	} else {
		deadline := time.Now().Add(10 * TTL)
		for left := look(t, b); left.Held; left = look(t, b) {
			if time.Now().After(deadline) {
				t.Fatalf("never expires: %+v", left)
			}
			time.Sleep(TTL / 10)
		}
		time.Sleep(TTL / 10) // to be past the end, and not at it
		left := look(t, b)
		held.Held, held.Expires = false, 0
		if left.Held || left.Holder != held.Holder || !left.Since.Equal(held.Since) || left.Expires != 0 {
			t.Errorf("the expired lease is %+v, want %+v", left, held)
		}
	}
	check(t, acquireWhenFree(t, b).Release(t.Context()))
	if s := look(t, b); s.Held {
		t.Errorf("after the takeover's release: %+v", s)
	}
}
