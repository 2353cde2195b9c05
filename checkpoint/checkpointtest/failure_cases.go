package checkpointtest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func failureCases() []testCase {
	return []testCase{
		{"a failure stands until something is committed", failureStands},
		{"a success ends a failure, and writes nothing else", successEnds},
		{"a failure is not noted beside another's journal", foreignFailure},
	}
}

func failureStands(t *world) {
	a, _ := t.journals()
	want := checkpoint.Failure{State: "failed", Stage: "source", Reason: "down", At: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	wantFailure(t, a, 0, checkpoint.Failure{})
	check(t, a.Fail(t.Context(), want)) // the journal has no entry yet
	wantFailure(t, a, 0, want)
	last := commit(t, a, 2)
	wantFailure(t, a, 2, checkpoint.Failure{})
	want.Reason = "still down"
	check(t, a.Fail(t.Context(), want))
	want.Serial = 2
	wantFailure(t, a, 2, want)
	_, err := a.Commit(t.Context(), last, position(3))
	check(t, err)
	wantFailure(t, a, 3, checkpoint.Failure{})
	overwrite(t, t.b, "archive/state/failure.json", []byte("no failure"))
	wantFailure(t, a, 3, checkpoint.Failure{})
	check(t, a.Fail(t.Context(), want))
	want.Serial = 3
	wantFailure(t, a, 3, want)
}

func successEnds(t *world) {
	a, b := t.journals()
	check(t, a.Succeed(t.Context()))
	if keys, err := t.b.List(t.Context(), "archive/", ""); err != nil || len(keys) > 0 {
		t.Errorf("a success wrote %v, %v", keys, err)
	}
	check(t, a.Fail(t.Context(), checkpoint.Failure{State: "failed"}))
	check(t, b.Succeed(t.Context()))
	wantFailure(t, a, 0, checkpoint.Failure{})
	_, before, _, err := t.b.Get(t.Context(), "archive/state/failure.json")
	check(t, err)
	check(t, a.Succeed(t.Context()))
	if _, after, _, err := t.b.Get(t.Context(), "archive/state/failure.json"); err != nil || after != before {
		t.Errorf("a second success wrote the object once more, %v", err)
	}
	store := &counted{Bucket: t.a}
	c := checkpoint.Open(store, identity("host-c"))
	for range 3 {
		check(t, c.Succeed(t.Context()))
	}
	if store.calls[Get] != 1 || len(store.calls) != 1 {
		t.Errorf("three successes take %v", store.calls)
	}
	check(t, c.Fail(t.Context(), checkpoint.Failure{State: "failed"}))
	check(t, c.Succeed(t.Context()))
	wantFailure(t, a, 0, checkpoint.Failure{})
}

func foreignFailure(t *world) {
	a, _ := t.journals()
	commit(t, a, 1)
	id := identity("host-b")
	id.Tenant = "b"
	wantError(t, checkpoint.Open(t.b, id).Fail(t.Context(), checkpoint.Failure{State: "failed"}), checkpoint.ErrForeign)
	wantFailure(t, a, 1, checkpoint.Failure{})
}

func wantFailure(t *world, j *checkpoint.Journal, newest uint64, want checkpoint.Failure) {
	t.Helper()
	got, ok, err := j.Failure(t.Context(), &checkpoint.Checkpoint{Serial: newest})
	if diff := cmp.Diff(want, got); diff != "" || err != nil || ok != (want != checkpoint.Failure{}) {
		t.Errorf("the last failure: %v, %v (-want +got):\n%s", ok, err, diff)
	}
}
