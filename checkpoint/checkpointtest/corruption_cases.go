package checkpointtest

import (
	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

func corruptionCases() []testCase {
	cases := []testCase{
		{"a first entry with a predecessor is a hard stop", firstWithPredecessor},
		{"a note in an empty stream is a hard stop", noteInEmptyStream},
		{"a store that does not answer is not an empty stream", noAnswer},
	}
	for _, d := range damages() {
		cases = append(cases, testCase{d.name + " is a hard stop", d.stops})
	}
	return cases
}

// damage is done to a journal of three entries. Loading the newest entry has to show it, and so has loading all entries.
type damage struct {
	name string
	do   func(t *world) bucket.Bucket
	says []string
}

func (d damage) stops(t *world) {
	a, _ := t.journals()
	commit(t, a, 3)
	damaged := checkpoint.Open(d.do(t), identity("host-b"))
	says := append([]string{t.b.String(), "restore", "houndtrail adopt"}, d.says...)
	_, err := damaged.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, says...)
	_, err = collect(damaged.Entries(t.Context()))
	wantError(t, err, checkpoint.ErrCorrupt, says...)
}

func damages() []damage {
	hide := func(serial uint64) func(*world) bucket.Bucket {
		return func(t *world) bucket.Bucket { return without(t.b, entryKey(serial)) }
	}
	change := func(serial uint64, from, to string) func(*world) bucket.Bucket {
		return func(t *world) bucket.Bucket {
			edit(t, t.b, entryKey(serial), from, to)
			overwrite(t, t.b, "archive/state/latest", []byte("no witness"))
			return t.b
		}
	}
	replace := func(key, body string) func(*world) bucket.Bucket {
		return func(t *world) bucket.Bucket {
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
		{"no format", change(3, `"format":1,`, ``), []string{three, "format 0"}},
		{"a key twice", change(3, `"max_id":`, `"max_id":1,"max_id":`), []string{three, `"max_id" twice`}},
		{"a key twice in an object", change(3, `"late":1`, `"late":1,"late":1`), []string{three, `"late" twice`}},
		{"a key twice in a list", change(3, `"min_id":1`, `"min_id":1,"min_id":2`), []string{three, `"min_id" twice`}},
		{"an unknown key twice", change(3, `"max_id":`, `"later":[{"a":1,"a":2}],"max_id":`), []string{three, `"a" twice`}},
		{"an unknown key in two cases", change(3, `"max_id":`, `"later":{"a":1,"A":2},"max_id":`), []string{three, `"A" twice`}},
		{"a key in two cases", change(3, `"max_id":`, `"Max_ID":7,"max_id":`), []string{three, `"Max_ID"`}},
		{"a key in another case", change(3, `"max_id":`, `"MAX_ID":`), []string{three, `"MAX_ID"`, `"max_id"`}},
		{"a key in another case in an object", change(3, `"late":`, `"Late":`), []string{three, `"Late"`, `"late"`}},
		{"a key in another letter that is the same", change(3, `"serial":`, `"ſerial":`), []string{three, `"serial"`}},
		{"no kind", change(3, `"kind":"export",`, ``), []string{three, "kind"}},
		{"no lineage", change(3, `"lineage":"`, `"lineage":"","later":"`), []string{three, "lineage"}},
		{"a reset that says nothing of it", change(3, `"kind":"export"`, `"kind":"reset"`), []string{three, "kind is reset"}},
		{"a reset that is an export", change(3, `"max_id":`, `"reset":{},"max_id":`), []string{three, "kind is export"}},
		{"no cursor", change(3, `"cursor":"2026-03-01T13:00:00.123456Z",`, ``), []string{three, "cursor"}},
		{"another serial", change(3, `"serial":3`, `"serial":4`), []string{three, "entry 4"}},
		{"another lineage", change(3, `"lineage":"`, `"lineage":"x`), []string{three, "lineage", "mixed"}},
		{"a changed byte in the entry before", change(2, `"fresh":480`, `"fresh":481`), []string{three, entryKey(2), "changed"}},
		{"an unreadable entry before", replace(entryKey(2), "{"), []string{entryKey(2), "JSON"}},
		{"a deleted entry before", hide(2), []string{entryKey(2), "missing"}},
		{"a deleted newest entry", hide(3), []string{three, "missing", "archive/state/latest"}},
		{"a note far ahead", replace("archive/state/latest", `{"serial":42,"sha256":""}`), []string{entryKey(42), "archive/state/latest"}},
		{"a changed byte in the newest entry", func(t *world) bucket.Bucket {
			edit(t, t.b, three, "13:00:00.123456Z", "13:00:01.123456Z")
			return t.b
		}, []string{three, "SHA-256", "archive/state/latest"}},
	}
}

func truncate(t *world) bucket.Bucket {
	t.Helper()
	body, _, _, err := t.b.Get(t.Context(), entryKey(3))
	check(t, err)
	overwrite(t, t.b, entryKey(3), body[:len(body)/2])
	return t.b
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
	overwrite(t, t.b, "archive/state/latest", []byte(`{"serial":1,"sha256":""}`))
	_, err := a.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(1), "archive/state/latest")
}

func noAnswer(t *world) {
	a, _ := t.journals()
	commit(t, a, 2)
	for _, hook := range []Hook{
		Once(Get, "/latest", Fault{Before: errLost}),
		Once(List, folderOf(1), Fault{Before: errLost}),
		Once(Get, entryKey(1), Fault{Before: errLost}),
		Once(Get, entryKey(2), Fault{Before: errLost}),
	} {
		a, _ := t.journals() // in a new process: a process that knows the newest entry asks for less
		t.a.On(hook)
		_, err := a.Load(t.Context())
		wantError(t, err, errLost, "archive/")
		_, err = a.Load(t.Context()) // the fault is over
		check(t, err)
	}
}
