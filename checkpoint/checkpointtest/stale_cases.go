package checkpointtest

import (
	"bytes"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func staleCases() []testCase {
	return []testCase{
		{"a listing that is behind loses nothing", staleList},
		{"a listing that is behind leads to a conflict at most", staleConflict},
	}
}

// behind opens the second process's journal on a store whose listings do not have the entries after a serial.
func behind(t *world, serial uint64) *checkpoint.Journal {
	return checkpoint.Open(StaleList{t.b, func(key string) bool {
		return strings.HasPrefix(key, "archive/0") && key > entryKey(serial)
	}}, identity("host-b"), checkpoint.LeaseTTL(TTL))
}

func staleList(t *world) {
	a, _ := t.journals()
	last := commit(t, a, 6)
	for noted := 4; noted <= 6; noted++ { // the note may be behind, too
		for listed := range noted {
			note := []byte(`{"serial":` + string(rune('0'+noted)) + `}`)
			overwrite(t, t.b, "archive/state/latest", note)
			j := behind(t, uint64(listed))
			loaded, err := j.Load(t.Context())
			if err != nil || loaded.SHA256 != last.SHA256 {
				t.Errorf("noted %d, listed %d: entry %d, %v", noted, listed, loaded.Serial, err)
			}
			serials, err := collect(j.Entries(t.Context()))
			if err != nil || len(serials) != 6 {
				t.Errorf("noted %d, listed %d: entries %v, %v", noted, listed, serials, err)
			}
		}
	}
	t.b.On(Always(Get, entryKey(6), Fault{Before: errLost})) // a store that does not answer is not a missing object
	_, err := behind(t, 3).Load(t.Context())
	wantError(t, err, errLost, entryKey(6))
	t.b.On(nil)
	j := checkpoint.Open(without(t.b, entryKey(6)), identity("host-b"))
	_, err = j.Load(t.Context()) // an entry that is really missing is lost
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(6), "lost")
}

func staleConflict(t *world) {
	a, b := t.journals()
	commit(t, a, 5)
	overwrite(t, t.b, "archive/state/latest", []byte(`{"serial":2}`))
	before, _, _, err := t.b.Get(t.Context(), entryKey(4))
	check(t, err)
	old, err := behind(t, 3).Load(t.Context())
	check(t, err)
	if old.Serial != 3 {
		t.Fatalf("entry %d is loaded", old.Serial)
	}
	next := position(4)
	next.MaxID++
	_, err = behind(t, 3).Commit(t.Context(), old, next)
	wantError(t, err, checkpoint.ErrConflict, entryKey(4))
	after, _, _, err := t.b.Get(t.Context(), entryKey(4))
	check(t, err)
	if !bytes.Equal(before, after) {
		t.Errorf("serial 4 became %s", after)
	}
	serials, err := collect(b.Entries(t.Context()))
	if err != nil || len(serials) != 5 {
		t.Errorf("the entries are %v, %v", serials, err)
	}
}
