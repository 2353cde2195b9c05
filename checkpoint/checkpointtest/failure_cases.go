package checkpointtest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func failureCases() []testCase {
	return []testCase{
		{"a failure stands until something is committed", failureStands},
		{"a success ends a failure", successEnds},
		{"runs leave a sign of life every hour, and their settings", signsOfLife},
		{"a failure is not noted beside another's journal", foreignFailure},
	}
}

func failureStands(t *world) {
	a, _ := t.journals()
	want := checkpoint.Failure{State: "failed", Stage: "source", Reason: "down", At: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	wantFailure(t, a, 0, checkpoint.Failure{})
	check(t, a.Fail(t.Context(), want)) // the journal has no entry yet
	want.Since, want.Tries = want.At, 1
	wantFailure(t, a, 0, want)
	again := want
	again.At, again.Since, again.Tries = want.At.Add(time.Hour), time.Time{}, 0
	check(t, a.Fail(t.Context(), again)) // the second one in a row
	again.Since, again.Tries = want.Since, 2
	wantFailure(t, a, 0, again)
	last := commit(t, a, 2)
	wantFailure(t, a, 2, checkpoint.Failure{})
	want.Reason = "still down"
	check(t, a.Fail(t.Context(), want))
	want.Serial = 2
	wantFailure(t, a, 2, want)
	_, err := a.Commit(t.Context(), last, position(3))
	check(t, err)
	wantFailure(t, a, 3, checkpoint.Failure{})
	overwrite(t, t.b, "archive/state/run.json", []byte("no failure"))
	wantFailure(t, a, 3, checkpoint.Failure{})
	check(t, a.Fail(t.Context(), want))
	want.Serial = 3
	wantFailure(t, a, 3, want)
}

func successEnds(t *world) {
	a, b := t.journals()
	check(t, a.Fail(t.Context(), checkpoint.Failure{State: "failed"}))
	check(t, b.Succeed(t.Context(), noon()))
	wantFailure(t, a, 0, checkpoint.Failure{})
	_, before, _, err := t.b.Get(t.Context(), "archive/state/run.json")
	check(t, err)
	check(t, a.Succeed(t.Context(), noon()))
	if _, after, _, err := t.b.Get(t.Context(), "archive/state/run.json"); err != nil || after != before {
		t.Errorf("a second success wrote the object once more, %v", err)
	}
	check(t, a.Fail(t.Context(), checkpoint.Failure{State: "failed"}))
	check(t, a.Succeed(t.Context(), noon().Add(time.Second)))
	wantFailure(t, a, 0, checkpoint.Failure{})
}

// signsOfLife: a sign of life costs one write an hour, in one process as in many. In between, a process asks nothing, and a new
// process asks once. Other settings are written at once.
func signsOfLife(t *world) {
	set := checkpoint.Settings{Tenant: "a", Schedule: "@every 5m"}
	store := &counted{Bucket: t.a}
	open := func(s checkpoint.Settings) *checkpoint.Journal {
		return checkpoint.Open(store, identity("host-a"), checkpoint.Runs(s))
	}
	succeed := func(j *checkpoint.Journal, at time.Duration, get, put int, want time.Duration) {
		t.Helper()
		store.calls = nil
		check(t, j.Succeed(t.Context(), noon().Add(at)))
		if store.calls[Get] != get || store.calls[Put] != put {
			t.Errorf("a success at %s takes %v, want %d and %d", at, store.calls, get, put)
		}
		r, _, failed, err := open(set).LastRun(t.Context(), &checkpoint.Checkpoint{})
		if err != nil || failed || !r.SucceededAt.Equal(noon().Add(want)) {
			t.Errorf("the sign of life is of %s, want %s; failed %v, %v", r.SucceededAt, noon().Add(want), failed, err)
		}
	}
	one := open(set)
	succeed(one, 0, 1, 1, 0)
	succeed(one, 59*time.Minute, 0, 0, 0)
	succeed(open(set), 59*time.Minute, 1, 0, 0)
	succeed(one, time.Hour, 1, 1, time.Hour)
	succeed(open(set), time.Hour+5*time.Minute, 1, 0, time.Hour)
	succeed(open(set), 2*time.Hour, 1, 1, 2*time.Hour)
	succeed(one, -2*time.Hour, 1, 1, -2*time.Hour) // the machine's clock was set right
	set.Retention = "720h"
	succeed(open(set), 0, 1, 1, 0)
	if r, _, _, err := one.LastRun(t.Context(), &checkpoint.Checkpoint{}); err != nil || r.Settings != set {
		t.Errorf("the settings are %+v, %v", r.Settings, err)
	}
	check(t, one.Fail(t.Context(), checkpoint.Failure{State: "failed", At: noon()}))
	if r, f, failed, err := open(set).LastRun(t.Context(), &checkpoint.Checkpoint{}); err != nil || !failed || f.Tries != 1 || r.SucceededAt.IsZero() {
		t.Errorf("after a failure: %+v, %v", r, err)
	}
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

// noon is the time of the runs in these cases.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
