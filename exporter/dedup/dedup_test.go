package dedup_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/dedup"
	"houndtrail/exporter/window"
)

var epoch = time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC)

func minute(m int) time.Time { return epoch.Add(time.Duration(m) * time.Minute) }

func row(id int64, m int) bloodhound.Record { return bloodhound.Record{ID: id, CreatedAt: minute(m)} }

func ids(records []bloodhound.Record) []int64 {
	out := []int64{}
	for _, r := range records {
		out = append(out, r.ID)
	}
	return out
}

func TestAdmit(t *testing.T) {
	const overlap = 10 * time.Minute
	first := window.Window{Start: minute(0), End: minute(20)}
	second := window.Window{Start: minute(20), End: minute(25)}
	third := window.Window{Start: minute(25), End: minute(60)}
	type step struct {
		w         window.Window
		read      []bloodhound.Record
		fresh     []int64
		duplicate int
		late      int
		held      int
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"all of a first window is fresh, and only the overlap is remembered", []step{
			{first, []bloodhound.Record{row(1, 1), row(2, 9), row(3, 10), row(4, 19)}, []int64{1, 2, 3, 4}, 0, 0, 2},
		}},
		{"what was delivered is not fresh again", []step{
			{first, []bloodhound.Record{row(3, 10), row(4, 19)}, []int64{3, 4}, 0, 0, 2},
			{second, []bloodhound.Record{row(3, 10), row(4, 19), row(5, 20)}, []int64{5}, 2, 0, 2},
		}},
		{"a late row between delivered ones is fresh, once", []step{
			{first, []bloodhound.Record{row(3, 10), row(5, 19)}, []int64{3, 5}, 0, 0, 2},
			{second, []bloodhound.Record{row(3, 10), row(4, 18), row(5, 19), row(6, 21)}, []int64{4, 6}, 2, 1, 3},
			{third, []bloodhound.Record{row(4, 18), row(5, 19), row(6, 21), row(7, 59)}, []int64{7}, 3, 0, 1},
		}},
		{"an id that was handed out again after a restore is a new record", []step{
			{first, []bloodhound.Record{row(100, 19)}, []int64{100}, 0, 0, 1},
			{second, []bloodhound.Record{row(100, 19), row(100, 24)}, []int64{100}, 1, 0, 1},
		}},
		{"an empty window moves on", []step{
			{first, []bloodhound.Record{row(3, 19)}, []int64{3}, 0, 0, 1},
			{third, nil, []int64{}, 0, 0, 0},
		}},
		{"a row that a lagging replica hides for a while is not delivered twice", []step{
			{first, []bloodhound.Record{row(3, 19)}, []int64{3}, 0, 0, 1},
			{second, nil, []int64{}, 0, 0, 1},
			{third, []bloodhound.Record{row(3, 19)}, []int64{}, 1, 0, 0},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var set dedup.Set
			for i, s := range tc.steps {
				a := set.Admit(s.w, s.w.End.Add(-overlap), slices.Clone(s.read))
				if diff := cmp.Diff(s.fresh, ids(a.Fresh)); diff != "" {
					t.Fatalf("step %d: fresh (-want +got):\n%s", i, diff)
				}
				if a.Duplicate != s.duplicate || a.Late != s.late || a.Next.Len() != s.held {
					t.Fatalf("step %d: duplicate %d late %d held %d, want %d %d %d",
						i, a.Duplicate, a.Late, a.Next.Len(), s.duplicate, s.late, s.held)
				}
				set = roundTrip(t, a.Next)
			}
		})
	}
}

// What is walked once more brings only what is not known, and forgets what is met from before the next beginning.
func TestRevisit(t *testing.T) {
	first := window.Window{Start: minute(0), End: minute(20)}
	set := dedup.Set{}.Admit(first, first.Start, []bloodhound.Record{row(1, 1), row(3, 9), row(4, 19)}).Next
	a := set.Revisit(minute(9), []bloodhound.Record{row(1, 1), row(2, 5), row(3, 9), row(5, 10)})
	if diff := cmp.Diff([]int64{2, 5}, ids(a.Fresh)); diff != "" || a.Duplicate != 2 || a.Late != 2 {
		t.Errorf("duplicate %d, late %d, fresh (-want +got):\n%s", a.Duplicate, a.Late, diff)
	}
	again := a.Next.Revisit(minute(9), []bloodhound.Record{row(1, 1), row(3, 9), row(4, 19), row(5, 10)})
	if diff := cmp.Diff([]int64{1}, ids(again.Fresh)); diff != "" || a.Next.Len() != 3 || set.Len() != 3 {
		t.Errorf("%d ids known, %d before; fresh of the third walk (-want +got):\n%s", a.Next.Len(), set.Len(), diff)
	}
}

func TestAdmitDoesNotChangeTheSet(t *testing.T) {
	w := window.Window{Start: minute(0), End: minute(5)}
	base := dedup.Set{}.Admit(w, w.End.Add(-time.Hour), []bloodhound.Record{row(1, 1), row(2, 2)}).Next
	next := window.Window{Start: minute(5), End: minute(10)}
	read := []bloodhound.Record{row(1, 1), row(2, 2), row(3, 6)}
	once := base.Admit(next, next.End.Add(-time.Hour), slices.Clone(read))
	again := base.Admit(next, next.End.Add(-time.Hour), slices.Clone(read)) // as after a failed write
	if diff := cmp.Diff(ids(once.Fresh), ids(again.Fresh)); diff != "" || base.Len() != 2 {
		t.Errorf("the same window admitted twice differs, or the set changed to %d ids:\n%s", base.Len(), diff)
	}
}

// The promise itself: rows become visible in any order, late ones within the overlap; windows have any length. Every
// row that was visible in time is delivered exactly once, and the memory holds no more than the overlap.
func TestExactlyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		overlap := rapid.IntRange(0, 30).Draw(t, "overlap")
		type rowAt struct {
			bloodhound.Record
			visible int
		}
		var rows []rowAt
		for i := range rapid.IntRange(0, 60).Draw(t, "rows") {
			m := rapid.IntRange(0, 200).Draw(t, "created")
			id := int64(i + 1)
			if rapid.IntRange(0, 9).Draw(t, "reset") == 0 && m > 100 {
				id += 1000 // ids need not follow time
			}
			rows = append(rows, rowAt{row(id, m), m + rapid.IntRange(0, max(overlap, 1)-1).Draw(t, "late")})
		}
		delivered := map[int64]int{}
		var set dedup.Set
		for cursor := 0; cursor < 300; {
			end := cursor + rapid.IntRange(1, 50).Draw(t, "span")
			var read []bloodhound.Record
			for _, r := range rows {
				if r.visible < end && !r.CreatedAt.Before(minute(cursor-overlap)) && r.CreatedAt.Before(minute(end)) {
					read = append(read, r.Record)
				}
			}
			read = bloodhound.Sort(read)
			n := len(read)
			a := set.Admit(window.Window{Start: minute(cursor), End: minute(end)}, minute(end-overlap), read)
			if len(a.Fresh)+a.Duplicate != n || !inOrder(a.Fresh) {
				t.Fatalf("read %d, fresh %d, duplicate %d, sorted %v", n, len(a.Fresh), a.Duplicate, inOrder(a.Fresh))
			}
			for _, r := range a.Fresh {
				delivered[r.ID]++
			}
			set, cursor = a.Next, end
		}
		for _, r := range rows {
			if delivered[r.ID] != 1 {
				t.Fatalf("row %d created %s visible %d was delivered %d times", r.ID, r.CreatedAt, r.visible, delivered[r.ID])
			}
		}
		if set.Len() != 0 {
			t.Fatalf("%d ids are held long after the last row", set.Len())
		}
	})
}

func inOrder(records []bloodhound.Record) bool {
	return slices.IsSortedFunc(records, func(a, b bloodhound.Record) int { return bloodhound.Compare(&a, &b) })
}

func TestParseRejectsGarbage(t *testing.T) {
	if _, err := dedup.Parse([]byte("not a bitmap")); err == nil {
		t.Error("garbage was read as a set: everything would be delivered twice")
	}
}

func FuzzParse(f *testing.F) {
	b, _ := dedup.Set{}.MarshalBinary()
	f.Add(b)
	f.Add([]byte{})
	for _, ids := range [][]int64{{1}, {1, 1 << 40}, {65535, 65536, 131072}} {
		records := make([]bloodhound.Record, len(ids))
		for i, id := range ids {
			records[i] = bloodhound.Record{ID: id, CreatedAt: epoch}
		}
		b, _ := dedup.Set{}.Admit(window.Window{Start: epoch, End: epoch.Add(time.Hour)}, epoch, records).Next.MarshalBinary()
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := dedup.Parse(b)
		if err != nil {
			return
		}
		body, err := s.MarshalBinary()
		if err != nil {
			t.Fatalf("a set of %d ids is not written: %v", s.Len(), err)
		}
		again, err := dedup.Parse(body)
		if err != nil || again.Len() != s.Len() {
			t.Fatalf("%d ids became %d, %v", s.Len(), again.Len(), err)
		}
		if twice, err := again.MarshalBinary(); err != nil || !bytes.Equal(twice, body) {
			t.Fatalf("%x became %x, %v", body, twice, err)
		}
	})
}

func roundTrip(t *testing.T, s dedup.Set) dedup.Set {
	t.Helper()
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	got, err := dedup.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Len() != s.Len() {
		t.Fatalf("%d ids came back of %d", got.Len(), s.Len())
	}
	return got
}

func BenchmarkAdmit(b *testing.B) {
	const n = 50_000
	records := make([]bloodhound.Record, n)
	w := window.Window{Start: epoch, End: epoch.Add(n * time.Second)}
	for i := range records {
		records[i] = bloodhound.Record{ID: int64(i), CreatedAt: epoch.Add(time.Duration(i) * time.Second)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if a := (dedup.Set{}).Admit(w, w.End.Add(-10*time.Minute), records); len(a.Fresh) != n {
			b.Fatal(len(a.Fresh))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
