package bloodhound

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

var epoch = time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC)

// A model is a server with only the features that a walk depends on.
type model struct {
	rows        []record.Record
	clamp       int64 // the largest page that it serves; 0 for any
	silent      bool  // the envelope has no limit
	oldestFirst bool
	deafSkip    bool // ignores skip and offset
	deafBefore  bool
	lag         func() int // how many of the newest ids the next replica to answer lacks; nil for none
}

func (m *model) answer(q Query) ([]record.Record, int64) {
	var hits []record.Record
	rows := m.rows
	if m.lag != nil {
		rows = rows[:max(len(rows)-m.lag(), 0)]
	}
	for _, r := range rows {
		if !r.CreatedAt.Before(q.After) && (m.deafBefore || !r.CreatedAt.After(q.Before)) {
			hits = append(hits, r)
		}
	}
	slices.SortFunc(hits, func(a, b record.Record) int { return record.Compare(&a, &b) })
	if !m.oldestFirst {
		slices.Reverse(hits)
	}
	if !m.deafSkip {
		hits = hits[min(q.Skip, len(hits)):]
	}
	limit := int64(q.Limit)
	if m.clamp > 0 {
		limit = min(limit, m.clamp)
	}
	hits = hits[:min(int(limit), len(hits))]
	if m.silent {
		limit = -1
	}
	return hits, limit
}

func (m *model) walk(after, before time.Time, limit func() int) (got []record.Record, requests int, err error) {
	w := newWalk(after, before)
	for requests = 1; ; requests++ {
		if requests > 10_000 {
			panic("the walk does not end")
		}
		q := w.query(w.limit(limit(), len(got)))
		records, echo := m.answer(q)
		got = append(got, records...)
		done, err := w.advance(page.Page{Records: records, Limit: echo}.Ends(), q.Limit)
		if err != nil || done {
			return got, requests, err
		}
	}
}

// The last pages of a span have up to a tenth more than the others if that saves a request.
func TestPagesAreStretched(t *testing.T) {
	for _, tc := range []struct{ rows, requests int }{
		{80, 1}, {105, 2}, {200, 2}, {208, 2}, {212, 3}, {300, 3}, {315, 3}, {325, 4}, {1080, 10}, {1100, 11},
	} {
		m := model{}
		for i := range tc.rows {
			m.rows = append(m.rows, record.Record{ID: int64(i + 1), CreatedAt: epoch.Add(time.Duration(i) * time.Second)})
		}
		got, requests, err := m.walk(epoch, epoch.Add(time.Duration(tc.rows)*time.Second), func() int { return 100 })
		if err != nil || requests != tc.requests {
			t.Errorf("%d rows take %d requests, want %d; %v", tc.rows, requests, tc.requests, err)
		}
		if again := len(got) - tc.rows; again < 0 || again >= requests {
			t.Errorf("of %d rows %d were read", tc.rows, len(got))
		}
	}
}

// Whatever the page size, the ties and the server's habits, the walk reads every row of the span and nothing else.
func TestWalkReadsTheWholeSpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{
			clamp:       rapid.SampledFrom([]int64{0, 0, 1, 2, 7}).Draw(t, "clamp"),
			silent:      rapid.Bool().Draw(t, "silent"),
			oldestFirst: rapid.IntRange(0, 3).Draw(t, "order") == 0,
		}
		n := rapid.IntRange(0, 60).Draw(t, "rows")
		spread := rapid.SampledFrom([]int{1, 3, 20, 1000}).Draw(t, "spread") // few instants: many ties
		want := map[int64]bool{}
		for i := range n {
			at := epoch.Add(time.Duration(rapid.IntRange(0, spread-1).Draw(t, "at")) * time.Microsecond)
			m.rows = append(m.rows, record.Record{ID: int64(i + 1), CreatedAt: at})
		}
		after := epoch.Add(time.Duration(rapid.IntRange(0, spread/4).Draw(t, "after")) * time.Microsecond)
		before := epoch.Add(time.Duration(rapid.IntRange(spread/2, spread).Draw(t, "before")) * time.Microsecond)
		for _, r := range m.rows {
			if !r.CreatedAt.Before(after) && !r.CreatedAt.After(before) {
				want[r.ID] = true
			}
		}
		limits := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 4).Draw(t, "limits")
		i := 0
		got, _, err := m.walk(after, before, func() int { i++; return limits[i%len(limits)] })
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			if r.CreatedAt.Before(after) || r.CreatedAt.After(before) {
				t.Fatalf("row %d is outside the span", r.ID)
			}
			delete(want, r.ID)
		}
		if len(want) > 0 {
			t.Fatalf("%d rows were not read: %v", len(want), want)
		}
	})
}

func TestWalkCost(t *testing.T) {
	m := model{}
	for i := range 10_000 {
		m.rows = append(m.rows, record.Record{ID: int64(i), CreatedAt: epoch.Add(time.Duration(i) * time.Second)})
	}
	_, requests, err := m.walk(epoch, epoch.Add(24*time.Hour), func() int { return 1001 })
	if err != nil || requests != 10 { // 10,000 rows and 9 repeated edges in pages of 1001, the last one short
		t.Errorf("%d requests, err %v; want 10", requests, err)
	}
	if m.silent = true; true {
		_, requests, err = m.walk(epoch, epoch.Add(24*time.Hour), func() int { return 1001 })
		if err != nil || requests > 12 {
			t.Errorf("%d requests without an echoed limit, err %v; want 12 at most", requests, err)
		}
	}
}

// If rows come in during a walk, the walk loses none of the earlier rows, and does not give up. A page may look like the
// previous one, because as many rows came in ahead of it as it skips.
func TestWalkWhileRowsComeIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{silent: rapid.Bool().Draw(t, "silent"), oldestFirst: rapid.IntRange(0, 3).Draw(t, "order") == 0}
		draw := func(n int) {
			for range n {
				at := epoch.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "at")) * time.Microsecond)
				m.rows = append(m.rows, record.Record{ID: int64(len(m.rows) + 1), CreatedAt: at})
			}
		}
		draw(rapid.IntRange(1, 12).Draw(t, "rows"))
		want := len(m.rows)
		limit, when, requests := rapid.IntRange(1, 5).Draw(t, "limit"), rapid.IntRange(2, 5).Draw(t, "when"), 0
		got, _, err := m.walk(epoch, epoch.Add(time.Second), func() int {
			if requests++; requests == when {
				draw(rapid.IntRange(1, 6).Draw(t, "more"))
			}
			return limit
		})
		if err != nil {
			t.Fatal(err)
		}
		read := map[int64]bool{}
		for _, r := range got {
			read[r.ID] = true
		}
		for _, r := range m.rows[:want] {
			if !read[r.ID] {
				t.Fatalf("row %d was there from the beginning, and was not read", r.ID)
			}
		}
	})
}

// If replicas that lack the newest rows answer some requests, the walk still reads all rows that every replica has.
func TestWalkAcrossReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{clamp: rapid.SampledFrom([]int64{0, 0, 5}).Draw(t, "clamp")}
		spread := rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "spread")
		for i := range rapid.IntRange(1, 40).Draw(t, "rows") {
			at := epoch.Add(time.Duration(i*spread/40) * time.Microsecond)
			m.rows = append(m.rows, record.Record{ID: int64(i + 1), CreatedAt: at})
		}
		late := rapid.IntRange(0, len(m.rows)).Draw(t, "late")
		want := map[int64]bool{}
		for _, r := range m.rows[:len(m.rows)-late] {
			want[r.ID] = true
		}
		lags := rapid.SliceOfN(rapid.IntRange(0, late), 1, 3).Draw(t, "lags")
		requests := 0
		m.lag = func() int { requests++; return lags[requests*len(lags)/12%len(lags)] }
		got, _, err := m.walk(epoch, epoch.Add(time.Second), func() int { return rapid.IntRange(2, 9).Draw(t, "limit") })
		if err != nil && (strings.Contains(err.Error(), "ignores skip") || strings.Contains(err.Error(), "another order each time")) {
			return // the cycle fails, and loses nothing
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			delete(want, r.ID)
		}
		if len(want) > 0 {
			t.Fatalf("%d rows that every replica has were not read: %v", len(want), want)
		}
	})
}

func TestWalkRefusesServersThatLoseRecords(t *testing.T) {
	var rows []record.Record
	for i := range 30 {
		rows = append(rows, record.Record{ID: int64(i), CreatedAt: epoch.Add(time.Duration(i/10) * time.Second)})
	}
	for _, tc := range []struct {
		name, reason string
		m            model
	}{
		{"skip ignored inside one instant", "ignores skip", model{rows: rows, deafSkip: true}},
		{"skip ignored, oldest first", "ignores skip", model{rows: rows, deafSkip: true, oldestFirst: true}},
		{"before ignored", "ignores before", model{rows: rows, deafBefore: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := tc.m.walk(epoch, epoch.Add(1500*time.Millisecond), func() int { return 5 })
			if err == nil || !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("error %v, want one that says %q", err, tc.reason)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	since, before := epoch, epoch.Add(time.Hour) // with ten minutes of overlap before them
	counting := func(n int, bytes int64) *batch { return &batch{counted: n, bytes: bytes} }
	for _, tc := range []struct {
		name   string
		limits Limits
		b      *batch
		oldest time.Time
		fill   float64 // 0: let pass
	}{
		{"no limits", Limits{}, counting(100, 1<<30), before, 0},
		{"on course", Limits{Records: 1000}, counting(100, 0), before.Add(-6 * time.Minute), 0},
		{"a little too dense by a little that was read", Limits{Records: 1000}, counting(100, 0), before.Add(-5 * time.Minute), 0},
		{"a little too dense by much that was read", Limits{Records: 1000}, counting(900, 0), before.Add(-45 * time.Minute), 1.2},
		{"far too dense", Limits{Records: 1000}, counting(100, 0), before.Add(-3 * time.Minute), 2},
		{"too many already", Limits{Records: 80}, counting(100, 0), since.Add(time.Microsecond), 1.25},
		{"only overlap is left", Limits{Records: 99}, counting(100, 0), since.Add(-time.Minute), 0},
		{"one instant", Limits{Records: 1000}, counting(100, 0), before, 0},
		{"too many bytes", Limits{Records: 1000, Bytes: 1 << 20}, counting(100, 4<<20), since.Add(time.Microsecond), 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.limits.Since = since
			err := tc.limits.check(tc.b, tc.oldest, before)
			if tc.fill == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if tooMany, ok := err.(*TooManyError); !ok || math.Abs(tooMany.Fill-tc.fill) > 0.001 { //nolint:errorlint // it comes bare
				t.Errorf("error %v, want a fill of %v", err, tc.fill)
			}
		})
	}
}

// A full window has whole pages: another record costs another request.
func TestFill(t *testing.T) {
	for _, tc := range []struct {
		name          string
		limits        Limits
		rows, counted int
		bytes         int64
		page          int
		want          float64
	}{
		{"no limits", Limits{}, 100, 100, 1000, 10, 0},
		{"by records", Limits{Records: 1002}, 100, 100, 0, 10, 0.1},
		{"by records in whole pages, with room for a stretched one", Limits{Records: 1009}, 100, 100, 0, 10, 0.1},
		{"a page less if there is no room", Limits{Records: 1000}, 99, 99, 0, 10, 0.1},
		{"by bytes", Limits{Records: 1002, Bytes: 5010}, 100, 100, 1000, 10, 0.2},
		{"the overlap takes its part of the pages", Limits{Records: 1002}, 600, 100, 0, 10, 0.2},
		{"less than a page", Limits{Records: 100}, 50, 50, 0, 500, 0.5},
		{"nothing", Limits{Records: 100}, 0, 0, 0, 500, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &batch{rows: tc.rows, counted: tc.counted, bytes: tc.bytes}
			if got := tc.limits.fill(b, tc.page); math.Abs(got-tc.want) > 0.001 {
				t.Errorf("fill %v, want %v", got, tc.want)
			}
		})
	}
}
