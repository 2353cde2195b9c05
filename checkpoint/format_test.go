package checkpoint

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/strict"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// fill sets every time in a value, at any depth, and gives each list one element.
func fill(v reflect.Value, t time.Time) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(t))
	case v.Kind() == reflect.Struct:
		for _, f := range v.Fields() {
			fill(f, t)
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), t)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), t)
	}
}

// Every time in an entry is in UTC, also in future fields. The caller's times stay as they are.
func TestTimesAreInUTC(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 3*60*60)
	var c Checkpoint
	fill(reflect.ValueOf(&c).Elem(), time.Date(2026, 3, 1, 12, 0, 0, 0, zone))
	body, err := encode(c)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte("+03:00")) {
		t.Errorf("not in UTC: %s", body)
	}
	for what, at := range map[string]time.Time{
		"objects": c.Objects[0].MinCreatedAt, "covered": c.Covered[0].Start, "holes": c.Holes[0].CreatedAt,
		"changed": c.Changed.Examples[0].CreatedAt, "adopted": c.Adopted.From, "newest": c.Newest.CreatedAt,
	} {
		if at.Location() != zone {
			t.Errorf("encode changed the caller's %s", what)
		}
	}
}

// If two parsers could read a body as two different entries, strict.Keys refuses it, for each of the keys. It refuses no other
// body.
func TestKeysAreUnambiguous(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(rapid.StringMatching(`x_[a-z]{1,3}`), rapid.ID[string]).Draw(t, "keys")
		depth := rapid.IntRange(0, 3).Draw(t, "depth")
		render := func(keys []string) []byte {
			body := `{"x":1`
			for _, key := range keys {
				body += `,"` + key + `":[{"x":1}]`
			}
			return []byte(strings.Repeat(`{"y":[1,`, depth) + body + "}" + strings.Repeat("]}", depth))
		}
		if err := strict.Keys(render(keys), entryType()); err != nil {
			t.Fatalf("%s: %v", render(keys), err)
		}
		again := "X"
		if len(keys) > 0 && rapid.Bool().Draw(t, "a long one") {
			again = strings.ToUpper(rapid.SampledFrom(keys).Draw(t, "again"))
		}
		if err := strict.Keys(render(append(keys, again)), entryType()); err == nil {
			t.Fatalf("accepted %s", render(append(keys, again)))
		}
	})
}

// A minute is covered if it is in one of the windows. The result has as few spans as possible.
func TestUnionOfWindows(t *testing.T) {
	t.Parallel()
	const minutes = 30
	at := func(minute int) time.Time { return time.Unix(int64(minute)*60, 0).UTC() }
	rapid.Check(t, func(t *rapid.T) {
		var covered []window.Window
		var want [minutes]bool
		for range rapid.IntRange(1, 8).Draw(t, "windows") {
			start := rapid.IntRange(0, minutes-1).Draw(t, "start")
			end := rapid.IntRange(start, minutes-1).Draw(t, "end")
			for minute := start; minute < end; minute++ {
				want[minute] = true
			}
			before := len(covered)
			next := union(covered, window.Window{Start: at(start), End: at(end), Pass: 3})
			if len(covered) != before {
				t.Fatal("the previous entry's windows changed")
			}
			covered = next
		}
		var got [minutes]bool
		for i, w := range covered {
			if w.Pass != 0 || !w.Start.Before(w.End) || i > 0 && !covered[i-1].End.Before(w.Start) {
				t.Fatalf("covered is %v", covered)
			}
			for minute := range minutes {
				got[minute] = got[minute] || !at(minute).Before(w.Start) && at(minute).Before(w.End)
			}
		}
		if got != want {
			t.Fatalf("covered is %v", covered)
		}
	})
}

func TestRewritten(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"archive/state/lease.json": true, "archive-backfill/state/latest": true, "archive/state/probe": true,
		"archive/00000000000000000001.json": false, "archive/state": false, "state/latest": false, "archive/stateful": false,
		"archive/tile/0/000": false,
	} {
		if Rewritten(key) != want {
			t.Errorf("Rewritten(%q) is %t", key, !want)
		}
	}
}
