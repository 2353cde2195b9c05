package bloodhound

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// endless is a log with bad rows, of one kind, at one end or both.
type endless struct {
	shelved
	how string // "unprintable", or one of worse
}

func (l endless) serve(profile bloodhoundtest.Profile) *bloodhoundtest.Server {
	if l.how == "unprintable" {
		return l.shelved.serve(profile)
	}
	how := map[int64]string{}
	for _, i := range l.bad {
		how[int64(i+1)] = l.how
	}
	good := l.shelved
	good.bad = nil
	server := good.serve(profile)
	server.Fault(spoil(how))
	return server
}

func badKinds() []string {
	kinds := []string{"unprintable"}
	for kind := range worse {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// asked counts the requests of a question.
func asked(server *bloodhoundtest.Server, question func()) int {
	before := resttest.RequestsFor(server, AuditPath)
	question()
	return resttest.RequestsFor(server, AuditPath) - before
}

// halfHourly is a day with a row each half hour. Their ids count from 1.
func halfHourly(start time.Time, bad ...int) shelved {
	s := shelved{bad: bad}
	for i := range 48 {
		s.at = append(s.at, start.Add(time.Duration(i)*30*time.Minute))
	}
	return s
}

// named checks that the error names the row at an instant, and says what the user can do.
func named(t *testing.T, err error, at time.Time, how string) {
	t.Helper()
	bad, ok := errors.AsType[*BadRecordError](err)
	if !ok || !bad.CreatedAt.Equal(at) {
		t.Errorf("error %v, want the row of %s", err, at)
		return
	}
	if (bad.Raw == nil) != (how == "unprintable") {
		t.Errorf("bytes %q", bad.Raw)
	}
	resttest.WantText(t, err, page.FormatTime(at), bad.Position, "loses nothing", "audit_logs", "HOUNDTRAIL_ON_BAD_RECORD=quarantine")
}

// The client names a bad row at the beginning of the log, or goes on from there, whatever the fault of the row.
func TestBadBeginning(t *testing.T) {
	start := shelfStart().Add(time.Minute + 123*grain)
	now := time.Now()
	for _, profile := range bloodhoundtest.Profiles {
		kinds := badKinds()
		if profile != bloodhoundtest.V84 {
			kinds = []string{"unprintable", "no time"}
		}
		for _, how := range kinds {
			for name, bad := range map[string][]int{"the first": {0}, "both ends": {0, 47}, "many": {0, 1, 2, 3, 30, 46, 47}} {
				t.Run(string(profile)+" "+how+" "+name, func(t *testing.T) {
					span := endless{halfHourly(start, bad...), how}
					server := span.serve(profile)
					stops := reads(t, server, false)
					if n := asked(server, func() {
						_, err := stops.Extent(t.Context(), now)
						named(t, err, start, how)
					}); n > 120 {
						t.Errorf("%d requests to name the row", n)
					}
					_, _, err := stops.First(t.Context(), start.AddDate(-1, 0, 0), now)
					named(t, err, start, how)

					goesOn := reads(t, server, true)
					var x Extent
					if n := asked(server, func() { x, err = goesOn.Extent(t.Context(), now) }); n > 50 {
						t.Errorf("%d requests to find the beginning", n)
					}
					if err != nil || x.Empty || x.Oldest.After(start) || start.Sub(x.Oldest) > searchStep {
						t.Errorf("%+v, %v, want %s", x, err, start)
					}
					if again, err := goesOn.Extent(t.Context(), now); err != nil || again.Oldest != x.Oldest {
						t.Errorf("the second time %+v, %v; want %s", again, err, x.Oldest)
					}
					if least := int64(len(span.at)); profile != bloodhoundtest.Documented && (x.Count < least || x.Page <= 0) {
						t.Errorf("%+v, want a count of %d", x, least)
					}
					at, ok, err := goesOn.First(t.Context(), start.AddDate(-1, 0, 0), now)
					if err != nil || !ok || at.After(start) || start.Sub(at) > searchStep {
						t.Errorf("first is %s, %v, %v", at, ok, err)
					}
				})
			}
		}
	}
}

// A person who asks how far the log reaches need not wait for the name of a row.
func TestBadBeginningIsPassedQuickly(t *testing.T) {
	span := halfHourly(shelfStart(), 0)
	server := span.serve(bloodhoundtest.V84)
	c := reads(t, server, false)
	c.options.Connection.Retry.Interactive = true
	if n := asked(server, func() {
		if x, err := c.Extent(t.Context(), time.Now()); err != nil || x.Oldest.After(span.at[0]) {
			t.Errorf("%+v, %v", x, err)
		}
	}); n > 25 {
		t.Errorf("%d requests", n)
	}
}

// A server built before March 2024 answers the question for the oldest record with the newest one. There a bad newest record does
// no harm.
func TestBadEndsOfAnOldServer(t *testing.T) {
	start := shelfStart()
	for _, how := range badKinds() {
		for _, quarantine := range []bool{false, true} {
			for _, bad := range []int{0, 47} {
				server := endless{halfHourly(start, bad), how}.serve(bloodhoundtest.Legacy2024)
				server.Fault(faults.NewestFirst())
				x, err := reads(t, server, quarantine).Extent(t.Context(), time.Now())
				if _, ok := errors.AsType[*BadRecordError](err); ok && bad == 0 && !quarantine {
					named(t, err, start, how)
				} else if err != nil || x.Oldest.After(start) || start.Sub(x.Oldest) > searchStep {
					t.Errorf("%s, row %d: %+v, %v, want %s", how, bad, x, err, start)
				}
			}
		}
	}
}

// The client names a bad row at the end of the log, or takes it for the newest record, also in the far future.
func TestBadEnd(t *testing.T) {
	start := shelfStart()
	for _, profile := range []bloodhoundtest.Profile{bloodhoundtest.Documented, bloodhoundtest.Legacy2024, bloodhoundtest.V84} {
		kinds := badKinds()
		if profile != bloodhoundtest.V84 {
			kinds = []string{"unprintable", "no time"}
		}
		for _, how := range kinds {
			for _, later := range []time.Duration{0, 71 * time.Hour, 10_000 * time.Hour} {
				t.Run(string(profile)+" "+how+" "+later.String(), func(t *testing.T) {
					span := endless{halfHourly(start, 0, 47), how}
					end := start.Add(later + 47*30*time.Minute + 7*grain)
					span.at[47] = end
					server := span.serve(profile)
					for _, r := range server.Rows() { // rows of the future are visible already
						server.Alter(r.ID, func(r *bloodhoundtest.Row) { r.VisibleAt = start })
					}
					stops := reads(t, server, false)
					if n := asked(server, func() {
						_, _, err := stops.Newest(t.Context())
						named(t, err, end, how)
					}); n > 120 {
						t.Errorf("%d requests to name the row", n)
					}
					goesOn := reads(t, server, true)
					for _, most := range []int{120, 30} { // the second time the client knows its instant
						if how != "unprintable" {
							most = 120
						}
						if n := asked(server, func() {
							if at, ok, err := goesOn.Newest(t.Context()); err != nil || !ok || !at.Equal(end) {
								t.Errorf("the newest is of %s, %v, %v, want %s", at, ok, err, end)
							}
						}); n > most {
							t.Errorf("%d requests", n)
						}
					}
				})
			}
		}
	}
}

// A log of nothing but bad rows has a beginning and an end.
func TestNothingButBadRows(t *testing.T) {
	at := shelfStart()
	for _, how := range badKinds() {
		span := endless{shelved{at: []time.Time{at, at}, bad: []int{0, 1}}, how}
		c := reads(t, span.serve(bloodhoundtest.V84), true)
		x, err := c.Extent(t.Context(), time.Now())
		if err != nil || x.Empty || x.Count != 2 || x.Oldest.After(at) || at.Sub(x.Oldest) > searchStep {
			t.Errorf("%s: %+v, %v", how, x, err)
		}
		if newest, ok, err := c.Newest(t.Context()); err != nil || !ok || !newest.Equal(at) {
			t.Errorf("%s: the newest is of %s, %v, %v", how, newest, ok, err)
		}
	}
}

// A bad row counts. A row that was delivered before it went bad is still there.
func TestBadRowsAreCountedAndThere(t *testing.T) {
	start := shelfStart()
	for _, how := range badKinds() {
		span := endless{halfHourly(start, 0, 30, 47), how}
		server := span.serve(bloodhoundtest.V84)
		for _, quarantine := range []bool{false, true} {
			c := reads(t, server, quarantine)
			for _, from := range []time.Time{firstInstant(), start, span.at[30], span.at[47]} {
				want := int64(len(slices.DeleteFunc(slices.Clone(span.at), from.After)))
				if n, known, err := c.Count(t.Context(), from); err != nil || !known || n != want {
					t.Errorf("%s: %d from %s on, %v, %v, want %d", how, n, from, known, err, want)
				}
				want = int64(len(span.at)) - want
				if n, known, err := c.CountBefore(t.Context(), from); err != nil || !known || n != want {
					t.Errorf("%s: %d before %s, %v, %v, want %d", how, n, from, known, err, want)
				}
			}
			if strings.Contains(how, "id") {
				continue // it has another one, or none
			}
			if there, err := c.Has(t.Context(), 31, span.at[30]); err != nil || !there {
				t.Errorf("%s: there %v, %v", how, there, err)
			}
			if there, err := c.Has(t.Context(), 5000, span.at[30]); err != nil || there {
				t.Errorf("%s: another one is there: %v, %v", how, there, err)
			}
		}
	}
}
