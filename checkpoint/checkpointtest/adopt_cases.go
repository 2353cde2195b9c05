package checkpointtest

import (
	"github.com/google/uuid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

func adoptCases() []testCase {
	return []testCase{
		{"a position is adopted where there was none", adoptNone},
		{"a position is adopted in a sound journal", adoptSound},
		{"a position is adopted whatever was lost", adoptLost},
		{"a position is adopted after a damaged entry", adoptDamaged},
		{"a note that cannot be replaced", adoptUnnoted},
	}
}

// adoption is an entry that rebuilds the position.
func adoption() checkpoint.Checkpoint {
	next := position(2) // this cursor goes back if the journal has a later one
	next.Kind, next.Window = checkpoint.KindAdopt, window.Window{Start: next.Cursor, End: next.Cursor}
	next.Records, next.Objects = checkpoint.Counts{}, nil
	next.Adopted = &checkpoint.Adoption{Reason: "a test", Objects: 3, Bytes: 30, Records: 1234, From: position(0).Cursor, To: next.Cursor}
	return next
}

// adopt commits an adoption after the tip, and one more entry after that.
func adopt(t *world, j *checkpoint.Journal, want uint64, next checkpoint.Checkpoint) {
	t.Helper()
	tip, err := j.Tip(t.Context())
	check(t, err)
	adopted, err := j.Commit(t.Context(), tip, next)
	check(t, err)
	all := adopted.Totals
	if adopted.Serial != want || adopted.Epoch != max(want, next.Epoch) || all.Delivered != 1234 || all.Objects != 3 || all.Bytes != 30 ||
		adopted.Lineage == tip.Lineage || uuid.Validate(adopted.Lineage) != nil {
		t.Errorf("the adoption is %+v, after %+v", adopted, tip)
	}
	loaded, err := j.Load(t.Context())
	check(t, err)
	if loaded.SHA256 != adopted.SHA256 {
		t.Errorf("entry %d is loaded", loaded.Serial)
	}
	serials, err := collect(j.Last(t.Context(), 1))
	if err != nil || len(serials) != 1 {
		t.Errorf("the last entry is %v, %v", serials, err)
	}
	last, err := j.Commit(t.Context(), loaded, position(8))
	check(t, err)
	if last.Lineage != adopted.Lineage || last.Epoch != adopted.Epoch || last.Totals.Delivered != 1234+480 {
		t.Errorf("the entry after the adoption is %+v", last)
	}
	_, err = j.Load(t.Context())
	check(t, err)
}

func adoptNone(t *world) {
	_, b := t.journals()
	tip, err := b.Tip(t.Context())
	if err != nil || tip.Serial != 0 || tip.SHA256 != "" {
		t.Errorf("the tip of an empty stream is %+v, %v", tip, err)
	}
	next := adoption()
	next.Epoch = 17 // the archive has objects of pass 16
	adopt(t, b, 1, next)
	serials, err := collect(b.Entries(t.Context()))
	if err != nil || len(serials) != 2 {
		t.Errorf("the entries are %v, %v", serials, err)
	}
}

func adoptSound(t *world) {
	a, b := t.journals()
	commit(t, a, 5)
	adopt(t, b, 6, adoption())
	serials, err := collect(b.Entries(t.Context()))
	if err != nil || len(serials) != 7 {
		t.Errorf("the entries are %v, %v", serials, err)
	}
}

func adoptLost(t *world) {
	a, _ := t.journals()
	l := acquire(t, a)
	commit(t, a, 5)
	check(t, l.Release(t.Context()))
	lost := hidden(t, 4, 5)
	_, err := lost.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(5), "lost")
	adopt(t, lost, 4, adoption())
}

func adoptDamaged(t *world) {
	a, b := t.journals()
	last := commit(t, a, 3)
	overwrite(t, t.b, entryKey(3), []byte("<html>"))
	_, err := b.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(3))
	tip, err := b.Tip(t.Context())
	check(t, err)
	if tip.Serial != 3 || tip.SHA256 == "" || tip.SHA256 == last.SHA256 || !tip.Cursor.IsZero() {
		t.Errorf("the tip is %+v", tip)
	}
	if _, err := b.Commit(t.Context(), tip, position(4)); err == nil {
		t.Error("an export follows a damaged entry")
	}
	adopt(t, b, 4, adoption())
	// The damage stays, and a survey of all entries shows it.
	wantSurvey(t, b, append(sound(1, 2), seen{serial: 3, kind: checkpoint.ErrCorrupt, says: "JSON"},
		seen{serial: 4, read: true}, seen{serial: 5, read: true})...)
	_, err = collect(b.Entries(t.Context()))
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(3))

	// A reader still finds damage to a later entry, even to the adoption itself.
	edit(t, t.b, entryKey(4), `"reason":"a test"`, `"reason":"a tale"`)
	_, b = t.journals() // in another process: this one has verified entry 5
	_, err = b.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(4), entryKey(5))
	adopt(t, b, 6, adoption())
}

func adoptUnnoted(t *world) {
	a, b := t.journals()
	overwrite(t, t.b, "archive/state/latest", []byte(`{"serial":42,"sha256":"x"}`))
	t.a.On(Always(Put, "state/latest", Fault{Before: errLost}))
	_, err := a.Commit(t.Context(), checkpoint.Stored{}, adoption())
	wantError(t, err, errLost, entryKey(1), "houndtrail adopt again")
	_, err = b.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(42), "lost")
	adopt(t, b, 2, adoption())
}
