package bloodhound

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

func unprintableSpans(start time.Time) map[string]shelved {
	end := start.Add(shelvedFor - grain)
	tied := everyMinute(start)
	for i := 700; i < 705; i++ {
		tied.at[i] = tied.at[700]
	}
	tied.bad = []int{701, 703}
	crowd := everyMinute(start) // more rows of one instant than fit on a page
	for i := 700; i < 1000; i++ {
		crowd.at[i] = crowd.at[700]
	}
	behind := shelved{at: slices.Clone(crowd.at), bad: []int{699}}
	crowd.bad = []int{710, 850, 999}
	ends := everyMinute(start, 0, 1439)
	ends.at[1439] = end
	neighbours := everyMinute(start, 500, 501, 502)
	neighbours.at[501], neighbours.at[502] = neighbours.at[500].Add(grain), neighbours.at[500].Add(2*grain)
	return map[string]shelved{
		"one":                           everyMinute(start, 777),
		"several":                       everyMinute(start, 3, 500, 501, 1290, 1400),
		"both ends of the span":         ends,
		"two of one instant":            tied,
		"some of a crowd":               crowd,
		"behind a crowd":                behind,
		"instants in a row":             neighbours,
		"all there is":                  {at: []time.Time{start.Add(time.Hour)}, bad: []int{0}},
		"at the very end, all there is": {at: []time.Time{end}, bad: []int{0}},
	}
}

// On every server, a row that it cannot print stops the export with an error about the row, or is a hole beside all other rows.
func TestRowsThatAServerCannotPrint(t *testing.T) {
	start := shelfStart()
	end := start.Add(shelvedFor - grain)
	for _, profile := range bloodhoundtest.Profiles {
		for name, span := range unprintableSpans(start) {
			t.Run(string(profile)+" stops at "+name, func(t *testing.T) {
				server := span.serve(profile)
				c := reads(t, server, false)
				_, err := readSpan(t, c, start, end)
				bad, ok := errors.AsType[*BadRecordError](err)
				if !ok || !slices.ContainsFunc(span.bad, func(i int) bool { return span.at[i].Equal(bad.CreatedAt) }) {
					t.Fatalf("error %v", err)
				}
				resttest.WantText(t, err, page.FormatTime(bad.CreatedAt), "500", "internal error", "audit_logs", "HOUNDTRAIL_ON_BAD_RECORD=quarantine",
					bad.Position)
				if bad.Raw != nil || bad.ID != 0 {
					t.Errorf("the server never showed it: %+v", bad)
				}
				first := resttest.RequestsFor(server, AuditPath)
				if first > 130 {
					t.Errorf("%d requests to find one row", first)
				}
				if _, err := readSpan(t, c, start, end); err == nil || resttest.RequestsFor(server, AuditPath)-first > 40 {
					t.Errorf("%d requests to find it once more: %v", resttest.RequestsFor(server, AuditPath)-first, err)
				}
				repaired := span
				repaired.bad = nil
				server.Restore(repaired.rows()...)
				got, err := readSpan(t, c, start, end)
				if err != nil {
					t.Fatal(err)
				}
				if err := repaired.differs(got); err != nil {
					t.Error(err)
				}
				if len(c.suspects.known) > 0 {
					t.Errorf("%v are suspected although they were answered", c.suspects.known)
				}
			})
			t.Run(string(profile)+" goes on without "+name, func(t *testing.T) {
				server := span.serve(profile)
				c := reads(t, server, true)
				var requests [2]int
				for i := range requests {
					before := resttest.RequestsFor(server, AuditPath)
					got, err := readSpan(t, c, start, end)
					if err != nil {
						t.Fatal(err)
					}
					if err := span.differs(got); err != nil {
						t.Error(err)
					}
					requests[i] = resttest.RequestsFor(server, AuditPath) - before
				}
				if want := requests[0] - 30; requests[1] > want {
					t.Errorf("%d requests, and once the instants are known %d", requests[0], requests[1])
				}
			})
		}
	}
}

// A bad moment of the server is no bad row, even if it takes long to find that out.
func TestBadMoment(t *testing.T) {
	start := shelfStart()
	span := everyMinute(start)
	for _, quarantine := range []bool{false, true} {
		server := span.serve(bloodhoundtest.V84)
		server.Fault(faults.Sequence(nil, faults.InternalError(), faults.InternalError(), faults.InternalError()))
		got, err := readSpan(t, reads(t, server, quarantine), start, start.Add(shelvedFor))
		if err != nil {
			t.Fatal(err)
		}
		if err := span.differs(got); err != nil {
			t.Error(err)
		}
	}
}

// A row is bad if the server breaks down over it each time, and not if the server only had bad moments.
func TestBadMomentsOverOneRow(t *testing.T) {
	at := shelfStart()
	span := shelved{at: []time.Time{at}}
	server := span.serve(bloodhoundtest.V84)
	down := faults.InternalError()
	// The requests: the page, one beside it, the row three times, one beside it. Then the server answers the row.
	server.Fault(faults.Sequence(down, nil, down, down, down, nil))
	got, err := readSpan(t, reads(t, server, true), at, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := span.differs(got); err != nil {
		t.Error(err)
	}
}

// If the server answers a page at the third try, the client searches for no row.
func TestShortBadMoment(t *testing.T) {
	start := shelfStart()
	server := everyMinute(start).serve(bloodhoundtest.V84)
	c := reads(t, server, false)
	var requests [2]int
	for i := range requests {
		before := resttest.RequestsFor(server, AuditPath)
		if _, err := readSpan(t, c, start, start.Add(shelvedFor)); err != nil {
			t.Fatal(err)
		}
		requests[i] = resttest.RequestsFor(server, AuditPath) - before
		server.Fault(faults.Next(2, faults.InternalError()))
	}
	if requests[1] != requests[0]+2 {
		t.Errorf("%d requests, and %d with two that failed", requests[0], requests[1])
	}
}

// If a server breaks down over pages, and over no row of them, the error says so, after some searching.
func TestServerThatBreaksDownOverPages(t *testing.T) {
	start := shelfStart()
	for _, quarantine := range []bool{false, true} {
		server := everyMinute(start).serve(bloodhoundtest.V84)
		server.Fault(faults.When(func(r *http.Request) bool { return r.URL.Query().Get("limit") == "100" },
			faults.InternalError()))
		_, err := readSpan(t, reads(t, server, quarantine), start, start.Add(shelvedFor))
		if bad, ok := errors.AsType[*BadRecordError](err); ok || asError(t, err).Kind != rest.Server {
			t.Errorf("error %v, row %v", err, bad)
		}
		if n := resttest.RequestsFor(server, AuditPath); n > 350 {
			t.Errorf("%d requests", n)
		}
	}
}

// Whatever rows are bad, quarantine delivers exactly the other rows, each once, and one hole for each bad row.
func TestQuarantineDeliversTheOthers(t *testing.T) {
	start := shelfStart()
	rapid.Check(t, func(rt *rapid.T) {
		spread := rapid.SampledFrom([]int64{1, 3, 40, 1e9}).Draw(rt, "spread")
		var span shelved
		for i := range rapid.IntRange(0, 40).Draw(rt, "rows") {
			span.at = append(span.at, start.Add(time.Duration(rapid.Int64Range(0, spread-1).Draw(rt, "at"))*grain))
			if rapid.IntRange(0, 7).Draw(rt, "bad") == 0 {
				span.bad = append(span.bad, i)
			}
		}
		server := span.serve(rapid.SampledFrom(bloodhoundtest.Profiles).Draw(rt, "profile"))
		c := reads(t, server, true)
		c.limit.Store(int64(rapid.IntRange(1, 12).Draw(rt, "page")))
		for range 2 {
			got, err := readSpan(t, c, start, start.Add(time.Duration(spread)*grain))
			if err != nil {
				rt.Fatal(err)
			}
			if err := span.differs(got); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

// If there are more bad rows than a person would look at one by one, the export stops.
func TestTooManyHoles(t *testing.T) {
	start := shelfStart()
	var span shelved
	for i := range maxHoles + 1 {
		span.at, span.bad = append(span.at, start.Add(time.Hour)), append(span.bad, i)
	}
	server := span.serve(bloodhoundtest.V84)
	_, err := readSpan(t, reads(t, server, true), start, start.Add(shelvedFor))
	resttest.WantText(t, err, fmt.Sprintf("more than %d rows", maxHoles))
}

// Memory is bounded also while the client searches for a bad row among many rows of the same instant.
func TestLimitsAroundBadRows(t *testing.T) {
	start := shelfStart()
	span := unprintableSpans(start)["some of a crowd"]
	c := reads(t, span.serve(bloodhoundtest.V84), true)
	crowded := span.at[700]
	c.suspects.add(crowded)
	b, err := c.Fetch(t.Context(), start, crowded, Limits{Records: 120, Since: start})
	if tooMany, ok := errors.AsType[*TooManyError](err); !ok {
		t.Errorf("error %v", err)
	} else if tooMany.Fill > 4 { // the client notices before it has read all 301 rows
		t.Errorf("fill %v", tooMany.Fill)
	}
	if b != nil {
		b.Release()
	}
}

func TestSuspects(t *testing.T) {
	var s suspects
	at := func(i int) time.Time { return epoch.Add(time.Duration(i) * time.Second) }
	for i := range maxHoles + 3 {
		s.add(at(i))
		s.add(at(i))
	}
	if len(s.known) != maxHoles {
		t.Errorf("%d instants are remembered", len(s.known))
	}
	for _, tc := range []struct{ after, before, want int }{{0, 2, -1}, {0, 3, 3}, {3, 3, 3}, {10, 20, 20}, {0, 1000, maxHoles + 2}} {
		got, ok := s.newest(at(tc.after), at(tc.before))
		if ok != (tc.want >= 0) || ok && !got.Equal(at(tc.want)) {
			t.Errorf("the newest one of %d to %d is %s, %v; want %d", tc.after, tc.before, got, ok, tc.want)
		}
	}
	s.forget(at(20))
	if got, _ := s.newest(at(10), at(20)); !got.Equal(at(19)) {
		t.Errorf("the newest one that is left is %s", got)
	}
}
