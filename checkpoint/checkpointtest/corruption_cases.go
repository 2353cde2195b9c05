package checkpointtest

import (
	"testing"

	"houndtrail/checkpoint"
)

func corruptionCases() []testCase {
	hide := func(serial uint64) func(*testing.T, *world) checkpoint.Bucket {
		return func(_ *testing.T, w *world) checkpoint.Bucket { return without{w.b, entryKey(serial)} }
	}
	change := func(serial uint64, from, to string) func(*testing.T, *world) checkpoint.Bucket {
		return func(t *testing.T, w *world) checkpoint.Bucket {
			t.Helper()
			edit(t, w.b, entryKey(serial), from, to)
			overwrite(t, w.b, "archive/latest", []byte("no witness"))
			return w.b
		}
	}
	replace := func(key, body string) func(*testing.T, *world) checkpoint.Bucket {
		return func(t *testing.T, w *world) checkpoint.Bucket {
			t.Helper()
			overwrite(t, w.b, key, []byte(body))
			return w.b
		}
	}
	const three = "archive/00000000000000000003.json"

	var cases []testCase
	for _, c := range []struct {
		name   string
		damage func(*testing.T, *world) checkpoint.Bucket
		says   []string
	}{
		{"an empty entry", replace(three, ""), []string{three, "JSON"}},
		{"an entry that is not JSON", replace(three, "<html>"), []string{three, "JSON"}},
		{"a truncated entry", truncate, []string{three, "JSON"}},
		{"an entry with a tail", change(3, "}\n", "}\n{}"), []string{three, "JSON"}},
		{"an unknown format", change(3, `"format":1`, `"format":2`), []string{three, "format 2", "format 1"}},
		{"no format", change(3, `"format":1,`, ``), []string{three, "format 0"}},
		{"an unknown key", change(3, `"max_id"`, `"min_id"`), []string{three, "min_id"}},
		{"no cursor", change(3, `"cursor":"2026-03-01T13:00:00.123456Z",`, ``), []string{three, "cursor"}},
		{"another serial", change(3, `"serial":3`, `"serial":4`), []string{three, "entry 4"}},
		{"a changed byte in the entry before", change(2, `"fresh":480`, `"fresh":481`), []string{three, entryKey(2), "changed"}},
		{"an unreadable entry before", replace(entryKey(2), "{"), []string{entryKey(2), "JSON"}},
		{"a deleted entry before", hide(2), []string{entryKey(2), "missing"}},
		{"a deleted newest entry", hide(3), []string{three, "missing", "archive/latest"}},
		{"a note far ahead", replace("archive/latest", `{"serial":42,"sha256":""}`), []string{entryKey(42), "archive/latest"}},
		{"a changed byte in the newest entry", func(t *testing.T, w *world) checkpoint.Bucket {
			t.Helper()
			edit(t, w.b, three, "13:00:00.123456Z", "13:00:01.123456Z")
			return w.b
		}, []string{three, "SHA-256", "archive/latest"}},
	} {
		cases = append(cases, testCase{c.name + " is a hard stop", func(t *testing.T, w *world) {
			a, _ := w.journals()
			commit(t, a, 3)
			damaged := checkpoint.Open(c.damage(t, w), identity("host-b"))
			says := append(c.says, w.b.String(), "restore", "HOUNDTRAIL_CHECKPOINT_URL")
			_, err := damaged.Load(t.Context())
			wantError(t, err, checkpoint.ErrCorrupt, says...)
			_, err = collect(damaged.Entries(t.Context()))
			wantError(t, err, checkpoint.ErrCorrupt, says...)
		}})
	}
	return append(
		cases,
		testCase{"a deleted first entry shows in the history", deletedFirst},
		testCase{"a note in an empty stream is a hard stop", noteInEmptyStream},
		testCase{"a store that does not answer is not an empty stream", noAnswer},
		testCase{"a foreign checkpoint is a hard stop", foreign},
	)
}

func truncate(t *testing.T, w *world) checkpoint.Bucket {
	t.Helper()
	body, _, _, err := w.b.Get(t.Context(), entryKey(3))
	check(t, err)
	overwrite(t, w.b, entryKey(3), body[:len(body)/2])
	return w.b
}

func deletedFirst(t *testing.T, w *world) {
	a, _ := w.journals()
	commit(t, a, 3)
	damaged := checkpoint.Open(without{w.b, entryKey(1)}, identity("host-b"))
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

func noteInEmptyStream(t *testing.T, w *world) {
	a, _ := w.journals()
	overwrite(t, w.b, "archive/latest", []byte(`{"serial":1,"sha256":""}`))
	_, err := a.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(1), "archive/latest")
}

func noAnswer(t *testing.T, w *world) {
	a, _ := w.journals()
	commit(t, a, 2)
	for _, hook := range []Hook{
		Once(Get, "/latest", Fault{Before: errLost}),
		Once(List, "archive/", Fault{Before: errLost}),
		Once(Get, entryKey(1), Fault{Before: errLost}),
		Once(Get, entryKey(2), Fault{Before: errLost}),
	} {
		w.a.On(hook)
		_, err := a.Load(t.Context())
		wantError(t, err, errLost, "archive/")
		_, err = a.Load(t.Context()) // the fault has passed
		check(t, err)
	}
}

func foreign(t *testing.T, w *world) {
	a, _ := w.journals()
	commit(t, a, 2)
	for setting, other := range map[string]func(*checkpoint.Identity){
		"https://b.example": func(id *checkpoint.Identity) { id.Source = "https://b.example" },
		"s3://swamp":        func(id *checkpoint.Identity) { id.Destination = "s3://swamp" },
	} {
		id := identity("host-b")
		other(&id)
		j := checkpoint.Open(w.b, id)
		_, err := j.Load(t.Context())
		theirs := identity("").Source
		if id.Source == theirs {
			theirs = identity("").Destination
		}
		wantError(t, err, checkpoint.ErrForeign, w.b.String(), setting, theirs, "HOUNDTRAIL_CHECKPOINT_URL")
		_, err = collect(j.Entries(t.Context()))
		wantError(t, err, checkpoint.ErrForeign, setting, theirs)
	}

	// An entry that was copied into another stream's folder.
	body, _, _, err := w.b.Get(t.Context(), entryKey(1))
	check(t, err)
	overwrite(t, w.b, "webhook/00000000000000000001.json", body)
	id := identity("host-b")
	id.Stream = "webhook"
	_, err = checkpoint.Open(w.b, id).Load(t.Context())
	wantError(t, err, checkpoint.ErrForeign, `"archive"`, `"webhook"`)
}
