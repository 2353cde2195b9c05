package checkpointtest

import (
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func prunedCases() []testCase {
	return []testCase{
		{"a pruned journal is whole from its first entry on", pruned},
		{"a gap is not pruning", gap},
		{"a lost journal is not an empty one", lostJournal},
		{"only the lease knows of a lost journal", lostJournalWithLease},
	}
}

// hidden opens the second process's journal on a view of the store that lacks some of its entries.
func hidden(t *world, serials ...uint64) *checkpoint.Journal {
	var keys []string
	for _, serial := range serials {
		keys = append(keys, entryKey(serial))
	}
	return checkpoint.Open(without(t.b, keys...), identity("host-b"), checkpoint.LeaseTTL(TTL))
}

func pruned(t *world) {
	a, b := t.journals()
	first, err := b.Pruned(t.Context())
	if err != nil || first != 0 {
		t.Errorf("the first entry of an empty stream is %d, %v", first, err)
	}
	last := commit(t, a, 5)
	var gone []uint64
	for first := uint64(1); first <= 5; first++ {
		j := hidden(t, gone...)
		left := []uint64{1, 2, 3, 4, 5}[first-1:]
		if got, err := j.Pruned(t.Context()); err != nil || got != first {
			t.Errorf("without %v the first entry is %d, %v", gone, got, err)
		}
		loaded, err := j.Load(t.Context())
		if err != nil || loaded.SHA256 != last.SHA256 {
			t.Errorf("without %v entry %d is loaded, %v", gone, loaded.Serial, err)
		}
		for n, want := range map[int][]uint64{1: {5}, 3: left[max(0, len(left)-3):], 4: left[max(0, len(left)-4):], 9: left} {
			serials, err := collect(j.Last(t.Context(), n))
			if err != nil || !slices.Equal(serials, want) {
				t.Errorf("without %v the last %d are %v, %v; want %v", gone, n, serials, err, want)
			}
		}
		serials, err := collect(j.Entries(t.Context()))
		if err != nil || !slices.Equal(serials, left) {
			t.Errorf("without %v the entries are %v, %v", gone, serials, err)
		}
		gone = append(gone, first)
	}
	// A pruned journal goes on like any other.
	j := hidden(t, 1, 2, 3, 4)
	_, err = j.Commit(t.Context(), last, position(6))
	check(t, err)
	serials, err := collect(j.Entries(t.Context()))
	if err != nil || !slices.Equal(serials, []uint64{5, 6}) {
		t.Errorf("after one more the entries are %v, %v", serials, err)
	}
}

func gap(t *world) {
	a, _ := t.journals()
	commit(t, a, 5)
	for _, c := range []struct {
		gone, before []uint64
		missing      uint64
		loads        bool
	}{
		{gone: []uint64{3}, before: []uint64{1, 2}, missing: 3, loads: true},
		{gone: []uint64{4}, before: []uint64{1, 2, 3}, missing: 4},
		{gone: []uint64{1, 3}, before: []uint64{2}, missing: 3, loads: true},
		{gone: []uint64{1, 2, 4}, before: []uint64{3}, missing: 4},
	} {
		j := hidden(t, c.gone...)
		serials, err := collect(j.Entries(t.Context()))
		wantError(t, err, checkpoint.ErrCorrupt, entryKey(c.missing), "missing", "houndtrail adopt")
		if !slices.Equal(serials, c.before) {
			t.Errorf("without %v the entries before the gap are %v", c.gone, serials)
		}
		loaded, err := j.Load(t.Context())
		if c.loads && (err != nil || loaded.Serial != 5) {
			t.Errorf("without %v entry %d is loaded, %v", c.gone, loaded.Serial, err)
		}
		if !c.loads {
			wantError(t, err, checkpoint.ErrCorrupt, entryKey(c.missing), "missing")
		}
	}
	_, err := collect(hidden(t, 3).Last(t.Context(), 2)) // the link of the first one cannot be verified
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(3), "missing")
}

// wantLost checks that no call takes the journal for an empty one. It also checks the advice.
func wantLost(t *world, j *checkpoint.Journal, says ...string) {
	t.Helper()
	_, err := j.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, append(says, "missing", "lost", "restore", "houndtrail adopt")...)
	refuseAdvice(t, err, "new journal", "empty", "remove")
	_, err = collect(j.Entries(t.Context()))
	wantError(t, err, checkpoint.ErrCorrupt, says...)
	_, err = j.Pruned(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, says...)
}

func lostJournal(t *world) {
	a, _ := t.journals()
	commit(t, a, 3)
	wantLost(t, hidden(t, 1, 2, 3), entryKey(3), "archive/state/latest")
}

func lostJournalWithLease(t *world) {
	a, _ := t.journals()
	l := acquire(t, a)
	commit(t, a, 3)
	check(t, l.Release(t.Context()))
	for _, gone := range [][]string{{entryKey(2), entryKey(3)}, {entryKey(1), entryKey(2), entryKey(3)}} {
		store := without(t.b, append(gone, "archive/state/latest")...)
		j := checkpoint.Open(store, identity("host-b"), checkpoint.LeaseTTL(TTL))
		wantLost(t, j, entryKey(3), "archive/state/lease.json")
		// The next holder sees no entry or an older one, but the lease still has the newest serial.
		l = acquire(t, j)
		wantLost(t, j, entryKey(3), "archive/state/lease.json")
		check(t, l.Intend(t.Context(), windowOf(1)))
		wantLost(t, j, entryKey(3), "archive/state/lease.json")
		check(t, l.Release(t.Context()))
		wantLost(t, j, entryKey(3), "archive/state/lease.json")
	}
}
