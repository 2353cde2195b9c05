package checkpointtest

import (
	"errors"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// auditCases check the part of a journal that a verification reads.
func auditCases() []testCase {
	return []testCase{{"the end and the readings", testReadings}, {"a hint that was set back hides nothing", testHintSetBack}}
}

func testReadings(t *world) {
	j := checkpoint.Open(t.a, identity("a"))
	end, err := j.End(t.Context())
	check(t, err)
	if end != (checkpoint.End{}) {
		t.Errorf("the end of an empty journal is %+v", end)
	}
	var all []checkpoint.Stored
	var last checkpoint.Stored
	for n := range 9 {
		last, err = j.Commit(t.Context(), last, position(n+1))
		check(t, err)
		all = append(all, last)
	}
	end, err = j.End(t.Context())
	check(t, err)
	if want := (checkpoint.End{Newest: 9, Hint: checkpoint.Hint{Serial: 9, SHA256: last.SHA256, Head: last.Head}}); end != want {
		t.Errorf("the end is %+v, want %+v", end, want)
	}
	damaged := without(t.a, j.Key(4), j.Key(5))
	got := checkpoint.Open(damaged, identity("a"))
	var serials []uint64
	for s, err := range got.Readings(t.Context(), 1, end.Newest, 3) {
		serials = append(serials, s.Serial)
		switch {
		case s.Serial == 4:
			if !errors.Is(err, checkpoint.ErrMissing) || !errors.Is(err, checkpoint.ErrCorrupt) {
				t.Errorf("entry 4 is missing: %v", err)
			}
		case err != nil || s.SHA256 != all[s.Serial-1].SHA256:
			t.Errorf("entry %d: %s, %v", s.Serial, s.SHA256, err)
		}
	}
	if want := []uint64{1, 2, 3, 4, 6, 7, 8, 9}; !slices.Equal(serials, want) {
		t.Errorf("read the serials %d, want %d", serials, want)
	}
}

func testHintSetBack(t *world) {
	j := checkpoint.Open(t.a, identity("a"))
	last := startAt(t, j, identity("a"), 997, 6)
	_, version, _, err := t.a.Get(t.Context(), j.HintKey())
	check(t, err)
	_, err = t.a.Put(t.Context(), j.HintKey(), []byte(`{"serial":997,"sha256":""}`), version)
	check(t, err)
	damaged := without(t.a, j.Key(999)) // a listing that begins at the hint ends here
	end, err := checkpoint.Open(damaged, identity("a")).End(t.Context())
	check(t, err)
	if end.Newest != last.Serial || end.Hint.Serial != 997 {
		t.Errorf("the end is %+v, want entry %d and the hint 997", end, last.Serial)
	}
}
