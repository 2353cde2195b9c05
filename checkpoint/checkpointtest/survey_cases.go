package checkpointtest

import (
	"errors"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
)

func surveyCases() []testCase {
	return []testCase{
		{"a survey of a sound journal", surveySound},
		{"a survey goes on after a problem", surveyGoesOn},
		{"a survey of a foreign journal", surveyForeign},
		{"a survey of a journal whose end is lost", surveyLost},
		{"a survey ends where the store does not answer", surveyNoAnswer},
	}
}

// seen is one entry in the report of a survey.
type seen struct {
	serial uint64
	kind   error  // nil for a sound entry
	says   string // part of the error
	read   bool   // the entry could be read
}

func wantSurvey(t *world, j *checkpoint.Journal, want ...seen) {
	t.Helper()
	var got []seen
	for s, err := range j.Survey(t.Context()) {
		one := seen{serial: s.Serial, read: s.Kind != ""}
		for _, kind := range []error{checkpoint.ErrCorrupt, checkpoint.ErrForeign, checkpoint.ErrNewer, errLost} {
			if errors.Is(err, kind) {
				one.kind = kind
			}
		}
		if err != nil && one.kind == nil {
			t.Errorf("entry %d: %v", s.Serial, err)
		}
		if i := len(got); i < len(want) && err != nil && strings.Contains(err.Error(), want[i].says) {
			one.says = want[i].says
		}
		got = append(got, one)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the survey is\n%v, want\n%v", got, want)
	}
}

// sound returns the entries of a span, without a problem.
func sound(first, last uint64) (all []seen) {
	for serial := first; serial <= last; serial++ {
		all = append(all, seen{serial: serial, read: true})
	}
	return all
}

func surveySound(t *world) {
	a, b := t.journals()
	wantSurvey(t, b)
	commit(t, a, 20)
	wantSurvey(t, b, sound(1, 20)...)
	wantSurvey(t, hidden(t, 1, 2, 3), sound(4, 20)...)
	for _, err := range b.Survey(t.Context()) { // a reader may stop early
		check(t, err)
		break
	}
}

func surveyGoesOn(t *world) {
	a, b := t.journals()
	commit(t, a, 14)
	overwrite(t, t.b, entryKey(3), []byte("<html>"))
	edit(t, t.b, entryKey(8), `"max_id":`, `"min_reader":7,"max_id":`)
	edit(t, t.b, entryKey(11), `"late":1`, `"late":2`)
	edit(t, t.b, entryKey(13), `"stream":"archive"`, `"stream":"webhook"`)
	edit(t, t.b, entryKey(14), `"late":1`, `"late":2`)
	j := hidden(t, 5, 6)
	wantSurvey(t, j, slices.Concat(sound(1, 2), []seen{
		{serial: 3, kind: checkpoint.ErrCorrupt, says: "JSON"},
		{serial: 4, read: true},
		{serial: 5, kind: checkpoint.ErrCorrupt, says: "up to entry 6"},
		{serial: 7, read: true},
		{serial: 8, kind: checkpoint.ErrNewer, says: "reader 7"},
		{serial: 9, kind: checkpoint.ErrCorrupt, says: entryKey(8), read: true},
		{serial: 10, read: true},
		{serial: 11, read: true},
		{serial: 12, kind: checkpoint.ErrCorrupt, says: entryKey(11), read: true},
		{serial: 13, kind: checkpoint.ErrForeign, says: "webhook", read: true},
		{serial: 14, kind: checkpoint.ErrCorrupt, says: "archive/state/latest", read: true},
	})...)
	// If a listing lacks an entry that exists, that is no gap.
	late := StaleList{t.b, func(key string) bool { return key == entryKey(5) || key == entryKey(6) || key == entryKey(14) }}
	n := 0
	for s, err := range checkpoint.Open(late, identity("host-b")).Survey(t.Context()) {
		if n++; s.Serial != uint64(n) || s.SHA256 == "" {
			t.Errorf("entry %d is %+v, %v", n, s, err)
		}
	}
	if n != 14 {
		t.Errorf("%d entries were surveyed", n)
	}
	for s, err := range b.Survey(t.Context()) { // a reader may stop at a problem
		if err != nil {
			if s.Serial != 3 || s.SHA256 == "" {
				t.Errorf("the damaged entry is %+v", s)
			}
			break
		}
	}
}

func surveyForeign(t *world) {
	a, _ := t.journals()
	commit(t, a, 3)
	id := identity("host-b")
	id.Tenant = "b"
	wantSurvey(t, checkpoint.Open(t.b, id), append(sound(1, 2), seen{3, checkpoint.ErrForeign, `"a"`, true})...)
}

func surveyLost(t *world) {
	a, _ := t.journals()
	commit(t, a, 4)
	lost := seen{serial: 4, kind: checkpoint.ErrCorrupt, says: "archive/state/latest"}
	wantSurvey(t, hidden(t, 4), append(sound(1, 3), lost)...)
	wantSurvey(t, hidden(t, 1, 2, 3, 4), lost)
}

func surveyNoAnswer(t *world) {
	a, b := t.journals()
	commit(t, a, 5)
	t.b.On(Always(Get, entryKey(3), Fault{Before: errLost}))
	wantSurvey(t, b, append(sound(1, 2), seen{serial: 3, kind: errLost, says: entryKey(3)})...)
	t.b.On(Always(List, folderOf(1), Fault{Before: errLost}))
	wantSurvey(t, b, seen{kind: errLost})
}
