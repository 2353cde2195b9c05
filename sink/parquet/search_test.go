package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// searchedRecords fill several pages of each column, in three row groups: the one in the middle is a large record's.
func searchedRecords() []record.Record {
	records := make([]record.Record, 75_000)
	for i := range records {
		r := record.Record{
			ID: int64(i + 1 + (i%7)*3), CreatedAt: epoch.Add(time.Duration(i) * time.Millisecond),
			ActorName: fmt.Sprintf("user.%d", i%97), Action: fmt.Sprintf("Action%d", i/5000), Fields: fmt.Sprintf(`{"n":%d}`, i),
			RequestID: fmt.Sprintf("00000000-0000-0000-0000-%012d", i/2), CommitID: fmt.Sprintf("c%d", i/2*7919%100_000),
			Status: []string{"intent", "success"}[i%2], Absent: record.Of("actor_email"),
		}
		if i == 70_000 {
			r.Fields = `"` + strings.Repeat("x", largeFields) + `"`
		}
		if i%1000 < 30 {
			r.Status, r.Absent = "", r.Absent|record.Of("status")
		}
		records[i] = r
	}
	return records
}

// counting counts the bytes and the requests of a reader, except in the tail, which a store reads as it opens the file.
type counting struct {
	*bytes.Reader

	reads, bytes int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	if off < c.Size()-32<<10 {
		c.reads++
		c.bytes += n
	}
	return n, err
}

var everything = Range{math.MinInt64, math.MaxInt64}

// question is a query with a plain filter that means the same.
func question(ids, instants Range, equal map[string]string, extra func(*record.Record) bool) Query {
	q := Query{IDs: ids, Instants: func() Range { return instants }, Equal: equal}
	for name := range equal {
		q.Columns |= record.Of(name)
	}
	q.Match = func(r *record.Record) bool {
		for _, c := range record.Columns() {
			if want, ok := equal[c.Name]; ok && (r.Absent.Has(record.Of(c.Name)) || *c.Value(r) != want) {
				return false
			}
		}
		at := r.CreatedAt.UnixMicro()
		return ids.Low <= r.ID && r.ID <= ids.High && instants.Low <= at && at <= instants.High && (extra == nil || extra(r))
	}
	return q
}

func search(t *testing.T, file *counting, q Query) []record.Record {
	t.Helper()
	f, err := OpenAt(file, file.Size())
	if err != nil {
		t.Fatal(err)
	}
	var got []record.Record
	if err := f.Search(q, func(r *record.Record) error { got = append(got, *r); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSearch(t *testing.T) {
	t.Parallel()
	records := searchedRecords()
	file := &counting{Reader: bytes.NewReader(encode(t, NewEncoder(meta), records))}
	t.Run("plain filter", func(t *testing.T) { searchLikeFilter(t, records, file) })
	t.Run("borders", func(t *testing.T) { searchBorders(t, records, file) })
	t.Run("cost", func(t *testing.T) { searchCost(t, records, file) })
}

// A search finds exactly the same records as a plain filter over all records, with and without the indexes.
func searchLikeFilter(t *testing.T, records []record.Record, file *counting) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	one := func() *record.Record { return &records[rnd.IntN(len(records))] }
	between := func(value func(*record.Record) int64) Range {
		a, b := value(one()), value(one())
		return Range{min(a, b), min(max(a, b), min(a, b)+20_000)}
	}
	for n := range 15 {
		ids, instants, equal := everything, everything, map[string]string{}
		if n%3 == 0 {
			ids = between(func(r *record.Record) int64 { return r.ID })
		}
		if n%4 == 0 {
			instants = between(func(r *record.Record) int64 { return r.CreatedAt.UnixMicro() })
			instants.High = instants.Low + int64(rnd.IntN(3_000_000))
		}
		for _, c := range record.Columns() {
			if c.Kind != record.JSON && (rnd.IntN(6) == 0 || n%5 == 0 && c.Name == "request_id") {
				equal[c.Name] = *c.Value(one())
			}
		}
		only := rnd.IntN(400)
		q := question(ids, instants, equal, func(r *record.Record) bool { return only > 200 || r.ID%int64(only+300) == 0 })
		q.Whole, q.Backwards, q.Most = n%6 == 1, n%2 == 1, []int{0, 1, 700}[n%3]
		var want []record.Record
		for i := range records {
			if q.Match(&records[i]) {
				want = append(want, records[i])
			}
		}
		want = useful(want, q)
		if got := search(t, file, q); !slices.Equal(want, got) {
			t.Fatalf("ids %v, instants %v, equal %v, whole %t (-want +got):\n%.2000s", ids, instants, equal, q.Whole, cmp.Diff(want, got))
		}
	}
}

// useful are the first or the last records of each row group, as a search gives them. In the middle is one record's own.
func useful(records []record.Record, q Query) (all []record.Record) {
	var groups [3][]record.Record
	for _, r := range records {
		row := int(r.CreatedAt.Sub(epoch) / time.Millisecond)
		i := min(max(row-69_999, 0), 2)
		groups[i] = append(groups[i], r)
	}
	if q.Backwards {
		slices.Reverse(groups[:])
	}
	for _, g := range groups {
		switch {
		case q.Most == 0 || len(g) <= q.Most:
		case q.Backwards:
			g = g[len(g)-q.Most:]
		default:
			g = g[:q.Most]
		}
		all = append(all, g...)
	}
	return all
}

// A search finds the records at the borders of pages and of row groups.
func searchBorders(t *testing.T, records []record.Record, file *counting) {
	t.Helper()
	for _, i := range []int{0, 1, 32767, 32768, 65535, 65536, 69_999, 70_000, 70_001, 74_999} {
		r := &records[i]
		at := r.CreatedAt.UnixMicro()
		for _, q := range []Query{
			question(everything, Range{at, at}, nil, nil), question(Range{r.ID, r.ID}, Range{at, at}, nil, nil),
			question(everything, everything, map[string]string{"request_id": r.RequestID}, func(o *record.Record) bool { return o.ID == r.ID }),
		} {
			if got := search(t, file, q); len(got) != 1 || got[0] != *r {
				t.Errorf("record %d: %d were found", i, len(got))
			}
		}
	}
}

// One id, one request or one commit costs some pages of the file.
func searchCost(t *testing.T, records []record.Record, file *counting) {
	t.Helper()
	r := records[50_000]
	for name, test := range map[string]struct {
		query        Query
		found        int
		reads, bytes int
	}{
		"an id":      {question(Range{r.ID, r.ID}, everything, nil, nil), 1, 12, 90_000},
		"no id":      {question(Range{1e9, 1e9}, everything, nil, nil), 0, 0, 0},
		"a request":  {question(everything, everything, map[string]string{"request_id": r.RequestID}, nil), 2, 14, 90_000},
		"no request": {question(everything, everything, map[string]string{"request_id": "00000000-0000-0000-0000-00000000000x"}, nil), 0, 2, 2000},
		"a commit":   {question(everything, everything, map[string]string{"commit_id": r.CommitID}, nil), 2, 14, 170_000},
		"a moment":   {question(everything, Range{r.CreatedAt.UnixMicro(), r.CreatedAt.UnixMicro() + 999}, nil, nil), 1, 12, 90_000},
		"no e-mail":  {question(everything, everything, map[string]string{"actor_email": "x"}, nil), 0, 0, 0},
		"no status":  {question(everything, everything, map[string]string{"status": "failure"}, nil), 0, 0, 0},
	} {
		file.reads, file.bytes = 0, 0
		got := search(t, file, test.query)
		t.Logf("%s: %d found, %d reads, %d of %d bytes", name, len(got), file.reads, file.bytes, file.Size())
		if len(got) != test.found || file.reads > test.reads || file.bytes > test.bytes {
			t.Errorf("%s: %d found, %d reads, %d bytes; want %d, at most %d and %d",
				name, len(got), file.reads, file.bytes, test.found, test.reads, test.bytes)
		}
	}
}

// Whatever byte of a page is another, a search has all records or an error.
func TestSearchDamaged(t *testing.T) {
	t.Parallel()
	records := searchedRecords()[:2000:2000]
	whole := encode(t, NewEncoder(meta), records)
	f, err := OpenAt(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	pages := int(f.file.Metadata().RowGroups[0].Columns[0].MetaData.BloomFilterOffset)
	for _, c := range f.file.Metadata().RowGroups[0].Columns {
		pages = max(pages, int(c.MetaData.DataPageOffset+c.MetaData.TotalCompressedSize))
	}
	q := question(everything, everything, nil, nil)
	damaged, undetected := bytes.Clone(whole), 0
	for i := 4; i < pages; i += 61 {
		damaged[i] ^= 0x55
		n := 0
		f, err := OpenAt(bytes.NewReader(damaged), int64(len(damaged)))
		if err == nil {
			err = f.Search(q, func(r *record.Record) error {
				if records[n] != *r {
					undetected++
				}
				n++
				return nil
			})
		}
		if err == nil && n != len(records) {
			t.Errorf("byte %d is another: %d records of %d, and no error", i, n, len(records))
		}
		damaged[i] = whole[i]
	}
	if undetected > 0 {
		t.Errorf("%d records are others, and no error", undetected)
	}
}

// A search waits for its memory, and gives it back.
func TestSearchMemory(t *testing.T) {
	t.Parallel()
	whole := encode(t, NewEncoder(meta), searchedRecords()[:1000])
	f, err := OpenAt(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	held := int64(0)
	q := question(everything, everything, nil, nil)
	q.Borrow = func(n int64) (func(), error) {
		held += n
		return func() { held -= n }, nil
	}
	stop := errors.New("stop")
	err = f.Search(q, func(*record.Record) error {
		if held < 1000*rowBytes {
			t.Errorf("%d bytes are borrowed for 1000 records", held)
		}
		return stop
	})
	if !errors.Is(err, stop) || held != 0 {
		t.Errorf("%v; %d bytes are not given back", err, held)
	}
	q.Borrow = func(int64) (func(), error) { return nil, stop }
	if err := f.Search(q, nil); !errors.Is(err, stop) {
		t.Errorf("without memory: %v", err)
	}
}

// A file whose rows are not in order is refused: a search for the last records would leave some out.
func TestSearchOrder(t *testing.T) {
	t.Parallel()
	records := searchedRecords()[:100:100]
	records[40], records[41] = records[41], records[40]
	var b bytes.Buffer
	if err := NewEncoder(meta).encode(&file{counted: counted{Writer: &b}}, win, records); err != nil {
		t.Fatal(err)
	}
	f, err := OpenAt(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	q := question(everything, everything, nil, nil)
	if err := f.Search(q, func(*record.Record) error { return nil }); !errors.Is(err, ErrOrder) {
		t.Errorf("rows that are not in order: %v", err)
	}
}
