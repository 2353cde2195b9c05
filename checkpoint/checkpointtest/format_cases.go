package checkpointtest

import (
	"github.com/houndtrail/houndtrail/checkpoint"
)

func formatCases() []testCase {
	return []testCase{
		{"fields of a later version are ignored", laterFields},
		{"an entry that needs a newer version is not corrupt", newerVersion},
	}
}

// laterFields has unknown fields in two kinds of objects: objects that this version knows, and objects that it does not know.
func laterFields(t *world) {
	a, b := t.journals()
	last := commit(t, a, 2)
	edit(t, t.b, entryKey(2), `"max_id":`, `"later":{"a":[{"b":null}],"Start":1},"critical":["cursor","critical"],"min_reader":1,"max_id":`)
	edit(t, t.b, entryKey(2), `"fresh":`, `"stale":7,"fresh":`)
	overwrite(t, t.b, "archive/state/latest", []byte(`{"serial":2,"head":"later"}`))
	loaded, err := b.Load(t.Context())
	check(t, err)
	if loaded.MaxID != last.MaxID || loaded.Records != last.Records || !loaded.Cursor.Equal(last.Cursor) || loaded.SHA256 == last.SHA256 {
		t.Errorf("the entry is read as %+v", loaded)
	}
	_, err = b.Commit(t.Context(), loaded, position(3))
	check(t, err)
	serials, err := collect(a.Entries(t.Context()))
	if err != nil || len(serials) != 3 {
		t.Errorf("the entries are %v, %v", serials, err)
	}
}

func newerVersion(t *world) {
	a, b := t.journals()
	commit(t, a, 3)
	for _, serial := range []uint64{3, 2} { // the newest, and the previous one
		good, _, _, err := t.b.Get(t.Context(), entryKey(serial))
		check(t, err)
		for from, change := range map[string]struct{ to, says string }{
			`"max_id":`:       {`"critical":["cursor","later","window.much"],"later":1,"max_id":`, "later, window.much"},
			`"records":`:      {`"min_reader":2,"records":`, "reader 2"},
			`"format":1`:      {`"format":2`, "format 2"},
			`"objects":[`:     {`"min_reader":2,"objects":[[7],`, "reader 2"}, // this version does not have to understand the rest
			`"writer":{`:      {`"min_reader":2,"writer":{"signed":true,`, "v1.2.3"},
			`"committed_at":`: {`"min_reader":2,"committed_at":`, "2026-03-01T1"},
		} {
			edit(t, t.b, entryKey(serial), from, change.to)
			_, err = b.Load(t.Context())
			wantError(t, err, checkpoint.ErrNewer, t.b.String(), entryKey(serial), change.says, "run a newer version", "host-a")
			_, err2 := collect(b.Entries(t.Context()))
			wantError(t, err2, checkpoint.ErrNewer, entryKey(serial), change.says)
			refuseAdvice(t, err, "new journal", "adopt", "restore", "remove") // a newer version can read it
			overwrite(t, t.b, entryKey(serial), good)
		}
	}
	edit(t, t.b, entryKey(3), `"format":1`, `"format":2`)
	if _, err := b.Tip(t.Context()); err == nil {
		t.Error("an adoption may follow an entry of a newer version")
	}
	_, err := a.Commit(t.Context(), checkpoint.Stored{}, position(1))
	wantError(t, err, checkpoint.ErrConflict)
}
