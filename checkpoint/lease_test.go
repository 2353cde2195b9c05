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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"houndtrail/checkpoint"
	"houndtrail/checkpoint/checkpointtest"
)

// grain is what others wait beyond the TTL, because S3 tells the age of an object in whole seconds.
const grain = 2 * time.Second

var (
	errDown = errors.New("503 slow down")
	stream  = checkpoint.Identity{Stream: "archive", Writer: checkpoint.Writer{Version: "v1", Host: "pod-1"}}
	march   = checkpoint.Window{Start: time.Unix(1_772_000_000, 0), End: time.Unix(1_772_600_000, 0)}
)

// wantError checks the error's kind, and that its text says what it is about.
func wantError(t *testing.T, err, kind error, says string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("error is %v, want %v with %q", err, kind, says)
	}
}

// leased opens the stream on a store without locks and takes its lease.
func leased(t *testing.T) (*checkpointtest.Memory, *checkpointtest.Faulty, *checkpoint.Lease) {
	t.Helper()
	m := &checkpointtest.Memory{}
	mine := checkpointtest.NewFaulty(m)
	l, err := checkpoint.Open(mine, stream).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m, mine, l
}

// leaseBody is the lease as it stands in the store.
func leaseBody(t *testing.T, m *checkpointtest.Memory) (body []byte, version string) {
	t.Helper()
	body, version, _, err := m.Get(t.Context(), "archive/lease.json")
	if err != nil {
		t.Fatal(err)
	}
	return body, version
}

func TestLeaseIsTakenOverWhenTheStoresClockSaysSo(t *testing.T) {
	t.Parallel()
	var clock time.Time
	m := &checkpointtest.Memory{Now: func() time.Time { return clock }}
	crashed := checkpointtest.NewFaulty(m)
	l, err := checkpoint.Open(crashed, stream).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Release(context.Background()) }() // it is dead: only the renewals have to end
	if err := crashed.Kill(); err != nil {
		t.Fatal(err)
	}

	// The TTL that counts is the one in the object, not the one of whoever looks at it.
	other := checkpoint.Open(m, stream, checkpoint.LeaseTTL(time.Hour))
	clock = clock.Add(checkpoint.DefaultLeaseTTL + grain - time.Second)
	_, err = other.Acquire(t.Context())
	wantError(t, err, checkpoint.ErrLeaseHeld, "expires in 1s")
	clock = clock.Add(time.Second)
	taken, err := other.Acquire(t.Context())
	if err != nil {
		t.Fatalf("on time: %v", err)
	}
	if err := taken.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLeaseSurvivesAnOutageShorterThanItsLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, mine, l := leased(t)
		time.Sleep(50 * time.Second) // the last renewal was at 40 s and is good until 100 s
		mine.On(checkpointtest.Always(checkpointtest.Put, "lease.json", checkpointtest.Fault{Before: errDown}))
		time.Sleep(44 * time.Second)
		var writes atomic.Int64
		mine.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
			if op == checkpointtest.Put {
				writes.Add(1)
			}
			return checkpointtest.Fault{}
		})
		time.Sleep(10 * time.Minute)
		if err := l.Context().Err(); err != nil {
			t.Errorf("lost: %v", context.Cause(l.Context()))
		}
		if n := writes.Load(); n < 29 || n > 31 { // three a minute again
			t.Errorf("%d renewals in 10 minutes", n)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestLeaseIsLostWhenItCannotBeRenewed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]checkpointtest.Hook{
		"refused":            checkpointtest.Always(checkpointtest.Put, "lease.json", checkpointtest.Fault{Before: errDown}),
		"persisted unheard":  checkpointtest.Always(checkpointtest.Put, "lease.json", checkpointtest.Fault{After: errDown}),
		"unreadable as well": refuseAndHide,
		"never answered":     hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, mine, l := leased(t)
				time.Sleep(30 * time.Second)
				if err := l.Intend(t.Context(), march); err != nil { // counts as a renewal
					t.Fatal(err)
				}
				mine.On(fault)
				time.Sleep(checkpoint.DefaultLeaseTTL - time.Nanosecond)
				synctest.Wait()
				if err := l.Context().Err(); err != nil {
					t.Fatalf("lost too early: %v", context.Cause(l.Context()))
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				cause := context.Cause(l.Context())
				wantError(t, cause, checkpoint.ErrConflict, "memory://test/archive/lease.json")
				if name != "never answered" && !errors.Is(cause, errDown) {
					t.Errorf("the cause does not say why: %v", cause)
				}
				mine.On(nil)
				before, _ := leaseBody(t, m)
				if err := l.Intend(t.Context(), march); !errors.Is(err, checkpoint.ErrConflict) {
					t.Errorf("a lost lease takes an intent: %v", err)
				}
				if after, _ := leaseBody(t, m); !bytes.Equal(before, after) {
					t.Errorf("a lost lease was written again: %s", after)
				}
				if err := l.Release(t.Context()); err != nil { // nobody has taken it: it is free at once
					t.Error(err)
				}
			})
		})
	}
}

// refuseAndHide refuses every write for a conflict, and does not tell with whom.
func refuseAndHide(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
	if op == checkpointtest.Put {
		return checkpointtest.Fault{Before: fs.ErrExist}
	}
	return checkpointtest.Fault{Before: errDown}
}

// hang answers when the caller has given up.
func hang(ctx context.Context, _ checkpointtest.Op, _ string) checkpointtest.Fault {
	<-ctx.Done()
	return checkpointtest.Fault{Before: ctx.Err()}
}

// The store may have taken a renewal long before its answer arrives.
func TestLeaseLivesFromWhenARenewalWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, mine, l := leased(t)
		begin := time.Now()
		mine.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
			if time.Since(begin) > 30*time.Second {
				return checkpointtest.Fault{Before: errDown}
			}
			time.Sleep(15 * time.Second) // the renewal of 20 s
			return checkpointtest.Fault{}
		})
		<-l.Context().Done()
		if lived := time.Since(begin); lived != 80*time.Second {
			t.Errorf("lost after %s, want 1m20s", lived)
		}
		mine.On(nil)
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A caller's context counts also while it waits for a renewal that is under way.
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

// A write that is under way when the lease ends must not be taken for a durable intent.
func TestIntentThatArrivesTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, mine, l := leased(t)
		mine.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
			time.Sleep(2 * checkpoint.DefaultLeaseTTL) // deaf to its context
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

// A renewal that only the store knows of must not pass for the intent that follows it.
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

// In a store that tells versions by content, a renewal must change the content: another runner may have read the
// lease just before it, found it expired, and be about to replace it.
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
		m.Remove("archive/lease.json")
		time.Sleep(checkpoint.DefaultLeaseTTL / 3)
		synctest.Wait()
		wantError(t, context.Cause(l.Context()), checkpoint.ErrLeaseHeld, "removed")
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if keys, err := m.List(t.Context(), "", ""); err != nil || len(keys) != 0 {
			t.Errorf("the store holds %v, %v", keys, err)
		}
	})
}

// A shutdown ends the cycle's context first, and then releases.
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

// Who only learns at the release that the lease was taken over hears of it, once and for all.
func TestReleaseOfALeaseThatAnotherHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _, l := leased(t)
		body, version := leaseBody(t, m)
		theirs := bytes.Replace(body, []byte(`"token":"`), []byte(`"token":"x`), 1)
		if _, err := m.Put(t.Context(), "archive/lease.json", theirs, version); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := l.Release(t.Context()); !errors.Is(err, checkpoint.ErrLeaseHeld) {
				t.Errorf("Release: %v", err)
			}
		}
	})
}

// A store that refuses every conditional write must not keep the holder busy for ever.
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
		// Token and process id differ from run to run.
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"holder":{"host":"pod-1","pid":%d,"version":"v1"},"token":%q,`+
			`"acquired_at":"2000-01-01T00:00:00Z","ttl":"1m0s","state":"released",`+
			`"intent":{"start":"2026-02-25T06:13:20Z","end":"2026-03-04T04:53:20Z"},"revision":3}`+"\n",
			os.Getpid(), object["token"])
		if diff := cmp.Diff(want, string(body)); diff != "" {
			t.Errorf("the lease object (-want +got):\n%s", diff)
		}
	})
}
