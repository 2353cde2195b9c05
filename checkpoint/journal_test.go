package checkpoint_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
)

func TestStoreThatExpiresLeases(t *testing.T) {
	t.Parallel()
	checkpointtest.RunInBubble(t, func(*testing.T) (a, b bucket.Bucket) {
		m := &checkpointtest.Memory{}
		return m, m
	})
}

func TestStoreThatLocks(t *testing.T) {
	t.Parallel()
	checkpointtest.RunInBubble(t, func(*testing.T) (a, b bucket.Bucket) {
		m := &checkpointtest.Memory{Locks: true}
		return m, m
	})
}

// listing is a bucket that remembers the key after which each of its listings began.
type listing struct {
	bucket.Bucket
	after []string
}

func (l *listing) List(ctx context.Context, prefix, after string) ([]string, error) {
	l.after = append(l.after, after)
	return l.Bucket.List(ctx, prefix, after)
}

// Load does not list a journal of many years from its beginning.
func TestLoadListsFromTheNote(t *testing.T) {
	t.Parallel()
	b := &listing{Bucket: &checkpointtest.Memory{}}
	j := checkpoint.Open(b, checkpoint.Identity{Tenant: "a", Stream: "archive"})
	var last checkpoint.Stored
	for range 3 {
		var err error
		if last, err = j.Commit(t.Context(), last, checkpoint.Checkpoint{Kind: checkpoint.KindExport, Cursor: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"archive/00000000000000000/00000000000000000002.json"}; !slices.Equal(b.after, want) {
		t.Errorf("listed after %q, want %q", b.after, want)
	}
}

// If the store is far away, a history does not read its entries one at a time.
func TestEntriesAreReadAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, delay = 80, 10 * time.Millisecond
		b := checkpointtest.NewFaulty(&checkpointtest.Memory{})
		j := checkpoint.Open(b, checkpoint.Identity{Tenant: "a", Stream: "archive"})
		var last checkpoint.Stored
		for range n {
			var err error
			if last, err = j.Commit(t.Context(), last, checkpoint.Checkpoint{Kind: checkpoint.KindExport, Cursor: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		var asked, most atomic.Int64
		b.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
			for now := asked.Add(1); ; {
				if old := most.Load(); now <= old || most.CompareAndSwap(old, now) {
					break
				}
			}
			time.Sleep(delay)
			asked.Add(-1)
			return checkpointtest.Fault{}
		})
		began, read := time.Now(), 0
		for _, err := range j.Entries(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			read++
		}
		if took := time.Since(began); read != n || took > n*delay/4 || most.Load() > 8 {
			t.Errorf("%d of %d entries took %s, with %d at a time", read, n, took, most.Load())
		}
	})
}

// A caller may leave CommittedAt and the lists empty: Commit sets the time.
func TestCommitFillsIn(t *testing.T) {
	t.Parallel()
	m := &checkpointtest.Memory{}
	j := checkpoint.Open(m, checkpoint.Identity{Tenant: "a", Stream: "webhook"})
	before := time.Now()
	s, err := j.Commit(t.Context(), checkpoint.Stored{}, checkpoint.Checkpoint{Kind: checkpoint.KindExport, Cursor: before})
	if err != nil {
		t.Fatal(err)
	}
	if s.CommittedAt.Before(before) || s.CommittedAt.After(time.Now()) {
		t.Errorf("committed at %s, it is %s", s.CommittedAt, before)
	}
	if s.Objects == nil || s.Delivered == nil {
		t.Error("a list is null")
	}
}

// Commit never writes an entry that Load would refuse.
func TestCommitRefusesWhatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	m := &checkpointtest.Memory{}
	j := checkpoint.Open(m, checkpoint.Identity{Tenant: "a", Stream: "archive"})
	for name, bad := range map[string]checkpoint.Checkpoint{
		"no cursor":          {Kind: checkpoint.KindExport},
		"no kind":            {Cursor: time.Unix(1, 0)},
		"no year of RFC3339": {Kind: checkpoint.KindExport, Cursor: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"no reset":           {Kind: checkpoint.KindReset, Cursor: time.Unix(1, 0)},
		"no move":            {Kind: checkpoint.KindMove, Cursor: time.Unix(1, 0)},
		"no adoption":        {Kind: checkpoint.KindAdopt, Cursor: time.Unix(1, 0)},
		"a reset in passing": {Kind: checkpoint.KindExport, Cursor: time.Unix(1, 0), Reset: &checkpoint.Reset{}},
	} {
		if _, err := j.Commit(t.Context(), checkpoint.Stored{}, bad); err == nil {
			t.Errorf("%s: committed", name)
		}
	}
	if keys, err := m.List(t.Context(), "", ""); err != nil || len(keys) != 0 {
		t.Errorf("the store holds %v, %v", keys, err)
	}
}

// Commit does not change the caller's value.
func TestCommitLeavesItsArgumentAlone(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 3600)
	next := checkpoint.Checkpoint{
		Kind:    checkpoint.KindExport,
		Cursor:  time.Date(2026, 1, 1, 0, 0, 0, 0, zone),
		Objects: []checkpoint.Object{{MinCreatedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, zone)}},
	}
	j := checkpoint.Open(&checkpointtest.Memory{}, checkpoint.Identity{Tenant: "a", Stream: "archive"})
	if _, err := j.Commit(t.Context(), checkpoint.Stored{}, next); err != nil {
		t.Fatal(err)
	}
	if next.Objects[0].MinCreatedAt.Location() != zone {
		t.Error("Commit changed the caller's objects")
	}
}
