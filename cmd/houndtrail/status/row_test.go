package status

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
)

var march = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// journalOf is a journal with n commits of one fresh record each, in a new store.
func journalOf(t *testing.T, n int) (*checkpoint.Journal, *checkpointtest.Faulty, checkpoint.Stored) {
	t.Helper()
	store := checkpointtest.NewFaulty(&checkpointtest.Memory{})
	j := checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: stream.Archive})
	var last checkpoint.Stored
	for range n {
		last = commitOne(t, j, last)
	}
	return j, store, last
}

func commitOne(t *testing.T, j *checkpoint.Journal, last checkpoint.Stored) checkpoint.Stored {
	t.Helper()
	last, err := j.Commit(t.Context(), last, checkpoint.Checkpoint{
		Kind: checkpoint.KindExport, Cursor: march.Add(time.Duration(last.Serial) * time.Minute), CommittedAt: march.AddDate(0, 0, 1),
		Records: checkpoint.Counts{Read: 3, Fresh: 1, Duplicate: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// TestLongJournal: status reads the whole of a long journal only with --full.
func TestLongJournal(t *testing.T) {
	t.Parallel()
	j, store, last := journalOf(t, LongJournal)
	var s Row
	if err := s.look(t.Context(), j, false); err != nil || s.unproved || s.Records == nil || *s.Records != LongJournal {
		t.Fatalf("of %d commits: %v, %+v", LongJournal, err, s)
	}
	last = commitOne(t, j, last)
	var reads atomic.Int64
	store.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op == checkpointtest.Get {
			reads.Add(1)
		}
		return checkpointtest.Fault{}
	})
	s = Row{}
	if err := s.look(t.Context(), j, false); err != nil || !s.unproved || *s.Records != int64(last.Serial) || s.Status != stream.StateOK {
		t.Errorf("of %d commits: %v, %+v", last.Serial, err, s)
	}
	if n := reads.Load(); n > 5 { // the note, two entries, the lease, the last failure
		t.Errorf("%d objects were read", n)
	}
	if s.Serial != last.Serial || !s.Cursor.Equal(last.Cursor) || !s.CommittedAt.Equal(last.CommittedAt) {
		t.Errorf("it stands at %+v, want %+v", s, last.Checkpoint)
	}
	s = Row{}
	if err := s.look(t.Context(), j, true); err != nil || s.unproved || s.Records == nil || *s.Records != int64(last.Serial) {
		t.Errorf("with --full: %v, %+v", err, s)
	}
}

// TestCommitMeanwhile: the figures belong to the shown position, although a runner commits in between.
func TestCommitMeanwhile(t *testing.T) {
	t.Parallel()
	j, store, last := journalOf(t, 3)
	var lists int
	store.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op == checkpointtest.List {
			if lists++; lists == 2 {
				last = commitOne(t, j, last)
			}
		}
		return checkpointtest.Fault{}
	})
	var s Row
	if err := s.look(t.Context(), j, false); err != nil || last.Serial != 4 || s.Serial != 3 || *s.Records != 3 {
		t.Errorf("entry %d, %v: %+v", last.Serial, err, s)
	}
}

// TestUnreadableStore: if a store is down, status takes the journal neither for damaged nor for empty, and asks the store no
// more.
func TestUnreadableStore(t *testing.T) {
	t.Parallel()
	down := errors.New("503 slow down")
	for at, want := range map[string]Row{
		"latest":     {Status: stream.StateUnreadable},
		"lease.json": {Status: stream.StateUnreadable, Serial: 2},
	} {
		_, store, _ := journalOf(t, 2)
		j := checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: stream.Archive}) // in another process
		store.On(checkpointtest.Always(checkpointtest.Get, at, checkpointtest.Fault{Before: down}))
		var s Row
		err := s.look(t.Context(), j, false)
		stage, ok := errors.AsType[*exporter.Error](err)
		if !ok || stage.Stage != exporter.StageCheckpoint || !errors.Is(err, down) || stream.OutcomeOf(err) != stream.SinkFailed {
			t.Errorf("without %s: %v", at, err)
		}
		if n := strings.Count(err.Error(), down.Error()); n != 1 {
			t.Errorf("without %s it says %d times why: %v", at, n, err)
		}
		if s.Status != want.Status || s.Serial != want.Serial || s.Lease != (leaseState{}) {
			t.Errorf("without %s: %+v", at, s)
		}
	}
}

func TestLeaseOf(t *testing.T) {
	t.Parallel()
	holder := checkpoint.Holder{Host: "pod-1", PID: 7, Version: "v1"}
	for name, c := range map[string]struct {
		status checkpoint.LeaseStatus
		gone   bool
		want   leaseState
		cell   string
	}{
		"free": {want: leaseState{State: leaseFree}, cell: "free"},
		"held until": {
			status: checkpoint.LeaseStatus{Held: true, Holder: holder, Since: march, Expires: 42500 * time.Millisecond},
			gone:   true, // if the lease expires, no process decides
			want:   leaseState{leaseHeld, holder, march, march.Add(42 * time.Second)},
			cell:   "held by houndtrail v1 on pod-1 (pid 7) since 2026-03-01T12:00:00Z; expires in 42s unless renewed",
		},
		"held by a process": {
			status: checkpoint.LeaseStatus{Held: true, Holder: holder, Since: march},
			want:   leaseState{State: leaseHeld, Holder: holder, Since: march},
			cell:   "held by houndtrail v1 on pod-1 (pid 7) since 2026-03-01T12:00:00Z, while that process runs",
		},
		"by a process that is gone": {
			status: checkpoint.LeaseStatus{Held: true, Holder: holder, Since: march},
			gone:   true,
			want:   leaseState{State: leaseAbandoned, Holder: holder, Since: march},
			cell:   "free; abandoned by houndtrail v1 on pod-1 (pid 7) since 2026-03-01T12:00:00Z",
		},
		"expired": {
			status: checkpoint.LeaseStatus{Holder: holder, Since: march},
			want:   leaseState{State: leaseAbandoned, Holder: holder, Since: march},
			cell:   "free; abandoned by houndtrail v1 on pod-1 (pid 7) since 2026-03-01T12:00:00Z",
		},
	} {
		got := leaseOf(c.status, march, func(checkpoint.Holder) bool { return c.gone })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := got.cell(march); got != c.cell {
			t.Errorf("%s: the cell is %q, want %q", name, got, c.cell)
		}
	}
	if got := (leaseState{}).cell(march); got != "-" {
		t.Errorf("a lease that could not be read: %q", got)
	}
}

// TestGone: only for a process of this very machine can gone be true.
func TestGone(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	dead := child.Process.Pid
	for h, want := range map[checkpoint.Holder]bool{
		{Host: host, PID: dead}:             true,
		{Host: host, PID: os.Getpid()}:      true, // this process has its number now
		{Host: host + "-other", PID: dead}:  false,
		{Host: host, PID: os.Getppid()}:     false,
		{Host: host, PID: 0}:                false,
		{Host: host, PID: -1}:               false,
		{Host: "", PID: dead}:               false,
		{Host: host, PID: 1, Version: "v1"}: false,
	} {
		if got := gone(h); got != want {
			t.Errorf("gone(%+v) is %t, want %t", h, got, want)
		}
	}
}
