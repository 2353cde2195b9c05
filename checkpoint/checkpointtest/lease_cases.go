package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

func leaseCases() []testCase {
	return []testCase{
		{"a lease keeps others away", leaseExcludes},
		{"one of many takes the lease", oneHolder},
		{"a lease lives as long as its holder", leaseIsRenewed},
		{"a crashed holder's lease is taken over", takeover},
		{"a lost lease ends its context", lostLease},
		{"the intent survives release and crash", intentSurvives},
		{"a lease whose requests were repeated", repeatedLease},
		{"an intent that failed but persisted", persistedIntent},
		{"intents and renewals do not collide", intentsAndRenewals},
		{"an unreadable lease is a hard stop", unreadableLease},
		{"a failed acquisition leaves nothing locked", failedAcquire},
	}
}

// windowOf is the n-th window of the suite.
func windowOf(n int) window.Window { return position(n).Window }

// acquire takes the lease, and releases it at the end of the test.
func acquire(tb testing.TB, j *checkpoint.Journal) *checkpoint.Lease {
	tb.Helper()
	l, err := j.Acquire(tb.Context())
	check(tb, err)
	tb.Cleanup(func() { _ = l.Release(context.Background()) }) // if the release matters, the case itself checks it
	return l
}

// acquireWhenFree tries until the lease is free.
func acquireWhenFree(tb testing.TB, j *checkpoint.Journal) *checkpoint.Lease {
	tb.Helper()
	for deadline := time.Now().Add(10 * TTL); ; time.Sleep(TTL / 10) {
		l, err := j.Acquire(tb.Context())
		if err == nil {
			tb.Cleanup(func() { _ = l.Release(context.Background()) })
			return l
		}
		if !errors.Is(err, checkpoint.ErrLeaseHeld) || time.Now().After(deadline) {
			tb.Fatal(err)
		}
	}
}

func wantIntents(tb testing.TB, l *checkpoint.Lease, want ...window.Window) {
	tb.Helper()
	if got := l.Intents(); !slices.EqualFunc(got, want, window.Window.Equal) {
		tb.Errorf("the intents are %v; want %v", got, want)
	}
}

func leaseExcludes(t *world) {
	a, b := t.journals()
	first := acquire(t, a)
	_, err := b.Acquire(t.Context())
	wantError(t, err, checkpoint.ErrLeaseHeld, t.b.String(), "archive/state/lease.", "v1.2.3", "host-a", "wait",
		fmt.Sprintf("pid %d", os.Getpid()))
	if _, err := a.Acquire(t.Context()); !errors.Is(err, checkpoint.ErrLeaseHeld) {
		t.Errorf("the holder itself takes it again: %v", err)
	}
	other := identity("host-b")
	other.Stream = "webhook"
	acquire(t, checkpoint.Open(t.b, other)) // each stream has its own lease

	check(t, first.Release(t.Context()))
	check(t, first.Release(t.Context()))
	if first.Context().Err() == nil {
		t.Error("the context outlives the release")
	}
	if err := first.Intend(t.Context(), windowOf(1)); err == nil {
		t.Error("a released lease takes an intent")
	}
	second := acquire(t, b)
	check(t, first.Release(t.Context())) // this must not release the other's lease
	if _, err := a.Acquire(t.Context()); !errors.Is(err, checkpoint.ErrLeaseHeld) {
		t.Errorf("while the second holds it: %v", err)
	}
	check(t, second.Release(t.Context()))
}

func oneHolder(t *world) {
	a, b := t.journals()
	leases := make(chan *checkpoint.Lease, 8)
	var group sync.WaitGroup
	for n := range cap(leases) {
		group.Go(func() {
			switch l, err := []*checkpoint.Journal{a, b}[n%2].Acquire(t.Context()); {
			case err == nil:
				leases <- l
			case !errors.Is(err, checkpoint.ErrLeaseHeld):
				t.Error(err)
			}
		})
	}
	group.Wait()
	close(leases)
	if len(leases) != 1 {
		t.Errorf("%d runners hold the lease", len(leases))
	}
	for l := range leases {
		check(t, l.Release(t.Context()))
	}
}

func leaseIsRenewed(t *world) {
	a, b := t.journals()
	l := acquire(t, a)
	for end := time.Now().Add(3 * TTL); time.Now().Before(end); time.Sleep(TTL / 2) {
		if _, err := b.Acquire(t.Context()); !errors.Is(err, checkpoint.ErrLeaseHeld) {
			t.Fatalf("another runner: %v", err)
		}
	}
	check(t, l.Context().Err())
	check(t, l.Release(t.Context()))
}

func takeover(t *world) {
	a, b := t.journals()
	crashed := acquire(t, a)
	since := time.Now()
	check(t, t.a.Kill())
	var l *checkpoint.Lease
	if t.locking {
		l = acquire(t, b) // at once: the lock ended with its process
	} else if l = acquireWhenFree(t, b); time.Since(since) < TTL {
		t.Errorf("taken over after %s, before it expired", time.Since(since))
	}
	// The process that only seemed dead must not get the lease back.
	if err := crashed.Release(t.Context()); err == nil {
		t.Error("a dead process released its lease")
	}
	check(t, l.Intend(t.Context(), windowOf(1)))
	check(t, l.Release(t.Context()))
}

func lostLease(t *world) {
	a, _ := t.journals()
	l := acquire(t, a)
	held, _, _, err := t.b.Get(t.Context(), "archive/state/lease.json")
	check(t, err)
	theirs := strings.NewReplacer("host-a", "host-c", `"token":"`, `"token":"another-`).Replace(string(held))
	overwrite(t, t.b, "archive/state/lease.json", []byte(theirs))
	if !t.locking { // if a lock decides, only a person who edits the object can cause this, and only Intend sees it
		select {
		case <-l.Context().Done():
		case <-time.After(2 * TTL):
			t.Fatal("no renewal noticed that the lease is lost")
		}
	}
	err = l.Intend(t.Context(), windowOf(1))
	wantError(t, err, checkpoint.ErrLeaseHeld, "archive/state/lease.json", "host-c")
	<-l.Context().Done()
	wantError(t, context.Cause(l.Context()), checkpoint.ErrLeaseHeld, "archive/state/lease.json", "host-c")
	check(t, l.Release(t.Context()))
	left, _, _, err := t.b.Get(t.Context(), "archive/state/lease.json")
	check(t, err)
	if string(left) != theirs {
		t.Errorf("the loser changed the other's lease to %s", left)
	}
}

func intentSurvives(t *world) {
	a, b := t.journals()
	first := acquire(t, a)
	wantIntents(t, first)
	check(t, first.Intend(t.Context(), windowOf(1)))
	wantIntents(t, first, windowOf(1))
	check(t, first.Release(t.Context()))

	second := acquire(t, b)
	wantIntents(t, second, windowOf(1))
	check(t, second.Release(t.Context())) // it declared no intent, and the previous one stays

	third := acquire(t, a)
	wantIntents(t, third, windowOf(1))
	check(t, third.Intend(t.Context(), windowOf(2)))
	check(t, third.Intend(t.Context(), windowOf(1))) // this window is declared already, and keeps its place
	inParts := windowOf(3)
	inParts.Parts = true
	check(t, third.Intend(t.Context(), windowOf(3)))
	check(t, third.Intend(t.Context(), inParts)) // the window is in parts now
	check(t, third.Intend(t.Context(), windowOf(3)))
	check(t, t.a.Kill())

	fourth := acquireWhenFree(t, b)
	wantIntents(t, fourth, windowOf(1), windowOf(2), windowOf(3))
	if of := fourth.Intents(); of[1].Parts || !of[2].Parts {
		t.Errorf("the third of them only is in parts: %v", of)
	}
	fourth.Settle(windowOf(4)) // this window is no intent
	fourth.Settle(windowOf(2))
	wantIntents(t, fourth, windowOf(3))
	check(t, fourth.Release(t.Context()))

	fifth := acquire(t, b)
	wantIntents(t, fifth, windowOf(3))
	fifth.Drop()
	check(t, fifth.Release(t.Context()))
	wantIntents(t, acquire(t, b))
}

func repeatedLease(t *world) {
	a, b := t.journals()
	repeat := func() { t.a.On(Once(Put, "lease.json", Fault{After: fs.ErrExist})) }
	repeat()
	l := acquire(t, a)
	repeat()
	check(t, l.Intend(t.Context(), windowOf(1)))
	repeat()
	check(t, l.Release(t.Context()))
	next := acquire(t, b)
	wantIntents(t, next, windowOf(1))
	check(t, next.Release(t.Context()))
}

func persistedIntent(t *world) {
	a, b := t.journals()
	l := acquire(t, a)
	check(t, l.Intend(t.Context(), windowOf(1)))
	t.a.On(Once(Put, "lease.json", Fault{After: errLost}))
	wantError(t, l.Intend(t.Context(), windowOf(2)), errLost, "archive/state/lease.json")
	check(t, l.Intend(t.Context(), windowOf(3))) // this replaces the write that persisted
	t.a.On(Once(Put, "lease.json", Fault{Before: errLost}))
	wantError(t, l.Intend(t.Context(), windowOf(4)), errLost, "archive/state/lease.json")
	check(t, l.Release(t.Context()))
	next := acquire(t, b)
	wantIntents(t, next, windowOf(1), windowOf(2), windowOf(3), windowOf(4)) // a window that was declared in vain does no harm
	check(t, next.Release(t.Context()))
}

func intentsAndRenewals(t *world) {
	a, b := t.journals()
	l := acquire(t, a)
	for n := range 15 { // for more than five renewals
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				if err := l.Intend(l.Context(), windowOf(n)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		time.Sleep(TTL / 9)
	}
	check(t, l.Context().Err())
	check(t, l.Release(t.Context()))
	next := acquire(t, b)
	if got := next.Intents(); len(got) != 15 || !got[14].Equal(windowOf(14)) {
		t.Errorf("the intents are %v", got)
	}
	check(t, next.Release(t.Context()))
}

func unreadableLease(t *world) {
	a, _ := t.journals()
	check(t, acquire(t, a).Release(t.Context()))
	good, _, _, err := t.b.Get(t.Context(), "archive/state/lease.json")
	check(t, err)
	for _, body := range []string{"", "{", `{}`, `{"ttl":"1m","state":"lent"}`, `{"ttl":"soon","state":"held"}`} {
		overwrite(t, t.b, "archive/state/lease.json", []byte(body))
		_, err := a.Acquire(t.Context())
		wantError(t, err, checkpoint.ErrCorrupt, t.a.String(), "archive/state/lease.json", "intent")
		_, err = a.LeaseStatus(t.Context())
		wantError(t, err, checkpoint.ErrCorrupt, t.a.String(), "archive/state/lease.json", "intent")
	}
	overwrite(t, t.b, "archive/state/lease.json", good)
	check(t, acquire(t, a).Release(t.Context()))
}

func failedAcquire(t *world) {
	a, b := t.journals()
	for _, hook := range []Hook{
		Once(Lock, "lease.lock", Fault{Before: errLost}),
		Once(Get, "lease.json", Fault{Before: errLost}),
		Once(Put, "lease.json", Fault{Before: errLost}),
	} {
		t.a.On(hook)
		_, err := a.Acquire(t.Context())
		wantError(t, err, errLost, "archive/state/lease.")
	}
	check(t, acquire(t, b).Release(t.Context()))
}
