package checkpoint_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// grain is the time that others wait beyond the TTL, because S3 tells the age of an object in whole seconds.
const grain = 2 * time.Second

var (
	errDown = errors.New("503 slow down")
	stream  = checkpoint.Identity{Stream: "archive", Writer: checkpoint.Writer{Version: "v1", Host: "pod-1"}}
	march   = window.Window{Start: time.Unix(1_772_000_000, 0), End: time.Unix(1_772_600_000, 0)}
)

// wantError checks the error's kind, and that its text names the problem.
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

// leaseBody is the lease as the store has it.
func leaseBody(t *testing.T, m *checkpointtest.Memory) (body []byte, version string) {
	t.Helper()
	body, version, _, err := m.Get(t.Context(), "archive/state/lease.json")
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
	defer func() { _ = l.Release(context.Background()) }() // the holder is dead: only its renewals have to end
	if err := crashed.Kill(); err != nil {
		t.Fatal(err)
	}

	// The TTL in the object counts, not the TTL of the process that looks at it.
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
		time.Sleep(50 * time.Second) // the last renewal was at 40 s and is valid until 100 s
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
		if n := writes.Load(); n < 29 || n > 31 { // again three a minute
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
				wantError(t, cause, checkpoint.ErrConflict, "memory://test/archive/state/lease.json")
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
				if err := l.Release(t.Context()); err != nil { // no other process has taken it, so it is free at once
					t.Error(err)
				}
			})
		})
	}
}

// refuseAndHide refuses every write as a conflict, and hides the object of the other writer.
func refuseAndHide(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
	if op == checkpointtest.Put {
		return checkpointtest.Fault{Before: fs.ErrExist}
	}
	return checkpointtest.Fault{Before: errDown}
}

// hang answers only when the caller has given up.
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
