package checkpointtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

func moveCases() []testCase {
	return []testCase{
		{"a foreign journal is a hard stop", foreign},
		{"an entry in another stream's folder is a hard stop", otherStream},
		{"a move carries the journal over", move},
		{"a move is refused", moveRefused},
		{"a move waits until an attempt is finished", moveUnfinished},
		{"a move that dies hides no window that is open", moveDies},
		{"an identity changes by moves only", onlyMoves},
	}
}

// changes has all the ways in which a run can differ from the journal that it finds.
func changes() map[string]func(*checkpoint.Identity) {
	return map[string]func(*checkpoint.Identity){
		`tenant is "a" and this run's is "b"`:                                         func(id *checkpoint.Identity) { id.Tenant = "b" },
		`source is "https://a.example" and this run's is "https://b.example"`:         func(id *checkpoint.Identity) { id.Source = "https://b.example" },
		`destination is "s3://lake/hound" and this run's is "s3://swamp"`:             func(id *checkpoint.Identity) { id.Destination = "s3://swamp" },
		`encoding is "parquet" and this run's is "ndjson"`:                            func(id *checkpoint.Identity) { id.Encoding = "ndjson" },
		`tenant is "a" and this run's is "c", its encoding is "parquet" and this run`: func(id *checkpoint.Identity) { id.Tenant, id.Encoding = "c", "x" },
	}
}

func foreign(t *world) {
	a, _ := t.journals()
	last := commit(t, a, 2)
	for says, change := range changes() {
		id := identity("host-b")
		change(&id)
		j := checkpoint.Open(t.b, id)
		_, err := j.Load(t.Context())
		wantError(t, err, checkpoint.ErrForeign, t.b.String(), entryKey(2), says, "correct the setting", `houndtrail move --reason "..."`)
		refuseAdvice(t, err, "new journal", "empty", "adopt")
		if names := strings.Count(err.Error(), "this run's is"); names != 1+strings.Count(says, ", its ") {
			t.Errorf("it names %d differences: %v", names, err)
		}
		serials, err := collect(j.Entries(t.Context()))
		wantError(t, err, checkpoint.ErrForeign, says)
		if len(serials) != 0 {
			t.Errorf("before the error: %v", serials)
		}
		if _, err = j.Commit(t.Context(), last, position(3)); err == nil {
			t.Error("a commit mixes two journals")
		}
	}
}

func otherStream(t *world) {
	a, _ := t.journals()
	commit(t, a, 1)
	body, _, _, err := t.b.Get(t.Context(), entryKey(1))
	check(t, err)
	overwrite(t, t.b, "webhook"+strings.TrimPrefix(entryKey(1), "archive"), body)
	id := identity("host-b")
	id.Stream = "webhook"
	_, err = checkpoint.Open(t.b, id).Load(t.Context())
	wantError(t, err, checkpoint.ErrForeign, `"archive"`, `"webhook"`)
	_, err = checkpoint.Open(t.b, id, checkpoint.LeaseTTL(TTL)).Move(t.Context(), "a test", time.Now())
	wantError(t, err, checkpoint.ErrForeign, `"archive"`, `"webhook"`)
}

func move(t *world) {
	a, _ := t.journals()
	l := acquire(t, a)
	last := commit(t, a, 2)
	check(t, l.Intend(t.Context(), last.Window)) // this window was committed
	check(t, l.Release(t.Context()))

	first := identity("host-b")
	first.Source, first.Tenant = "https://b.example", "b"
	second := first
	second.Destination = "s3://swamp"
	for n, id := range []checkpoint.Identity{first, second} {
		j := checkpoint.Open(t.b, id, checkpoint.LeaseTTL(TTL))
		moved, err := j.Move(t.Context(), "a test", time.Now())
		check(t, err)
		want := last.Checkpoint
		want.Serial, want.PreviousSHA256, want.Writer = last.Serial+1, last.SHA256, id.Writer
		want.Kind = checkpoint.KindMove
		want.Moved = &checkpoint.Move{Reason: "a test", From: checkpoint.Names{
			Tenant: last.Tenant, Source: last.Source, Destination: last.Destination, Encoding: last.Encoding,
		}}
		want.Tenant, want.Source, want.Destination = id.Tenant, id.Source, id.Destination
		want.Window = window.Window{Start: last.Cursor, End: last.Cursor}
		want.Records, want.Objects, want.CommittedAt = checkpoint.Counts{}, []checkpoint.Object{}, moved.CommittedAt
		want.Seal = moved.Seal
		if diff := cmp.Diff(want, moved.Checkpoint); diff != "" {
			t.Fatalf("the move (-want +got):\n%s", diff)
		}
		if age := time.Since(moved.CommittedAt); age < 0 || age > time.Hour {
			t.Errorf("it was committed at %s", moved.CommittedAt)
		}
		last, err = j.Commit(t.Context(), moved, position(3+n))
		check(t, err)
		if last.Moved != nil || last.Tenant != id.Tenant {
			t.Errorf("the entry after it is %+v", last)
		}
		loaded, err := j.Load(t.Context())
		if err != nil || loaded.SHA256 != last.SHA256 {
			t.Errorf("entry %d is loaded, %v", loaded.Serial, err)
		}
	}
	j := checkpoint.Open(t.b, second, checkpoint.LeaseTTL(TTL))
	serials, err := collect(j.Entries(t.Context()))
	if err != nil || !slices.Equal(serials, []uint64{1, 2, 3, 4, 5, 6}) {
		t.Errorf("the entries are %v, %v", serials, err)
	}
	wantSurvey(t, j, sound(1, 6)...)
	_, err = a.Load(t.Context())
	wantError(t, err, checkpoint.ErrForeign, "https://b.example", "s3://swamp")
	next := acquire(t, j)
	wantIntents(t, next) // the intent was committed, although the entry of the move does not say so
	check(t, next.Release(t.Context()))
}

// moveUnfinished: if an attempt was not committed, the next run takes its window again under the tenant of the attempt.
func moveUnfinished(t *world) {
	a, _ := t.journals()
	l := acquire(t, a)
	commit(t, a, 2)
	check(t, l.Intend(t.Context(), windowOf(3)))
	check(t, l.Release(t.Context()))
	move := func(change func(*checkpoint.Identity), options ...checkpoint.Option) error {
		id := identity("host-b")
		change(&id)
		j := checkpoint.Open(t.b, id, append(options, checkpoint.LeaseTTL(TTL))...)
		movable := j.Movable(t.Context())
		_, err := j.Move(t.Context(), "a test", time.Now())
		if errors.Is(err, checkpoint.ErrUnfinished) != errors.Is(movable, checkpoint.ErrUnfinished) {
			t.Errorf("a move is refused with %v, and before with %v", err, movable)
		}
		return err
	}
	tenant, encoding := func(id *checkpoint.Identity) { id.Tenant = "b" }, func(id *checkpoint.Identity) { id.Encoding = "ndjson" }
	start := windowOf(3).Start.UTC().Format(time.RFC3339Nano)
	wantError(t, move(tenant), checkpoint.ErrUnfinished, start, `tenant is "a"`, "run --once")
	wantError(t, move(encoding), checkpoint.ErrUnfinished, start, "parquet", "run --once")
	wantError(t, move(encoding, checkpoint.AnyOrder()), checkpoint.ErrUnfinished, start, "houndtrail backfill")
	if loaded, err := a.Load(t.Context()); err != nil || loaded.Serial != 2 {
		t.Errorf("after moves that were refused: entry %d, %v", loaded.Serial, err)
	}
	// Another address does not change the tenant, so that move succeeds. It does not hide the open window from the next move.
	check(t, move(func(id *checkpoint.Identity) { id.Source = "https://b.example" }))
	wantError(t, move(tenant), checkpoint.ErrUnfinished, start)
	l = acquire(t, a)
	wantIntents(t, l, windowOf(3))
	check(t, l.Forget(t.Context()))
	wantIntents(t, l)
	check(t, l.Release(t.Context()))
	check(t, move(tenant))
}

// moveDies: the first of several declared windows was committed. The entry of the move has none of them, so Move writes the
// lease with the open windows first.
func moveDies(t *world) {
	a, b := t.journals()
	l := acquire(t, a)
	last := commit(t, a, 1)
	check(t, l.Intend(t.Context(), last.Window, windowOf(2), windowOf(3)))
	check(t, t.a.Kill())
	check(t, acquireWhenFree(t, b).Release(t.Context()))

	id := identity("host-b")
	id.Source = "https://b.example"
	mover := NewFaulty(t.b)
	dead := false
	mover.On(func(_ context.Context, op Op, key string) Fault {
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
	_, err := checkpoint.Open(mover, id, checkpoint.LeaseTTL(TTL)).Move(t.Context(), "a test", time.Now())
	wantError(t, err, ErrDead)
	check(t, mover.Kill())
	j := checkpoint.Open(t.b, id, checkpoint.LeaseTTL(TTL))
	if loaded, err := j.Load(t.Context()); err != nil || loaded.Kind != checkpoint.KindMove {
		t.Fatalf("the newest entry is %+v, %v", loaded.Checkpoint, err)
	}
	next := acquireWhenFree(t, j)
	wantIntents(t, next, windowOf(2), windowOf(3))
	check(t, next.Release(t.Context()))
}

func moveRefused(t *world) {
	a, _ := t.journals()
	id := identity("host-b")
	id.Tenant = "b"
	j := checkpoint.Open(t.b, id, checkpoint.LeaseTTL(TTL))
	_, err := j.Move(t.Context(), "a test", time.Now())
	wantError(t, err, checkpoint.ErrNotFound)
	commit(t, a, 2)
	if _, err := j.Move(t.Context(), " ", time.Now()); err == nil {
		t.Error("a move without a reason")
	}
	_, err = a.Move(t.Context(), "a test", time.Now())
	wantError(t, err, checkpoint.ErrUnmoved, entryKey(2))

	l := acquire(t, a)
	_, err = j.Move(t.Context(), "a test", time.Now())
	wantError(t, err, checkpoint.ErrLeaseHeld)
	check(t, l.Release(t.Context()))

	edit(t, t.b, entryKey(1), `"late":1`, `"late":2`)
	_, err = j.Move(t.Context(), "a test", time.Now())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(1))
	if loaded, err := checkpoint.Open(without(t.b, entryKey(1)), identity("host-a")).Load(t.Context()); err != nil || loaded.Serial != 2 {
		t.Errorf("after moves that were refused: entry %d, %v", loaded.Serial, err)
	}
	acquire(t, a) // each refused move has released the lease
}

func onlyMoves(t *world) {
	a, _ := t.journals()
	commit(t, a, 2)
	edit(t, t.b, entryKey(2), `"tenant":"a"`, `"tenant":"b"`)
	overwrite(t, t.b, "archive/state/latest", []byte("no witness"))
	id := identity("host-b")
	id.Tenant = "b"
	_, err := checkpoint.Open(t.b, id).Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(2), "mixed")

	edit(t, t.b, entryKey(2), `"kind":"export"`, `"kind":"move","moved":{"from":{"tenant":"x"},"reason":"y"}`)
	_, err = checkpoint.Open(t.b, id).Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(2), "mixed")
}
