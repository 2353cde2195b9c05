package search_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/search"
)

// TestProblems: the answer names the files that cannot be read, and has the records of the others. It does not look complete.
func TestProblems(t *testing.T) {
	t.Parallel()
	const first, second = "audit/tenant=acme.example/dt=2026-03-01/20260301T010000.000000Z", "audit/tenant=acme.example/dt=2026-03-02/20260302T010000.000000Z"
	for name, test := range map[string]struct {
		spoil func(w *world)
		kind  error
		says  []string
		lacks int // number of missing records in the first window of the first day
	}{
		"truncated": {func(w *world) { w.put(first+".parquet", w.body(first + ".parquet")[:900]) }, read.ErrDamaged, []string{first + ".parquet", "put back"}, 20},
		"empty":     {func(w *world) { w.put(first+".parquet", nil) }, read.ErrDamaged, []string{first}, 20},
		"a page is another": {func(w *world) {
			body := w.body(first + ".parquet")
			body[60] ^= 1
			w.put(first+".parquet", body)
		}, read.ErrDamaged, []string{first}, 20},
		"no Parquet": {func(w *world) { w.put(first+".parquet", []byte(strings.Repeat("x", 5000))) }, read.ErrDamaged, []string{first}, 20},
		"no NDJSON":  {func(w *world) { w.put(first+".ndjson.gz", []byte("x")) }, read.ErrDamaged, []string{first + ".ndjson.gz"}, 0},
		"in another's place": {
			func(w *world) { w.put(strings.Replace(first, "T01", "T02", 1)+".parquet", w.body(first+".parquet")) },
			read.ErrDamaged,
			[]string{"T020000.000000Z.parquet", "its window starts at"},
			0,
		},
		"of another day": {func(w *world) { w.put(first+".parquet", w.body(second+".parquet")) }, read.ErrDamaged, []string{first}, 20},
		"a strange name": {func(w *world) { w.put("audit/tenant=acme.example/dt=2026-03-01/copy.parquet", []byte("x")) }, nil, []string{"copy.parquet"}, 0},
		"a later format": {func(w *world) { w.put(first+".parquet2", []byte("x")) }, nil, []string{first + ".parquet2", "no archive gives"}, 0},
		"twice, and not the same": {func(w *world) {
			r := recordOf(w, w.records[0].ID, w.records[0].CreatedAt, `,"action":"Forged"`)
			o, _ := read.Parse(first + ".parquet")
			o.Compacted = 7
			w.put(o.Key(), w.encode(o.Start, []record.Record{r}))
		}, read.ErrDamaged, []string{"id 101 of", "with other contents than"}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "parquet")
			fill(t, w, 2)
			test.spoil(w)
			for _, o := range []search.Options{{}, {OldestFirst: true, Tail: 64, Memory: 5000}} {
				got, a, err := w.run(o)
				if err != nil || len(a.Problems) != 1 {
					t.Fatalf("%v, problems %v; want one", err, a.Problems)
				}
				if test.kind != nil && !errors.Is(a.Problems[0], test.kind) {
					t.Errorf("the problem is %v; want %v", a.Problems[0], test.kind)
				}
				for _, part := range test.says {
					if !strings.Contains(a.Problems[0].Error(), part) {
						t.Errorf("the problem does not say %q: %v", part, a.Problems[0])
					}
				}
				if want := len(w.records) - test.lacks; len(got) != want {
					t.Errorf("%d records came; want %d", len(got), want)
				}
			}
			o := search.Options{After: day1.AddDate(0, 0, 1)} // the day without damage
			if got := w.find(o); len(got) != 34 {
				t.Errorf("%d records of the other day", len(got))
			}
		})
	}
}

func (w *world) body(key string) []byte {
	w.Helper()
	body, _, _, err := w.bucket.Bucket.Get(w.Context(), key)
	if err != nil {
		w.Fatalf("%v", err)
	}
	return body
}

// TestStoreFails: if any request to the store fails, the search ends with an error.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	down := errors.New("the store is down")
	for _, encoder := range []string{"parquet", "ndjson"} {
		w := newWorld(t, encoder)
		fill(t, w, 2)
		for n := int64(1); ; n++ {
			var calls atomic.Int64
			w.bucket.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
				if calls.Add(1) == n {
					return checkpointtest.Fault{Before: down}
				}
				return checkpointtest.Fault{}
			})
			got, a, err := w.run(search.Options{Tail: 64})
			if calls.Load() < n {
				if n < 10 || len(got) != len(w.records) {
					t.Errorf("%s: %d calls, %d records", encoder, n, len(got))
				}
				break
			}
			if !errors.Is(err, down) || a.Problems != nil {
				t.Fatalf("%s: call %d failed: %v, %v", encoder, n, err, a.Problems)
			}
		}
	}
}

// TestCompactedMeanwhile: a compaction replaces the files of a day during a search. The search loses no record, and shows none
// twice.
func TestCompactedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet")
	fill(t, w, 3)
	small := w.keys()
	var once atomic.Bool
	w.bucket.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		if op == checkpointtest.Part && strings.Contains(key, "dt=2026-03-02") && once.CompareAndSwap(false, true) {
			for d := range 3 {
				w.compactedTwin(day1.AddDate(0, 0, d))
			}
			if err := w.bucket.Bucket.Delete(t.Context(), small...); err != nil {
				t.Error(err)
			}
		}
		return checkpointtest.Fault{}
	})
	want := ids(w.records)
	slices.Reverse(want)
	if diff := cmp.Diff(want, ids(w.find(search.Options{}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// If files go away again and again, that is an error.
	w.bucket.On(checkpointtest.Always(checkpointtest.Part, ".parquet", checkpointtest.Fault{Before: fs.ErrNotExist}))
	if _, _, err := w.run(search.Options{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "search again") {
		t.Errorf("files that go away: %v", err)
	}
}

// calls counts the lists of a search, the files that it opens, and the parts that it reads.
func (w *world) calls(o search.Options) (lists, files, parts int) {
	var mu sync.Mutex
	opened := map[string]bool{}
	w.bucket.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch op {
		case checkpointtest.List:
			lists++
		case checkpointtest.Part:
			parts++
			opened[key] = true
		default:
			w.Errorf("a %s", op)
		}
		return checkpointtest.Fault{}
	})
	defer w.bucket.On(nil)
	w.find(o)
	return lists, len(opened), parts
}

// TestCost: the newest page costs the files of the newest days, and one day costs its own files.
func TestCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet")
	fill(t, w, 40)
	last := day1.AddDate(0, 0, 39)
	for name, test := range map[string]struct {
		o            search.Options
		lists, files int
	}{
		"the newest page":           {search.Options{Limit: 30, Before: last.AddDate(0, 0, 1)}, 1, 2},
		"two days":                  {search.Options{Limit: 50, Before: last.AddDate(0, 0, 1)}, 1, 6},
		"the oldest page":           {search.Options{Limit: 30, OldestFirst: true}, 1, 2},
		"a day":                     {search.Options{After: last, Before: last.AddDate(0, 0, 1)}, 1, 2},
		"a day, by a filter":        {search.Options{Filters: by("created_at=lt:2026-03-02T00:00:00Z")}, 3, 2},
		"everything":                {search.Options{}, 3, 80},
		"no record":                 {search.Options{Filters: by("id=gt:5&id=lt:6"), After: last}, 12, 2},
		"no time":                   {search.Options{After: last, Filters: by("created_at=lt:2026-03-02T00:00:00Z")}, 0, 0},
		"before there was anything": {search.Options{Before: day1.Add(-time.Second)}, 3, 0},
	} {
		if lists, files, _ := w.calls(test.o); lists != test.lists || files != test.files {
			t.Errorf("%s: %d lists, %d files; want %d and %d", name, lists, files, test.lists, test.files)
		}
	}
}

// TestMemory: found records take a bounded number of bytes, and the answer still has all of them. One record may be larger than the
// bound.
func TestMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet")
	for i := range 30 {
		at := day1.Add(time.Duration(i) * time.Minute)
		w.write(at, recordOf(t, int64(i+1), at, fmt.Sprintf(`,"fields":%q`, strings.Repeat("x", 200_000))))
	}
	for _, memory := range []int64{1, 500_000, 1 << 30} {
		got := w.find(search.Options{OldestFirst: true, Memory: memory, Limit: 25})
		if diff := cmp.Diff(ids(w.records[:25]), ids(got)); diff != "" {
			t.Errorf("%d bytes (-want +got):\n%s", memory, diff)
		}
	}
	// If there is room for two records, the search reads the days again for every two.
	_, _, few := w.calls(search.Options{Memory: 500_000})
	_, _, once := w.calls(search.Options{Memory: 1 << 30})
	if few < 3*once || few > 12*once {
		t.Errorf("%d parts with little memory, %d with much", few, once)
	}
}

// TestCheck: the search reports mistakes in filters before it reads anything.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet")
	w.bucket.On(checkpointtest.Always(checkpointtest.List, "", checkpointtest.Fault{Before: errors.New("read")}))
	if _, _, err := w.run(search.Options{Filters: by("id=eq:x")}); err == nil || strings.Contains(err.Error(), "read") {
		t.Errorf("a search with a wrong filter: %v", err)
	}
}

// TestNewer: if a file has a column that this version does not know, the search reads the other columns, and names the file.
func TestNewer(t *testing.T) {
	t.Parallel()
	type row struct {
		ID          int64  `parquet:"id"`
		CreatedAtUS int64  `parquet:"created_at_us"`
		Action      string `parquet:"action,optional"`
		Colour      string `parquet:"colour,optional"`
	}
	var b bytes.Buffer
	if err := pq.Write(&b, []row{{1, day1.UnixMicro(), "Login", "blue"}}, pq.Compression(&pq.Zstd),
		pq.KeyValueMetadata("houndtrail.tenant", tenant), pq.KeyValueMetadata("houndtrail.version", "9.9.9"),
		pq.KeyValueMetadata("houndtrail.window_start", "2026-03-01T00:00:00Z"),
		pq.KeyValueMetadata("houndtrail.window_end", "2026-03-01T01:00:00Z")); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "parquet")
	w.put(read.Object{Tenant: tenant, Day: day1, Start: day1, Extension: ".parquet"}.Key(), b.Bytes())
	for _, tail := range []int{16, 1 << 20} {
		got, a, err := w.run(search.Options{Tail: tail, Filters: by("action=eq:Login")})
		if err != nil || len(a.Problems) != 1 || !errors.Is(a.Problems[0], read.ErrNewer) ||
			!strings.Contains(a.Problems[0].Error(), "without colour; run version 9.9.9") {
			t.Errorf("%v, problems %v", err, a.Problems)
		}
		const want = `{"id":1,"created_at":"2026-03-01T00:00:00Z","actor_id":null,"actor_name":null,"actor_email":null,"action":"Login",` +
			`"fields":null,"request_id":null,"source_ip_address":null,"status":null,"commit_id":null}`
		if len(got) != 1 || got[0].Raw != want {
			t.Errorf("%+v", got)
		}
	}
}

// TestFilters: the meaning of filters and bounds, case by case.
func TestFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet")
	at := day1.Add(time.Hour)
	w.write(at,
		recordOf(t, 1, at, `,"status":"success","actor_name":"Alice"`),
		recordOf(t, 2, at.Add(time.Microsecond), `,"status":"","actor_name":"bob","source_ip_address":"192.0.2.7"`),
		recordOf(t, 3, at.Add(time.Second), `,"status":null,"actor_name":"null"`),
		recordOf(t, 4, at.Add(time.Minute), `,"source":"192.0.2.7"`),
	)
	for name, test := range map[string]struct {
		o    search.Options
		want []int64
	}{
		"equal":                  {search.Options{Filters: by("status=eq:success")}, []int64{1}},
		"not equal":              {search.Options{Filters: by("status=neq:success")}, []int64{2}},
		"without a value":        {search.Options{Filters: by("status=eq:null")}, []int64{2, 3, 4}},
		"with a value":           {search.Options{Filters: by("status=neq:null")}, []int64{1}},
		"a part":                 {search.Options{Filters: by("actor_name=~eq:LI")}, []int64{1}},
		"the old name":           {search.Options{Filters: by("source=eq:192.0.2.7")}, []int64{2, 4}},
		"two":                    {search.Options{Filters: by("id=gte:2&id=lte:3")}, []int64{2, 3}},
		"two that exclude":       {search.Options{Filters: by("status=eq:success&status=eq:failure")}, nil},
		"the greatest number":    {search.Options{Filters: by("id=gt:9223372036854775807")}, nil},
		"the lowest number":      {search.Options{Filters: by("id=lt:-9223372036854775808")}, nil},
		"after, included":        {search.Options{After: at.Add(time.Microsecond)}, []int64{2, 3, 4}},
		"after, within a micro":  {search.Options{After: at.Add(time.Nanosecond)}, []int64{2, 3, 4}},
		"before, included":       {search.Options{Before: at.Add(time.Second)}, []int64{1, 2, 3}},
		"before, within a micro": {search.Options{Before: at.Add(time.Second - 1)}, []int64{1, 2}},
		"another offset": {
			search.Options{Filters: by("created_at=eq:2026-03-01T03:00:01+02:00")}, []int64{3},
		},
		"left out": {search.Options{Skip: 1, Limit: 2}, []int64{2, 3}},
	} {
		test.o.OldestFirst = true
		if diff := cmp.Diff(test.want, ids(w.find(test.o))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestListings: the search lists days by the month or all at once. Each day comes once and in order.
func TestListings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "parquet")
	w.put(read.ProbeKey(tenant), []byte("a compaction's working state is no file of the archive"))
	for i, months := range []int{-40, -30, -26, -25, -24, -23, -13, -2, -1, 0} {
		for j, at := range []time.Time{day1.AddDate(0, months, 0), day1.AddDate(0, months+1, -1)} {
			w.write(at, recordOf(t, int64(10*i+j+1), at.Add(time.Hour), ""))
		}
	}
	all := ids(w.records)
	for _, before := range []time.Time{day1.AddDate(0, 1, -1).Add(2 * time.Hour), day1.AddDate(0, 3, 0), day1.AddDate(4, 0, 0)} {
		for _, from := range []int{0, 1, 2, 5, 8, 11, 15, 18, 19} {
			for _, oldest := range []bool{true, false} {
				o := search.Options{Before: before, OldestFirst: oldest, After: w.records[from].CreatedAt}
				if from == 0 {
					o.After = time.Time{}
				}
				want := slices.Clone(all[from:])
				if !oldest {
					slices.Reverse(want)
				}
				if diff := cmp.Diff(want, ids(w.find(o))); diff != "" {
					t.Errorf("from %d to %s, oldest first %t (-want +got):\n%s", from, before, oldest, diff)
				}
			}
		}
	}
}
