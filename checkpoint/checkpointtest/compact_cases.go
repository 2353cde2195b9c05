package checkpointtest

import (
	"context"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

func compactCases() []testCase {
	return []testCase{
		{"a compaction moves nothing", compact},
		{"a compaction that dies hides no window that is open", compactDies},
		{"a compaction that loses a record is refused", compactLoses},
	}
}

// compaction replaces the objects of two positions.
func compaction() (checkpoint.Compaction, checkpoint.Object) {
	made := position(1).Objects[0]
	made.Key, made.Records, made.MaxID = "audit/1.compact1.parquet", 960, 1002
	c := checkpoint.Compaction{Day: "2026-03-01"}
	for n := range 2 {
		o := position(n + 1).Objects[0]
		c.Replaced = append(c.Replaced, checkpoint.Replaced{Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256, Records: o.Records})
	}
	return c, made
}

// compact: after one compaction and after a second one, the position, the lineage, the totals and the failure of the last run are
// the same.
func compact(t *world) {
	a, b := t.journals()
	last := commit(t, a, 3)
	failed := checkpoint.Failure{State: "failed", Reason: "the server is down", At: time.Unix(1, 0).UTC(), Serial: 3}
	failed.Since, failed.Tries = failed.At, 1
	check(t, a.Fail(t.Context(), failed))
	c, made := compaction()
	for n := range 2 {
		l := acquireWhenFree(t, b)
		prev, err := b.Load(t.Context())
		check(t, err)
		s, err := b.Compact(t.Context(), l, prev, c, made)
		check(t, err)
		check(t, l.Release(t.Context()))
		got, err := a.Load(t.Context())
		check(t, err)
		want := c
		want.Follows = checkpoint.Progress{Serial: 3, CommittedAt: last.CommittedAt.UTC()}
		if diff := cmp.Diff(&want, got.Compacted); diff != "" || got.Kind != checkpoint.KindCompact || got.Serial != uint64(4+n) {
			t.Errorf("entry %d of kind %s (-want +got):\n%s", got.Serial, got.Kind, diff)
		}
		if got.Progress() != want.Follows || s.SHA256 != got.SHA256 {
			t.Errorf("progress is %+v", got.Progress())
		}
		stands := func(c checkpoint.Checkpoint) []any {
			return []any{c.Cursor.UTC(), c.Start.UTC(), c.Lineage, c.Epoch, c.MaxID, c.Totals, string(c.Delivered), c.DeliveredSince.UTC(), c.Oldest}
		}
		if diff := cmp.Diff(stands(last.Checkpoint), stands(got.Checkpoint)); diff != "" {
			t.Errorf("the position moved (-before +after):\n%s", diff)
		}
		empty := window.Window{Start: last.Cursor.UTC(), End: last.Cursor.UTC()}
		if got.Window != empty || got.Records != (checkpoint.Counts{}) || got.ServerCount != nil {
			t.Errorf("it accounts for the window %v with %+v", got.Window, got.Records)
		}
		f, ok, err := a.Failure(t.Context(), &got.Checkpoint)
		check(t, err)
		if f != failed || !ok {
			t.Errorf("the failure of the last run is %+v, %v", f, ok)
		}
	}
	l := acquireWhenFree(t, a)
	newest, err := a.Load(t.Context())
	check(t, err)
	next, err := a.Commit(t.Context(), newest, position(4))
	check(t, err)
	check(t, l.Release(t.Context()))
	if next.Compacted != nil || next.Totals.Delivered != last.Totals.Delivered+480 || next.Totals.Objects != 4 {
		t.Errorf("the next entry: %+v, totals %+v", next.Compacted, next.Totals)
	}
	if _, ok, err := a.Failure(t.Context(), &next.Checkpoint); ok || err != nil {
		t.Errorf("a failure before the newest run stands: %v", err)
	}
}

func compactDies(t *world) {
	t.diesAtCommit(checkpoint.KindCompact, func(j *checkpoint.Journal, l *checkpoint.Lease, prev checkpoint.Stored) error {
		c, made := compaction()
		_, err := j.Compact(t.Context(), l, prev, c, made)
		return err
	})
}

// diesAtCommit kills a process as soon as its entry without a window is stored. Another process has died before it, with two
// windows declared. The newest entry cannot tell which of them is committed, so the lease must tell it first.
func (t *world) diesAtCommit(kind checkpoint.Kind, commits func(*checkpoint.Journal, *checkpoint.Lease, checkpoint.Stored) error) {
	t.Helper()
	a, b := t.journals()
	l := acquireWhenFree(t, a)
	last := commit(t, a, 1)
	check(t, l.Intend(t.Context(), last.Window, windowOf(2), windowOf(3)))
	check(t, t.a.Kill())
	dead := false
	t.b.On(func(_ context.Context, op Op, key string) Fault {
		before := dead
		dead = dead || op == Put && key == entryKey(2)
		switch {
		case before:
			return Fault{Before: ErrDead}
		case dead:
			return Fault{After: ErrDead}
		}
		return Fault{}
	})
	l = acquireWhenFree(t, b)
	prev, err := b.Load(t.Context())
	check(t, err)
	wantError(t, commits(b, l, prev), ErrDead)
	check(t, t.b.Kill())
	next := checkpoint.Open(t.b.Bucket, identity("host-c"), checkpoint.LeaseTTL(TTL))
	if loaded, err := next.Load(t.Context()); err != nil || loaded.Kind != kind {
		t.Fatalf("the newest entry is %+v, %v", loaded.Checkpoint, err)
	}
	l = acquireWhenFree(t, next)
	wantIntents(t, l, windowOf(2), windowOf(3))
	check(t, l.Release(t.Context()))
}

func compactLoses(t *world) {
	a, _ := t.journals()
	last := commit(t, a, 2)
	l := acquireWhenFree(t, a)
	for problem, change := range map[string]func(*checkpoint.Compaction, *checkpoint.Object){
		"a record less": func(_ *checkpoint.Compaction, o *checkpoint.Object) { o.Records-- },
		"a record more": func(c *checkpoint.Compaction, _ *checkpoint.Object) { c.Duplicates++ },
		"nothing":       func(c *checkpoint.Compaction, _ *checkpoint.Object) { c.Replaced = nil },
		"no name":       func(c *checkpoint.Compaction, _ *checkpoint.Object) { c.Replaced[1].SHA256 = "" },
	} {
		c, made := compaction()
		change(&c, &made)
		_, err := a.Compact(t.Context(), l, last, c, made)
		if err == nil || !strings.Contains(err.Error(), "refuse to write") {
			t.Errorf("%s: %v", problem, err)
		}
	}
	check(t, l.Release(t.Context()))
	if newest, err := a.Load(t.Context()); err != nil || newest.Serial != 2 {
		t.Errorf("the newest entry is %d, %v", newest.Serial, err)
	}
}
