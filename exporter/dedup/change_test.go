package dedup_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// The test reads a log of busy and quiet minutes in windows of any length, with and without an overlap. All changes of the sets
// together make up the set. No present record is told as gone, and an altered or gone record is told once.
func TestChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		second := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }
		var rows []record.Record
		id := int64(0)
		for range rapid.IntRange(0, 200).Draw(t, "rows") {
			id += rapid.SampledFrom([]int64{1, 1, 1, 2, 40}).Draw(t, "gap")
			at := rapid.IntRange(0, 299).Draw(t, "at")
			if rapid.Bool().Draw(t, "busy") {
				at %= 60
			}
			rows = append(rows, record.Record{ID: id, CreatedAt: second(at), Action: "x"})
		}
		rows = page.Sort(rows)
		overlap := rapid.IntRange(0, 400).Draw(t, "overlap")
		var set, rebuilt dedup.Set
		read := func(from, start, end, remembered int) dedup.Admission {
			var some []record.Record
			for _, r := range rows {
				if !r.CreatedAt.Before(second(from)) && r.CreatedAt.Before(second(end)) {
					some = append(some, r)
				}
			}
			a := set.Admit(dedup.Span{
				From: second(from), Remembered: second(remembered), Window: window.Window{Start: second(start), End: second(end)},
			}, some)
			change, ok := a.Next.Change(set)
			if !ok {
				t.Fatal("the next set is no change of the one before")
			}
			var err error
			if rebuilt, err = rebuilt.Apply(change); err != nil {
				t.Fatal(err)
			}
			wantSame(t, rebuilt, a.Next)
			set = a.Next
			return a
		}
		for cursor := 0; cursor < 300; {
			end := min(cursor+rapid.IntRange(1, 120).Draw(t, "span"), 300)
			if a := read(cursor-overlap, cursor, end, end-overlap); a.Altered != nil || a.Gone != nil {
				t.Fatalf("altered %v, gone %v", a.Altered, a.Gone)
			}
			cursor = end
		}
		if overlap < 360 || len(rows) == 0 { // then the next windows read no minute whole once more
			return
		}
		victim := rapid.IntRange(0, len(rows)-1).Draw(t, "victim")
		was := rows[victim]
		gone := rapid.Bool().Draw(t, "gone")
		if gone {
			rows = slices.Delete(rows, victim, victim+1)
		} else {
			rows[victim].Action = "y"
		}
		wantTold(t, read(-60, 300, 360, -60), was, gone)
		if a := read(-60, 300, 360, -60); a.Altered != nil || a.Gone != nil || len(a.Fresh) > 0 {
			t.Fatalf("told again: altered %v, gone %v, fresh %v", a.Altered, a.Gone, a.Fresh)
		}
	})
}

func wantTold(t *rapid.T, a dedup.Admission, r record.Record, gone bool) {
	told, other := a.Altered, a.Gone
	if gone {
		told, other = a.Gone, a.Altered
	}
	if len(told) != 1 || other != nil || gone && told[0].ID != r.ID || !sameMinute(told[0].CreatedAt, r.CreatedAt) {
		t.Fatalf("%v is gone (%v) or altered, and told are altered %v, gone %v", r, gone, a.Altered, a.Gone)
	}
}

func sameMinute(a, b time.Time) bool { return a.Truncate(time.Minute).Equal(b.Truncate(time.Minute)) }

func wantSame(t interface{ Fatalf(string, ...any) }, got, want dedup.Set) {
	a, _ := got.MarshalBinary()
	b, _ := want.MarshalBinary()
	if !bytes.Equal(a, b) {
		t.Fatalf("the changes make a set of %d records, which has %d:\n%x\n%x", got.Len(), want.Len(), a, b)
	}
}

// Not every set is a change of another one. If it is not, an entry has to write it down whole.
func TestNoChange(t *testing.T) {
	w := window.Window{Start: minute(0), End: minute(20)}
	set := admit(dedup.Set{}, w, time.Hour, row(1, 18), row(2, 19)).Next
	if _, ok := (dedup.Set{}).Change(set); !ok {
		t.Error("to forget all is a change")
	}
	gap := admit(dedup.Set{}, w, time.Hour, row(1, 17), row(2, 19)).Next
	if _, ok := gap.Change(set); ok {
		t.Error("a minute that is not at the beginning was forgotten, and that is taken for a change")
	}
	retired := set.Retire()
	if change, ok := retired.Change(set); ok { // if ok is true, it must be a true change
		got, err := set.Apply(change)
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, got, retired)
	}
	for _, change := range [][]byte{{2}, {1, 3, 0}, []byte("x")} {
		if _, err := set.Apply(change); err == nil {
			t.Errorf("%x is applied", change)
		}
	}
	if same, err := set.Apply(nil); err != nil || same.Len() != 2 {
		t.Errorf("no change makes %d records, %v", same.Len(), err)
	}
}

func FuzzApply(f *testing.F) {
	w := window.Window{Start: epoch, End: epoch.Add(time.Hour)}
	set := admit(dedup.Set{}, w, time.Hour, row(1, 1), row(2, 5), row(9, 5)).Next
	next := admit(set, window.Window{Start: w.End, End: w.End.Add(time.Hour)}, 2*time.Hour, row(3, 5), row(12, 70)).Next
	change, _ := next.Change(set)
	f.Add(change)
	f.Add(change[:len(change)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := set.Apply(b)
		if err != nil {
			return
		}
		body, err := got.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := dedup.Parse(body); err != nil || again.Len() != got.Len() {
			t.Fatalf("%d ids became %d, %v", got.Len(), again.Len(), err)
		}
	})
}
