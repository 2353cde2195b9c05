package checkpointtest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func lettersCases() []testCase {
	return []testCase{
		{"letters stay open until they are sent or dropped", letters},
		{"a settlement that dies hides no window that is open", lettersDie},
		{"a settlement that does not say what it settles is refused", lettersUnsaid},
	}
}

// refused are n letters of an entry.
func refused(first int64, n int) (list []checkpoint.Letter) {
	for i := range int64(n) {
		at := time.Date(2026, 3, 1, 0, 0, int(first+i), 123456000, time.UTC)
		list = append(list, checkpoint.Letter{ID: first + i, CreatedAt: at, Nth: i + 1, SHA256: position(1).Objects[0].SHA256})
	}
	return list
}

// refusing is a position whose entry refuses records.
func refusing(n int, list []checkpoint.Letter) checkpoint.Checkpoint {
	p := position(n)
	p.Refused = list
	p.Records.Read += len(list)
	p.Records.Fresh += len(list)
	return p
}

// openIDs are the ids and the places of the open letters.
func openIDs(c checkpoint.Checkpoint) (ids, nths []int64) {
	for _, l := range c.DeadLetters {
		ids, nths = append(ids, l.ID), append(nths, l.Nth)
	}
	return ids, nths
}

func letters(t *world) {
	a, b := t.journals()
	first, err := a.Commit(t.Context(), checkpoint.Stored{}, refusing(1, refused(11, 2)))
	check(t, err)
	delivered := first.Totals.Delivered
	second, err := a.Commit(t.Context(), first, refusing(2, refused(21, 1)))
	check(t, err)
	ids, nths := openIDs(second.Checkpoint)
	if diff := cmp.Diff([]int64{11, 12, 21}, ids); diff != "" || nths[2] != delivered+2+1 || second.DeadLetters[0].SHA256 != "" {
		t.Fatalf("open: %s, places %v", diff, nths)
	}
	if second.Totals.Delivered != 2*delivered || second.Passed() != 2*delivered+3 {
		t.Errorf("totals %+v, passed %d", second.Totals, second.Passed())
	}
	l := acquireWhenFree(t, b)
	prev, err := b.Load(t.Context())
	check(t, err)
	object := position(1).Objects[0]
	object.Records = 1
	sent, err := b.SettleLetters(t.Context(), l, prev, checkpoint.Settlement{Sent: refused(11, 1)}, []checkpoint.Object{object})
	check(t, err)
	dropped, err := b.SettleLetters(t.Context(), l, sent, checkpoint.Settlement{Dropped: refused(21, 1), Reason: "a test", By: "me"}, nil)
	check(t, err)
	_, err = b.SettleLetters(t.Context(), l, dropped, checkpoint.Settlement{Dropped: refused(11, 1), Reason: "again"}, nil)
	wantError(t, err, checkpoint.ErrNoLetter, "record 11")
	next, err := b.Commit(t.Context(), dropped, position(3))
	check(t, err)
	check(t, l.Release(t.Context()))
	if ids, _ := openIDs(next.Checkpoint); !cmp.Equal(ids, []int64{12}) || next.Settled != nil || next.Refused != nil {
		t.Errorf("open afterwards: %v", ids)
	}
	if next.Totals.Delivered != 3*delivered+1 || next.Totals.Dropped != 1 || dropped.Passed() != second.Passed() {
		t.Errorf("totals %+v", next.Totals)
	}
	if dropped.Progress() != (checkpoint.Progress{Serial: 2, CommittedAt: second.CommittedAt.UTC()}) || !dropped.Cursor.Equal(second.Cursor) {
		t.Errorf("progress %+v, cursor %s", dropped.Progress(), dropped.Cursor)
	}
}

func lettersDie(t *world) {
	t.diesAtCommit(checkpoint.KindLetters, func(j *checkpoint.Journal, l *checkpoint.Lease, prev checkpoint.Stored) error {
		prev.DeadLetters = refused(11, 1)
		_, err := j.SettleLetters(t.Context(), l, prev, checkpoint.Settlement{Dropped: refused(11, 1), Reason: "a test"}, nil)
		return err
	})
}

func lettersUnsaid(t *world) {
	a, _ := t.journals()
	last, err := a.Commit(t.Context(), checkpoint.Stored{}, refusing(1, refused(11, 2)))
	check(t, err)
	l := acquireWhenFree(t, a)
	object := position(1).Objects[0]
	for problem, bad := range map[string]struct {
		s    checkpoint.Settlement
		sent []checkpoint.Object
	}{
		"it settles no letter":            {checkpoint.Settlement{Reason: "none"}, nil},
		"gives no reason":                 {checkpoint.Settlement{Dropped: refused(11, 1), Reason: " "}, nil},
		"1 letters were sent":             {checkpoint.Settlement{Sent: refused(11, 1)}, nil},
		"its objects have 480 records":    {checkpoint.Settlement{Sent: refused(11, 2)}, []checkpoint.Object{object}},
		"record 31 of 2026-03-01T00:00:3": {checkpoint.Settlement{Dropped: refused(31, 1), Reason: "unknown"}, nil},
	} {
		_, err := a.SettleLetters(t.Context(), l, last, bad.s, bad.sent)
		if err == nil {
			t.Errorf("%s: no error", problem)
			continue
		}
		wantError(t, err, err, problem)
	}
	check(t, l.Release(t.Context()))
	if got, err := a.Load(t.Context()); err != nil || got.Serial != last.Serial {
		t.Errorf("entry %d, %v", got.Serial, err)
	}
}
