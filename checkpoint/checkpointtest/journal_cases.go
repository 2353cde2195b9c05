package checkpointtest

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

var errLost = errors.New("connection reset by peer")

func journalCases() []testCase {
	return []testCase{
		{"a fresh stream has no checkpoint", freshStream},
		{"what is committed is loaded", roundTrip},
		{"the note is only a hint", noteIsAHint},
		{"a slow writer does not turn the note back", noteOnlyGoesOn},
		{"one of many writers wins a serial", oneWinner},
		{"a commit that failed", failedCommit},
		{"a commit that failed but persisted", persistedCommit},
		{"a commit whose request was repeated", repeatedCommit},
		{"a conflict names the winner", conflictNamesWinner},
		{"a conflict with who knows whom", unclearConflict},
		{"the cursor never goes back", cursorNeverGoesBack},
		{"scattered windows come in any order", scatteredWindows},
	}
}

func freshStream(t *world) {
	a, _ := t.journals()
	_, err := a.Load(t.Context())
	wantError(t, err, checkpoint.ErrNotFound, "archive", t.a.String())
	serials, err := collect(a.Entries(t.Context()))
	if err != nil || len(serials) != 0 {
		t.Errorf("the history of a fresh stream is %v, %v", serials, err)
	}
}

func roundTrip(t *world) {
	a, b := t.journals()
	var prev checkpoint.Stored
	for n := 1; n <= 3; n++ {
		next := position(n)
		stored, err := a.Commit(t.Context(), prev, next)
		check(t, err)
		loaded, err := b.Load(t.Context())
		check(t, err)
		if diff := cmp.Diff(stored, loaded); diff != "" {
			t.Fatalf("Commit returned and another process loaded (-+):\n%s", diff)
		}

		want := next
		want.Format, want.Stream, want.Serial = checkpoint.Format, "archive", uint64(n)
		want.Tenant, want.Encoding = "a", "parquet"
		want.Source, want.Destination = "https://a.example", "s3://lake/hound"
		want.Totals = checkpoint.Totals{Delivered: 480 * int64(n), Objects: int64(n), Bytes: 48213 * int64(n), Unknown: 512 * int64(n)}
		want.Writer = checkpoint.Writer{Version: "v1.2.3", Host: "host-a"}
		want.Lineage, want.PreviousSHA256 = prev.Lineage, prev.SHA256
		want.Seal = stored.Seal // other cases check the seal
		if n == 1 {
			want.Lineage = stored.Lineage
			if _, err := uuid.Parse(stored.Lineage); err != nil {
				t.Errorf("lineage %q: %v", stored.Lineage, err)
			}
		}
		if diff := cmp.Diff(want, loaded.Checkpoint); diff != "" {
			t.Fatalf("entry %d (-want +got):\n%s", n, diff)
		}
		if _, offset := loaded.Cursor.Zone(); offset != 0 {
			t.Errorf("the cursor is not in UTC: %s", loaded.Cursor)
		}
		prev = stored
	}
}

func noteIsAHint(t *world) {
	a, _ := t.journals()
	t.a.On(Always(Get, "/latest", Fault{Before: errLost}))
	commit(t, a, 2)
	t.a.On(nil)
	last, err := a.Load(t.Context())
	check(t, err)
	t.a.On(Always(Put, "/latest", Fault{Before: errLost}))
	_, err = a.Commit(t.Context(), last, position(3))
	check(t, err)
	t.a.On(nil)
	last, err = a.Load(t.Context())
	if err != nil || last.Serial != 3 {
		t.Errorf("without a note: entry %d, %v", last.Serial, err)
	}
	for _, body := range []string{
		`{"serial":1,"sha256":"stale"}`, "", "garbage", `{}`,
		`{"serial":-1}`, `{"serial":"3"}`, `[]`, `{"serial":0,"sha256":"x"}`,
	} {
		overwrite(t, t.b, "archive/state/latest", []byte(body))
		loaded, err := a.Load(t.Context())
		if err != nil || loaded.Serial != 3 {
			t.Errorf("with the note %q: entry %d, %v", body, loaded.Serial, err)
		}
	}

	// A later commit replaces a bad note. After that, the note proves the newest entry.
	_, err = a.Commit(t.Context(), last, position(4))
	check(t, err)
	_, err = checkpoint.Open(without(t.b, entryKey(4)), identity("host-b")).Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(4), "archive/state/latest")
}

func noteOnlyGoesOn(t *world) {
	a, b := t.journals()
	t.a.On(func(ctx context.Context, op Op, key string) Fault {
		if op == Put && key == "archive/state/latest" { // the first entry is committed, and its writer is about to note it
			first, err := b.Load(ctx)
			check(t, err)
			_, err = b.Commit(ctx, first, position(2))
			check(t, err)
		}
		return Fault{}
	})
	commit(t, a, 1)
	_, err := checkpoint.Open(without(t.b, entryKey(2)), identity("host-b")).Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(2), "archive/state/latest")
}

func oneWinner(t *world) {
	const writers, serials = 4, 5
	a, b := t.journals()
	wins := make(chan checkpoint.Stored, writers*serials)
	var group sync.WaitGroup
	for n := range writers {
		j := []*checkpoint.Journal{a, b}[n%2]
		group.Go(func() {
			for {
				prev, err := j.Load(t.Context())
				if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
					t.Error(err)
					return
				}
				if prev.Serial >= serials {
					return
				}
				next := position(int(prev.Serial) + 1)
				next.MaxID = int64(n)
				switch s, err := j.Commit(t.Context(), prev, next); {
				case err == nil:
					wins <- s
				case !errors.Is(err, checkpoint.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	close(wins)

	won := map[uint64]checkpoint.Stored{}
	for s := range wins {
		if _, twice := won[s.Serial]; twice {
			t.Errorf("serial %d was won twice", s.Serial)
		}
		s.Head = "" // a history has no heads
		won[s.Serial] = s
	}
	for s, err := range a.Entries(t.Context()) {
		check(t, err)
		if diff := cmp.Diff(won[s.Serial], s); diff != "" {
			t.Errorf("the winner of serial %d and the journal (-+):\n%s", s.Serial, diff)
		}
		delete(won, s.Serial)
	}
	if len(won) != 0 {
		t.Errorf("commits that succeeded and are not in the journal: %v", won)
	}
}

func failedCommit(t *world) {
	a, b := t.journals()
	last := commit(t, a, 2)
	t.a.On(Once(Put, entryKey(3), Fault{Before: errLost}))
	_, err := a.Commit(t.Context(), last, position(3))
	wantError(t, err, errLost, entryKey(3))
	loaded, err := b.Load(t.Context())
	check(t, err)
	if diff := cmp.Diff(last, loaded); diff != "" {
		t.Fatalf("after a commit that failed (-before +after):\n%s", diff)
	}
	_, err = a.Commit(t.Context(), loaded, position(3))
	check(t, err)
}

func persistedCommit(t *world) {
	a, b := t.journals()
	last := commit(t, a, 2)
	t.a.On(Once(Put, entryKey(3), Fault{After: errLost}))
	_, err := a.Commit(t.Context(), last, position(3))
	wantError(t, err, errLost, entryKey(3))
	loaded, err := b.Load(t.Context())
	check(t, err)
	if !loaded.Cursor.Equal(position(3).Cursor) {
		t.Fatalf("the commit that persisted is not loaded: cursor %s", loaded.Cursor)
	}
	_, err = b.Commit(t.Context(), loaded, position(4))
	check(t, err)
	_, err = a.Commit(t.Context(), last, position(5))
	wantError(t, err, checkpoint.ErrConflict)
}

func repeatedCommit(t *world) {
	a, b := t.journals()
	var last checkpoint.Stored
	for n := 1; n <= 2; n++ { // the first entry draws its lineage, and the second inherits it
		t.a.On(Once(Put, entryKey(uint64(n)), Fault{After: fs.ErrExist}))
		stored, err := a.Commit(t.Context(), last, position(n))
		check(t, err)
		loaded, err := b.Load(t.Context())
		check(t, err)
		if diff := cmp.Diff(stored, loaded); diff != "" {
			t.Fatalf("entry %d (-+):\n%s", n, diff)
		}
		last = stored
	}
}

func conflictNamesWinner(t *world) {
	a, b := t.journals()
	last := commit(t, a, 1)
	_, err := b.Commit(t.Context(), last, position(2))
	check(t, err)
	next := position(2)
	next.MaxID++
	_, err = a.Commit(t.Context(), last, next)
	wantError(t, err, checkpoint.ErrConflict, t.a.String(), entryKey(2), "v1.2.3", "host-b", "2026-03-01T12:02:00Z")
	_, err = a.Commit(t.Context(), checkpoint.Stored{}, position(1))
	wantError(t, err, checkpoint.ErrConflict, entryKey(1))
}

// If a serial is taken, that is a conflict. If the entry has our bytes, it is our own, and that is no conflict.
func unclearConflict(t *world) {
	a, _ := t.journals()
	last := commit(t, a, 1)
	overwrite(t, t.b, entryKey(2), []byte("neither ours nor readable"))
	_, err := a.Commit(t.Context(), last, position(2))
	wantError(t, err, checkpoint.ErrConflict, entryKey(2), "unknown writer")
	t.a.On(Once(Get, entryKey(2), Fault{Before: errLost}))
	_, err = a.Commit(t.Context(), last, position(2))
	wantError(t, err, checkpoint.ErrConflict, entryKey(2), errLost.Error())
}

func cursorNeverGoesBack(t *world) {
	a, _ := t.journals()
	last := commit(t, a, 2)
	if _, err := a.Commit(t.Context(), last, position(1)); err == nil {
		t.Error("a cursor went back")
	}
	next := position(2) // the cursor may stay: the entry has late rows only
	if _, err := a.Commit(t.Context(), last, next); err != nil {
		t.Error(err)
	}
}

func scatteredWindows(t *world) {
	open := func(b bucket.Bucket) *checkpoint.Journal {
		return checkpoint.Open(b, identity("host-a"), checkpoint.LeaseTTL(TTL), checkpoint.AnyOrder())
	}
	var last checkpoint.Stored
	order := []int{3, 1, 4, 2}
	for _, n := range order {
		var err error
		last, err = open(t.a).Commit(t.Context(), last, position(n))
		check(t, err)
	}
	i := 0
	for s, err := range open(t.b).Entries(t.Context()) {
		check(t, err)
		if s.Serial != uint64(i+1) || !s.Cursor.Equal(position(order[i]).Cursor) {
			t.Errorf("entry %d has cursor %s", s.Serial, s.Cursor)
		}
		i++
	}
	if i != len(order) {
		t.Errorf("%d entries", i)
	}
	// All other rules are those of every journal.
	_, err := open(t.b).Commit(t.Context(), checkpoint.Stored{}, position(5))
	wantError(t, err, checkpoint.ErrConflict, entryKey(1))
	edit(t, t.b, entryKey(2), `"late":1`, `"late":2`)
	_, err = collect(open(t.a).Entries(t.Context()))
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(2), entryKey(3))
}
