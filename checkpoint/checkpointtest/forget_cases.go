package checkpointtest

import (
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

func forgetCases() []testCase {
	return []testCase{
		{"a removal moves nothing, and every later entry knows it", forget},
		{"a removal that dies hides no window that is open", forgetDies},
		{"a removal that does not say what it removes is refused", forgetUnsaid},
	}
}

// removal removes the objects of two positions.
func removal() checkpoint.Forgetting {
	f := checkpoint.Forgetting{Before: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Reason: "kept for 12 months", By: "the works council"}
	for n := range 2 {
		o := position(n + 1).Objects[0]
		f.Removed = append(f.Removed, checkpoint.Removal{Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256, Records: o.Records})
	}
	return f
}

func forget(t *world) {
	a, b := t.journals()
	last := commit(t, a, 3)
	failed := checkpoint.Failure{State: "failed", Reason: "the server is down", At: time.Unix(1, 0).UTC(), Serial: 3}
	failed.Since, failed.Tries = failed.At, 1
	check(t, a.Fail(t.Context(), failed))
	l := acquireWhenFree(t, b)
	prev, err := b.Load(t.Context())
	check(t, err)
	_, err = b.Forget(t.Context(), l, prev, removal())
	check(t, err)
	got, err := a.Load(t.Context())
	check(t, err)
	want := removal()
	want.Records = position(1).Objects[0].Records + position(2).Objects[0].Records
	want.Follows = checkpoint.Progress{Serial: 3, CommittedAt: last.CommittedAt.UTC()}
	var tree seal.Frontier
	for _, r := range want.Removed {
		tree.Append(seal.Leaf([]byte(r.Key + "\n" + r.SHA256 + "\n")))
	}
	want.Root = tree.Root()
	if diff := cmp.Diff(&want, got.Forgotten); diff != "" || got.Kind != checkpoint.KindForget {
		t.Errorf("entry of kind %s (-want +got):\n%s", got.Kind, diff)
	}
	stands := func(c checkpoint.Checkpoint) []any {
		return []any{c.Cursor.UTC(), c.Start.UTC(), c.Lineage, c.Epoch, c.MaxID, c.Totals, string(c.Delivered), c.DeliveredSince.UTC(), c.Oldest}
	}
	if diff := cmp.Diff(stands(last.Checkpoint), stands(got.Checkpoint)); diff != "" || len(got.Objects) > 0 {
		t.Errorf("the position moved (-before +after):\n%s", diff)
	}
	if f, ok, err := a.Failure(t.Context(), &got.Checkpoint); f != failed || !ok || err != nil || got.Progress() != want.Follows {
		t.Errorf("the failure of the last run is %+v, %v, %v; progress %+v", f, ok, err, got.Progress())
	}
	next, err := b.Commit(t.Context(), got, position(4))
	check(t, err)
	earlier := removal()
	earlier.Before = earlier.Before.AddDate(0, 0, -1)
	again, err := b.Forget(t.Context(), l, next, earlier)
	check(t, err)
	check(t, l.Release(t.Context()))
	for _, s := range []checkpoint.Stored{got, next, again} {
		if !s.ForgottenBefore.Equal(want.Before) {
			t.Errorf("entry %d knows of removals before %s", s.Serial, s.ForgottenBefore)
		}
	}
	if next.Forgotten != nil || next.Totals.Delivered != last.Totals.Delivered+480 {
		t.Errorf("the next entry: %+v, totals %+v", next.Forgotten, next.Totals)
	}
}

func forgetDies(t *world) {
	t.diesAtCommit(checkpoint.KindForget, func(j *checkpoint.Journal, l *checkpoint.Lease, prev checkpoint.Stored) error {
		_, err := j.Forget(t.Context(), l, prev, removal())
		return err
	})
}

func forgetUnsaid(t *world) {
	a, _ := t.journals()
	last := commit(t, a, 2)
	l := acquireWhenFree(t, a)
	for problem, change := range map[string]func(*checkpoint.Forgetting){
		"nothing":   func(f *checkpoint.Forgetting) { f.Removed = nil },
		"no key":    func(f *checkpoint.Forgetting) { f.Removed[1].Key = "" },
		"no hash":   func(f *checkpoint.Forgetting) { f.Removed[1].SHA256 = "" },
		"twice":     func(f *checkpoint.Forgetting) { f.Removed[1] = f.Removed[0] },
		"no reason": func(f *checkpoint.Forgetting) { f.Reason = " " },
		"no day":    func(f *checkpoint.Forgetting) { f.Before = f.Before.Add(time.Hour) },
		"no time":   func(f *checkpoint.Forgetting) { f.Before = time.Time{} },
	} {
		f := removal()
		change(&f)
		_, err := a.Forget(t.Context(), l, last, f)
		if err == nil || !strings.Contains(err.Error(), "refuse to write") {
			t.Errorf("%s: %v", problem, err)
		}
	}
	check(t, l.Release(t.Context()))
	if newest, err := a.Load(t.Context()); err != nil || newest.Serial != 2 {
		t.Errorf("the newest entry is %d, %v", newest.Serial, err)
	}
}
