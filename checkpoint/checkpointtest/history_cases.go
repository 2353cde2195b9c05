package checkpointtest

import (
	"context"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func historyCases() []testCase {
	return []testCase{
		{"history is in order", historyInOrder},
		{"a long history is read ahead", longHistory},
		{"resets begin a lineage", resets},
		{"streams and strangers do not mix", streamsAndStrangers},
	}
}

func historyInOrder(t *world) {
	a, b := t.journals()
	commit(t, a, 5)
	for n, want := range map[int][]uint64{-1: nil, 0: nil, 1: {5}, 2: {4, 5}, 5: {1, 2, 3, 4, 5}, 9: {1, 2, 3, 4, 5}} {
		serials, err := collect(b.Last(t.Context(), n))
		if err != nil || !slices.Equal(serials, want) {
			t.Errorf("the last %d: %v, %v; want %v", n, serials, err, want)
		}
	}
	for s, err := range b.Entries(t.Context()) { // a reader may stop early
		check(t, err)
		if s.Serial == 2 {
			break
		}
	}

	edit(t, t.b, entryKey(3), `"late":1`, `"late":2`)
	serials, err := collect(b.Entries(t.Context()))
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(3), entryKey(4))
	if !slices.Equal(serials, []uint64{1, 2, 3}) {
		t.Errorf("before the broken link: %v", serials)
	}
	serials, err = collect(b.Last(t.Context(), 1))
	if err != nil || !slices.Equal(serials, []uint64{5}) {
		t.Errorf("past the broken link: %v, %v", serials, err)
	}
	_, err = collect(b.Last(t.Context(), 2))
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(3), entryKey(4))
}

// longHistory has more entries than a walk reads at a time. The walk reports an error in its turn, after the sound entries. It
// does so even if it knows of the error earlier.
func longHistory(t *world) {
	a, b := t.journals()
	const n = 30
	commit(t, a, n)
	var all []uint64
	for serial := range uint64(n) {
		all = append(all, serial+1)
	}
	for last, want := range map[int][]uint64{n: all, n - 1: all[1:], 8: all[n-8:], 9: all[n-9:]} {
		serials, err := collect(b.Last(t.Context(), last))
		if err != nil || !slices.Equal(serials, want) {
			t.Errorf("the last %d: %v, %v", last, serials, err)
		}
	}
	t.b.On(Always(Get, entryKey(12), Fault{Before: errLost}))
	serials, err := collect(b.Entries(t.Context()))
	wantError(t, err, errLost, entryKey(12))
	if !slices.Equal(serials, all[:11]) {
		t.Errorf("before the one that is not answered: %v", serials)
	}
	_, err = collect(b.Last(t.Context(), n-12)) // the walk reads entry 12 only to verify the link of the first one
	wantError(t, err, errLost, entryKey(12))
	t.b.On(nil)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen int
	for _, err = range b.Entries(ctx) {
		if seen++; seen == 5 {
			cancel()
		}
	}
	wantError(t, err, context.Canceled)
	if seen > 5+8+1 {
		t.Errorf("%d entries after the end of the context", seen-5)
	}
}

func streamsAndStrangers(t *world) {
	other := identity("host-a")
	other.Stream = "archive2"
	_, err := checkpoint.Open(t.a, other).Commit(t.Context(), checkpoint.Stored{}, position(1))
	check(t, err)
	a, _ := t.journals()
	for _, name := range []string{
		"099.json", "00000000000000000099.json.bak", "00000000000000000099", "0000000000000000009x.json",
		"00000000000000000000.json", "old/00000000000000000099.json",
	} {
		overwrite(t, t.b, "archive/"+name, []byte("a stranger"))
	}
	_, err = a.Load(t.Context())
	wantError(t, err, checkpoint.ErrNotFound)
	commit(t, a, 2)
	loaded, err := a.Load(t.Context())
	if err != nil || loaded.Serial != 2 {
		t.Errorf("entry %d, %v", loaded.Serial, err)
	}
}

// resets: each reset begins a lineage, and the chain goes on. An entry that is no reset must not change the lineage.
func resets(t *world) {
	a, b := t.journals()
	first, err := a.Commit(t.Context(), checkpoint.Stored{}, position(5))
	check(t, err)
	next := checkpoint.Checkpoint{
		Kind: checkpoint.KindReset, Cursor: position(2).Cursor, Reset: &checkpoint.Reset{Lineage: first.Lineage, Reason: "a test"},
	}
	reset, err := a.Commit(t.Context(), first, next)
	check(t, err)
	if reset.Lineage == first.Lineage || reset.Epoch != 2 || reset.Reset.Lineage != first.Lineage ||
		!reset.Cursor.Equal(position(2).Cursor) || len(reset.Delivered) != 0 || reset.Newest != nil {
		t.Errorf("the reset is %+v", reset.Checkpoint)
	}
	last, err := a.Commit(t.Context(), reset, position(3))
	check(t, err)
	if last.Lineage != reset.Lineage || last.Epoch != 2 || last.Reset != nil {
		t.Errorf("the entry after it is %+v", last.Checkpoint)
	}
	all, err := collect(b.Entries(t.Context()))
	if err != nil || len(all) != 3 {
		t.Errorf("%d entries, %v", len(all), err)
	}
	edit(t, t.b, entryKey(3), last.Lineage, first.Lineage)
	_, err = b.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(3))
}
