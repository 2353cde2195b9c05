package checkpointtest

import (
	"houndtrail/checkpoint"
)

func corruptionCases() []testCase {
	cases := []testCase{
		{"a deleted first entry shows in the history", deletedFirst},
		{"a first entry with a predecessor is a hard stop", firstWithPredecessor},
		{"a note in an empty stream is a hard stop", noteInEmptyStream},
		{"a store that does not answer is not an empty stream", noAnswer},
		{"a foreign checkpoint is a hard stop", foreign},
	}
	for _, d := range damages() {
		cases = append(cases, testCase{d.name + " is a hard stop", d.stops})
	}
	return cases
}

// damage is done to three entries, and has to show as such when the newest is loaded and when all are.
type damage struct {
	name string
	do   func(t *world) checkpoint.Bucket
	says []string
}

func (d damage) stops(t *world) {
	a, _ := t.journals()
	commit(t, a, 3)
	damaged := checkpoint.Open(d.do(t), identity("host-b"))
	says := append([]string{t.b.String(), "restore", "HOUNDTRAIL_CHECKPOINT_URL"}, d.says...)
	_, err := damaged.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, says...)
	_, err = collect(damaged.Entries(t.Context()))
	wantError(t, err, checkpoint.ErrCorrupt, says...)
}

func damages() []damage {
	hide := func(serial uint64) func(*world) checkpoint.Bucket {
		return func(t *world) checkpoint.Bucket { return without{t.b, entryKey(serial)} }
	}
	change := func(serial uint64, from, to string) func(*world) checkpoint.Bucket {
		return func(t *world) checkpoint.Bucket {
			edit(t, t.b, entryKey(serial), from, to)
			overwrite(t, t.b, "archive/latest", []byte("no witness"))
			return t.b
		}
	}
	replace := func(key, body string) func(*world) checkpoint.Bucket {
		return func(t *world) checkpoint.Bucket {
			overwrite(t, t.b, key, []byte(body))
			return t.b
		}
	}
	three := entryKey(3)
	return []damage{
		{"an empty entry", replace(three, ""), []string{three, "JSON"}},
		{"an entry that is not JSON", replace(three, "<html>"), []string{three, "JSON"}},
		{"a truncated entry", truncate, []string{three, "JSON"}},
		{"an entry with a tail", change(3, "}\n", "}\n{}"), []string{three, "JSON"}},
		{"an unknown format", change(3, `"format":1`, `"format":2`), []string{three, "format 2", "format 1"}},
		{"no format", change(3, `"format":1,`, ``), []string{three, "format 0"}},
		{"an unknown key", change(3, `"max_id"`, `"min_id"`), []string{three, "min_id"}},
		{"no cursor", change(3, `"cursor":"2026-03-01T13:00:00.123456Z",`, ``), []string{three, "cursor"}},
		{"another serial", change(3, `"serial":3`, `"serial":4`), []string{three, "entry 4"}},
		{"another lineage", change(3, `"lineage":"`, `"lineage":"x`), []string{three, "lineage", "mixed"}},
		{"a changed byte in the entry before", change(2, `"fresh":480`, `"fresh":481`), []string{three, entryKey(2), "changed"}},
		{"an unreadable entry before", replace(entryKey(2), "{"), []string{entryKey(2), "JSON"}},
		{"a deleted entry before", hide(2), []string{entryKey(2), "missing"}},
		{"a deleted newest entry", hide(3), []string{three, "missing", "archive/latest"}},
		{"a note far ahead", replace("archive/latest", `{"serial":42,"sha256":""}`), []string{entryKey(42), "archive/latest"}},
		{"a changed byte in the newest entry", func(t *world) checkpoint.Bucket {
			edit(t, t.b, three, "13:00:00.123456Z", "13:00:01.123456Z")
			return t.b
		}, []string{three, "SHA-256", "archive/latest"}},
	}
}

func truncate(t *world) checkpoint.Bucket {
	t.Helper()
	body, _, _, err := t.b.Get(t.Context(), entryKey(3))
	check(t, err)
	overwrite(t, t.b, entryKey(3), body[:len(body)/2])
	return t.b
}

func deletedFirst(t *world) {
	a, _ := t.journals()
	commit(t, a, 3)
	damaged := checkpoint.Open(without{t.b, entryKey(1)}, identity("host-b"))
	serials, err := collect(damaged.Entries(t.Context()))
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(1), "missing")
	if len(serials) != 0 {
		t.Errorf("before the missing entry: %v", serials)
	}
	// The position is known all the same.
	loaded, err := damaged.Load(t.Context())
	if err != nil || loaded.Serial != 3 {
		t.Errorf("entry %d, %v", loaded.Serial, err)
	}
}

func firstWithPredecessor(t *world) {
	a, _ := t.journals()
	commit(t, a, 1)
	edit(t, t.b, entryKey(1), `"previous_sha256":""`, `"previous_sha256":"ab"`)
	_, err := a.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(1), "previous")
}

func noteInEmptyStream(t *world) {
	a, _ := t.journals()
	overwrite(t, t.b, "archive/latest", []byte(`{"serial":1,"sha256":""}`))
	_, err := a.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(1), "archive/latest")
}

func noAnswer(t *world) {
	a, _ := t.journals()
	commit(t, a, 2)
	for _, hook := range []Hook{
		Once(Get, "/latest", Fault{Before: errLost}),
		Once(List, "archive/", Fault{Before: errLost}),
		Once(Get, entryKey(1), Fault{Before: errLost}),
		Once(Get, entryKey(2), Fault{Before: errLost}),
	} {
		t.a.On(hook)
		_, err := a.Load(t.Context())
		wantError(t, err, errLost, "archive/")
		_, err = a.Load(t.Context()) // the fault has passed
		check(t, err)
	}
}

func foreign(t *world) {
	a, _ := t.journals()
	commit(t, a, 2)
	for setting, other := range map[string]func(*checkpoint.Identity){
		"https://b.example": func(id *checkpoint.Identity) { id.Source = "https://b.example" },
		"s3://swamp":        func(id *checkpoint.Identity) { id.Destination = "s3://swamp" },
	} {
		id := identity("host-b")
		other(&id)
		j := checkpoint.Open(t.b, id)
		_, err := j.Load(t.Context())
		theirs := identity("").Source
		if id.Source == theirs {
			theirs = identity("").Destination
		}
		wantError(t, err, checkpoint.ErrForeign, t.b.String(), setting, theirs, "HOUNDTRAIL_CHECKPOINT_URL")
		_, err = collect(j.Entries(t.Context()))
		wantError(t, err, checkpoint.ErrForeign, setting, theirs)
	}

	// An entry that was copied into another stream's folder.
	body, _, _, err := t.b.Get(t.Context(), entryKey(1))
	check(t, err)
	overwrite(t, t.b, "webhook/00000000000000000001.json", body)
	id := identity("host-b")
	id.Stream = "webhook"
	_, err = checkpoint.Open(t.b, id).Load(t.Context())
	wantError(t, err, checkpoint.ErrForeign, `"archive"`, `"webhook"`)
}
