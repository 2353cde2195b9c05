package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
)

// A caller's context also ends its wait for a renewal that is under way.
func TestIntentDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, mine, l := leased(t)
		mine.On(hang)
		time.Sleep(21 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := l.Intend(ctx, march); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		mine.On(nil)
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// If the lease ends while a write is under way, Intend must not report that write as a durable intent.
func TestIntentThatArrivesTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, mine, l := leased(t)
		mine.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
			time.Sleep(2 * checkpoint.DefaultLeaseTTL) // this write ignores its context
			return checkpointtest.Fault{}
		})
		if err := l.Intend(t.Context(), march); !errors.Is(err, checkpoint.ErrConflict) {
			t.Errorf("Intend: %v", err)
		}
		mine.On(nil)
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// If the answer to a renewal is lost, Houndtrail must not take that renewal for the intent after it.
func TestIntentAfterARenewalWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, mine, l := leased(t)
		mine.On(checkpointtest.Once(checkpointtest.Put, "lease.json", checkpointtest.Fault{After: errDown}))
		time.Sleep(21 * time.Second)
		if err := l.Intend(t.Context(), march); err != nil {
			t.Fatal(err)
		}
		body, _ := leaseBody(t, m)
		if !bytes.Contains(body, []byte(march.End.UTC().Format(time.RFC3339))) {
			t.Errorf("the intent is not stored: %s", body)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// In a store that tells versions by content, a renewal must change the content. Another runner may have read the lease just before
// the renewal, found it expired, and be about to replace it.
func TestEveryRenewalIsANewVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _, l := leased(t)
		var versions []string
		for range 5 {
			_, version := leaseBody(t, m)
			if slices.Contains(versions, version) {
				t.Error("a renewal left the version as it was")
			}
			versions = append(versions, version)
			time.Sleep(checkpoint.DefaultLeaseTTL / 3)
			synctest.Wait()
		}
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A removed lease object protects nothing: the holder stops, and does not bring it back.
func TestRemovedLeaseIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _, l := leased(t)
		m.Remove("archive/state/lease.json")
		time.Sleep(checkpoint.DefaultLeaseTTL / 3)
		synctest.Wait()
		wantError(t, context.Cause(l.Context()), checkpoint.ErrLeaseHeld, "removed")
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if keys, err := m.List(t.Context(), "", ""); err != nil || !slices.Equal(keys, []string{"archive/state/probe"}) {
			t.Errorf("the store holds %v, %v", keys, err)
		}
	})
}

// A shutdown first ends the cycle's context, and then releases the lease.
func TestReleaseAfterTheCycleWasCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &checkpointtest.Memory{}
		ctx, cancel := context.WithCancel(t.Context())
		l, err := checkpoint.Open(m, stream).Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		<-l.Context().Done()
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		next, err := checkpoint.Open(m, stream).Acquire(t.Context())
		if err != nil {
			t.Fatalf("right after the release: %v", err)
		}
		if err := next.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Release does not wait for a renewal that hangs.
func TestReleaseDuringARenewalThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, mine, l := leased(t)
		mine.On(hang)
		time.Sleep(25 * time.Second)
		mine.On(nil)
		start := time.Now()
		if err := l.Release(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

// If a holder learns only at the release that another runner has the lease, each call of Release returns that error.
func TestReleaseOfALeaseThatAnotherHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _, l := leased(t)
		body, version := leaseBody(t, m)
		theirs := bytes.Replace(body, []byte(`"token":"`), []byte(`"token":"x`), 1)
		if _, err := m.Put(t.Context(), "archive/state/lease.json", theirs, version); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := l.Release(t.Context()); !errors.Is(err, checkpoint.ErrLeaseHeld) {
				t.Errorf("Release: %v", err)
			}
		}
	})
}

// If a store refuses every conditional write, the holder must not try for ever.
func TestStoreWithoutConditionalWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, mine, l := leased(t)
		mine.On(checkpointtest.Always(checkpointtest.Put, "lease.json", checkpointtest.Fault{Before: fs.ErrExist}))
		if err := l.Intend(t.Context(), march); err == nil || !strings.Contains(err.Error(), "conditional writes") {
			t.Errorf("Intend: %v", err)
		}
		mine.On(nil)
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestLeaseObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _, l := leased(t)
		if err := l.Intend(t.Context(), march); err != nil {
			t.Fatal(err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		body, _ := leaseBody(t, m)
		// The token and the process id differ from run to run.
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"holder":{"host":"pod-1","pid":%d,"version":"v1"},"token":%q,`+
			`"acquired_at":"2000-01-01T00:00:00Z","ttl":"1m0s","state":"released",`+
			`"intents":[{"start":"2026-02-25T06:13:20Z","end":"2026-03-04T04:53:20Z"}],"revision":3}`+"\n",
			os.Getpid(), object["token"])
		if diff := cmp.Diff(want, string(body)); diff != "" {
			t.Errorf("the lease object (-want +got):\n%s", diff)
		}
	})
}
