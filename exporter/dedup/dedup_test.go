package dedup_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

var epoch = time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC)

func minute(m int) time.Time { return epoch.Add(time.Duration(m) * time.Minute) }

func row(id int64, m int) record.Record { return record.Record{ID: id, CreatedAt: minute(m)} }

func ids(records []record.Record) []int64 {
	out := []int64{}
	for _, r := range records {
		out = append(out, r.ID)
	}
	return out
}

// admit reads a window and the overlap before it, which the next set remembers.
func admit(set dedup.Set, w window.Window, overlap time.Duration, read ...record.Record) dedup.Admission {
	span := dedup.Span{From: w.Start.Add(-overlap), Window: w, Remembered: w.End.Add(-overlap)}
	return set.Admit(span, slices.Clone(read))
}

func TestAdmit(t *testing.T) {
	const overlap = 10 * time.Minute
	first := window.Window{Start: minute(0), End: minute(20)}
	second := window.Window{Start: minute(20), End: minute(25)}
	third := window.Window{Start: minute(25), End: minute(60)}
	type step struct {
		w         window.Window
		read      []record.Record
		fresh     []int64
		duplicate int
		late      int
		held      int
		reused    int64
		gone      []dedup.Ref
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"all of a first window is fresh, and only the overlap is remembered", []step{
			{w: first, read: []record.Record{row(1, 1), row(2, 9), row(3, 10), row(4, 19)}, fresh: []int64{1, 2, 3, 4}, held: 2},
		}},
		{"what was delivered is not fresh again", []step{
			{w: first, read: []record.Record{row(3, 10), row(4, 19)}, fresh: []int64{3, 4}, held: 2},
			{w: second, read: []record.Record{row(3, 10), row(4, 19), row(5, 20)}, fresh: []int64{5}, duplicate: 2, held: 2},
		}},
		{"a late row between delivered ones is fresh, once", []step{
			{w: first, read: []record.Record{row(3, 10), row(5, 19)}, fresh: []int64{3, 5}, held: 2},
			{
				w: second, read: []record.Record{row(3, 10), row(4, 18), row(5, 19), row(6, 21)},
				fresh: []int64{4, 6}, duplicate: 2, late: 1, held: 3,
			},
			{w: third, read: []record.Record{row(4, 18), row(5, 19), row(6, 21), row(7, 59)}, fresh: []int64{7}, duplicate: 3, held: 1},
		}},
		{"an id that was handed out again after a restore is a new record, and is noticed", []step{
			{w: first, read: []record.Record{row(100, 19)}, fresh: []int64{100}, held: 1},
			{w: second, read: []record.Record{row(100, 19), row(100, 24)}, fresh: []int64{100}, duplicate: 1, held: 2, reused: 100},
		}},
		{"an id that was handed out again is noticed in the overlap too", []step{
			{w: first, read: []record.Record{row(100, 19)}, fresh: []int64{100}, held: 1},
			{w: second, read: []record.Record{row(100, 18), row(100, 19)}, fresh: []int64{100}, duplicate: 1, late: 1, held: 2, reused: 100},
		}},
		{"an empty window moves on", []step{
			{w: first, read: []record.Record{row(3, 9)}, fresh: []int64{3}},
			{w: third, fresh: []int64{}},
		}},
		{"a row that a lagging replica hides for a while is missed, and not delivered twice", []step{
			{w: first, read: []record.Record{row(3, 19)}, fresh: []int64{3}, held: 1},
			{w: second, fresh: []int64{}, held: 1, gone: []dedup.Ref{{ID: 3, CreatedAt: minute(19)}}},
			{w: third, read: []record.Record{row(3, 19)}, fresh: []int64{}, duplicate: 1},
		}},
		{"what is gone is told once", []step{
			{w: first, read: []record.Record{row(3, 18), row(4, 19)}, fresh: []int64{3, 4}, held: 2},
			{w: second, read: []record.Record{row(4, 19)}, fresh: []int64{}, duplicate: 1, held: 2, gone: []dedup.Ref{{ID: 3, CreatedAt: minute(18)}}},
			{w: window.Window{Start: minute(25), End: minute(26)}, read: []record.Record{row(4, 19)}, fresh: []int64{}, duplicate: 1, held: 2},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var set dedup.Set
			for i, s := range tc.steps {
				a := admit(set, s.w, overlap, s.read...)
				if diff := cmp.Diff(s.fresh, ids(a.Fresh)); diff != "" {
					t.Fatalf("step %d: fresh (-want +got):\n%s", i, diff)
				}
				if a.Duplicate != s.duplicate || a.Late != s.late || a.Next.Len() != s.held || a.Reused != s.reused {
					t.Fatalf("step %d: duplicate %d late %d held %d reused %d, want %d %d %d %d",
						i, a.Duplicate, a.Late, a.Next.Len(), a.Reused, s.duplicate, s.late, s.held, s.reused)
				}
				if diff := cmp.Diff(s.gone, a.Gone); diff != "" {
					t.Fatalf("step %d: gone (-want +got):\n%s", i, diff)
				}
				set = roundTrip(t, a.Next)
			}
		})
	}
}

// Admit compares every column. It tells a change once: then the set knows the record as it is.
func TestAltered(t *testing.T) {
	first := window.Window{Start: minute(0), End: minute(20)}
	second := window.Window{Start: minute(20), End: minute(25)}
	for name, change := range map[string]func(*record.Record){
		"created_at":        func(r *record.Record) { r.CreatedAt = r.CreatedAt.Add(time.Microsecond) },
		"actor_id":          func(r *record.Record) { r.ActorID = "x" },
		"actor_name":        func(r *record.Record) { r.ActorName = "x" },
		"actor_email":       func(r *record.Record) { r.ActorEmail = "x" },
		"action":            func(r *record.Record) { r.Action = "x" },
		"fields":            func(r *record.Record) { r.Fields = `{"x":1}` },
		"request_id":        func(r *record.Record) { r.RequestID = "x" },
		"source_ip_address": func(r *record.Record) { r.SourceIP = "x" },
		"commit_id":         func(r *record.Record) { r.CommitID = "x" },
		"status":            func(r *record.Record) { r.Status = "x" },
	} {
		set := roundTrip(t, admit(dedup.Set{}, first, time.Hour, row(1, 18), row(2, 19)).Next)
		changed := row(1, 18)
		change(&changed)
		a := admit(set, second, time.Hour, changed, row(2, 19))
		want := []dedup.Ref{{ID: 1, CreatedAt: changed.CreatedAt}}
		if diff := cmp.Diff(want, a.Altered); diff != "" || len(a.Fresh) != 0 || a.Gone != nil {
			t.Errorf("%s: fresh %v, gone %v, altered (-want +got):\n%s", name, a.Fresh, a.Gone, diff)
		}
		if again := admit(roundTrip(t, a.Next), second, time.Hour, changed, row(2, 19)); again.Altered != nil {
			t.Errorf("%s: told again: %v", name, again.Altered)
		}
	}
	set := admit(dedup.Set{}, first, time.Hour, row(1, 18)).Next
	same := row(1, 18)
	same.Raw, same.Absent = `{"id":1,"new_key":true}`, record.Of("status")
	if a := admit(set, second, time.Hour, same); a.Altered != nil {
		t.Errorf("a record that is only printed in another way counts as altered: %v", a.Altered)
	}
}

// If a window did not read a minute whole, or a record no longer has a mark, Admit tells no record as gone.
func TestGoneIsCertain(t *testing.T) {
	first := window.Window{Start: minute(0), End: minute(20)}
	set := admit(dedup.Set{}, first, time.Hour, row(1, 9), row(2, 10), row(3, 19)).Next
	span := dedup.Span{
		From: minute(9).Add(time.Microsecond), Remembered: minute(0),
		Window: window.Window{Start: minute(19), End: minute(20).Add(-time.Microsecond)},
	}
	if got, want := set.Admit(span, nil).Gone, []dedup.Ref{{ID: 2, CreatedAt: minute(10)}}; !cmp.Equal(got, want) {
		t.Errorf("gone are %v, want %v", got, want)
	}
}

// Records that a Builder adds are delivered. Admit compares them with nothing, until it has met them once.
func TestBuilder(t *testing.T) {
	var b dedup.Builder
	for _, r := range []record.Record{row(7, 19), row(5, 18), row(6, 19), row(6, 19)} {
		b.Add(r.ID, r.CreatedAt)
	}
	set := roundTrip(t, b.Set())
	if set.Len() != 3 {
		t.Fatalf("%d records of 3 are known", set.Len())
	}
	w := window.Window{Start: minute(10), End: minute(20)}
	seen := row(6, 19)
	seen.Action = "x"
	a := admit(set, w, time.Hour, row(5, 18), seen, row(8, 19))
	if diff := cmp.Diff([]int64{8}, ids(a.Fresh)); diff != "" || a.Altered != nil || a.Gone != nil || a.Reused != 0 {
		t.Errorf("altered %v, gone %v, reused %d, fresh (-want +got):\n%s", a.Altered, a.Gone, a.Reused, diff)
	}
}

// After a reset, no earlier record is delivered again, and the server may hand out their ids again.
func TestRetire(t *testing.T) {
	w := window.Window{Start: minute(0), End: minute(20)}
	set := roundTrip(t, admit(dedup.Set{}, w, time.Hour, row(1, 5), row(2, 18)).Next.Retire())
	again := window.Window{Start: minute(10), End: minute(30)}
	a := admit(set, again, time.Hour, row(1, 5), row(1, 17), row(2, 18), row(2, 29))
	if diff := cmp.Diff([]int64{1, 2}, ids(a.Fresh)); diff != "" || a.Reused != 0 || a.Duplicate != 2 {
		t.Errorf("duplicate %d, reused %d, fresh (-want +got):\n%s", a.Duplicate, a.Reused, diff)
	}
	if twice := roundTrip(t, a.Next.Retire()); twice.Len() != 4 {
		t.Errorf("%d records of 4 are known after a second reset", twice.Len())
	}
}

func TestAdmitDoesNotChangeTheSet(t *testing.T) {
	w := window.Window{Start: minute(0), End: minute(5)}
	base := admit(dedup.Set{}, w, time.Hour, row(1, 1), row(2, 2)).Next
	next := window.Window{Start: minute(5), End: minute(10)}
	read := []record.Record{row(2, 2), row(4, 2), row(3, 6)}
	once := admit(base, next, time.Hour, read...)
	again := admit(base, next, time.Hour, read...) // as after a failed write
	if diff := cmp.Diff(ids(once.Fresh), ids(again.Fresh)); diff != "" || base.Len() != 2 || !cmp.Equal(once.Gone, again.Gone) {
		t.Errorf("the same window admitted twice differs, or the set changed to %d ids:\n%s", base.Len(), diff)
	}
}

// The promise itself: rows become visible in any order, late ones within the overlap, and windows have any length. Every row
// that was visible in time is delivered exactly once, and the memory holds no more than the overlap.
func TestExactlyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		overlap := rapid.IntRange(0, 30).Draw(t, "overlap")
		type rowAt struct {
			record.Record
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
			var read []record.Record
			for _, r := range rows {
				if r.visible < end && !r.CreatedAt.Before(minute(cursor-overlap)) && r.CreatedAt.Before(minute(end)) {
					read = append(read, r.Record)
				}
			}
			read = page.Sort(read)
			n := len(read)
			a := set.Admit(dedup.Span{
				From: minute(cursor - overlap), Window: window.Window{Start: minute(cursor), End: minute(end)},
				Remembered: minute(end - overlap),
			}, read)
			if a.Reused != 0 || a.Altered != nil || a.Gone != nil {
				t.Fatalf("reused %d, altered %v, gone %v", a.Reused, a.Altered, a.Gone)
			}
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

func inOrder(records []record.Record) bool {
	return slices.IsSortedFunc(records, func(a, b record.Record) int { return record.Compare(&a, &b) })
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
		records := make([]record.Record, len(ids))
		for i, id := range ids {
			records[i] = record.Record{ID: id, CreatedAt: epoch}
		}
		b, _ := admit(dedup.Set{}, window.Window{Start: epoch, End: epoch.Add(time.Hour)}, time.Hour, records...).Next.MarshalBinary()
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
	b.Run("10m", func(b *testing.B) { benchmarkAdmit(b, 10*time.Minute) })
	b.Run("24h", func(b *testing.B) { benchmarkAdmit(b, 24*time.Hour) })
}

func benchmarkAdmit(b *testing.B, remembered time.Duration) {
	const n = 50_000
	records := make([]record.Record, n)
	w := window.Window{Start: epoch, End: epoch.Add(n * time.Second)}
	for i := range records {
		records[i] = record.Record{ID: int64(i), CreatedAt: epoch.Add(time.Duration(i) * time.Second)}
	}
	b.ReportAllocs()
	for b.Loop() {
		a := dedup.Set{}.Admit(dedup.Span{From: w.Start, Window: w, Remembered: w.End.Add(-remembered)}, records)
		if len(a.Fresh) != n {
			b.Fatal(len(a.Fresh))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}

// Only the newest records have marks, so that an entry of a busy log stays small; the set knows all records.
func TestMarksAreBounded(t *testing.T) {
	const n = 100_000
	records := make([]record.Record, n)
	for i := range records {
		records[i] = record.Record{ID: int64(i + 1), CreatedAt: epoch.Add(time.Duration(i) * 100 * time.Millisecond)}
	}
	w := window.Window{Start: epoch, End: epoch.Add(n * 100 * time.Millisecond)}
	set := admit(dedup.Set{}, w, 24*time.Hour, records...).Next
	b, err := set.MarshalBinary()
	if err != nil || set.Len() != n || len(b) > 50_000 {
		t.Errorf("%d records in %d bytes, %v", set.Len(), len(b), err)
	}
	newest := records[n-1000]
	newest.Action = "changed"
	next := window.Window{Start: w.End, End: w.End.Add(time.Minute)}
	if a := admit(set, next, 24*time.Hour, slices.Concat(records[:n-1000], []record.Record{newest}, records[n-999:])...); len(a.Altered) != 1 {
		t.Errorf("altered are %v", a.Altered)
	}
}
