package bloodhound

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// On every generation, two requests find the oldest record exactly, however many records there are.
func TestExtent(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		t.Run(string(profile), func(t *testing.T) {
			server, c, _, _ := day(t, bloodhoundtest.Options{Profile: profile})
			first := slices.MinFunc(server.Rows(), func(a, b bloodhoundtest.Row) int { return a.CreatedAt.Compare(b.CreatedAt) })
			before := server.Stats()
			extent, err := c.Extent(t.Context(), time.Now())
			if err != nil || extent.Empty || !extent.Oldest.Equal(first.CreatedAt) {
				t.Fatalf("%+v, %v, want %s", extent, err, first.CreatedAt)
			}
			after := server.Stats()
			if n := after.Requests - before.Requests; n > 2 || after.RowsSkipped != before.RowsSkipped {
				t.Errorf("it took %d requests, and the server walked past %d rows", n, after.RowsSkipped-before.RowsSkipped)
			}
		})
	}
}

// If a server does not do as documented, that costs requests, and never a record.
func TestExtentIsNotTrusting(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	year := func(y int) time.Time { return time.Date(y, 3, 4, 5, 6, 7, 89_000, time.UTC) }
	for name, test := range map[string]struct {
		server   timedServer
		longest  time.Duration // before the oldest record
		requests int
	}{
		"one":                      {timedServer{rows: hourly(now, 1)}, 0, 2},
		"many":                     {timedServer{rows: hourly(now, 5000)}, 0, 2},
		"rows without time":        {timedServer{rows: hourly(now, 500), undated: 900}, 0, 2},
		"no count":                 {timedServer{rows: hourly(now, 500), noCount: true}, 0, 2},
		"newest first, one":        {timedServer{rows: hourly(now, 1), ignoresSort: true}, 0, 2},
		"newest first":             {timedServer{rows: hourly(now, 5000), ignoresSort: true}, searchStep, 20},
		"newest first, no count":   {timedServer{rows: hourly(now, 500), ignoresSort: true, noCount: true}, searchStep, 20},
		"oldest first":             {timedServer{rows: hourly(now, 5000), ascending: true}, 0, 2},
		"in the future":            {timedServer{rows: hourly(now.AddDate(1, 0, 0), 5)}, 0, 2},
		"a year ahead to come":     {timedServer{rows: []time.Time{now, now.AddDate(1, 0, 0)}, ignoresSort: true}, searchStep, 20},
		"the year 1":               {timedServer{rows: []time.Time{year(1), now}}, 0, 2},
		"the first instant":        {timedServer{rows: []time.Time{firstInstant(), now}}, 0, 1},
		"the second instant":       {timedServer{rows: []time.Time{firstInstant().Add(time.Microsecond), now}}, 0, 2},
		"the year 1, newest first": {timedServer{rows: []time.Time{year(1), now}, ignoresSort: true}, searchStep, 40},
		"the year 9999":            {timedServer{rows: []time.Time{lastInstant()}}, 0, 2},
		"from 1 to 9999":           {timedServer{rows: []time.Time{year(1), year(9999)}, ignoresSort: true}, searchStep, 45},
		"a gap of ten years":       {timedServer{rows: append(hourly(now, 9), year(2012))}, 0, 2},
		"a gap, newest first":      {timedServer{rows: append(hourly(now, 9), year(2012)), ignoresSort: true}, searchStep, 20},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{Connection: rest.Options{Transport: &test.server}})
			extent, err := c.Extent(t.Context(), now)
			if err != nil || extent.Empty {
				t.Fatalf("%+v, %v", extent, err)
			}
			want := slices.MinFunc(test.server.rows, time.Time.Compare)
			if extent.Oldest.After(want) || want.Sub(extent.Oldest) > test.longest {
				t.Errorf("oldest is %s, and the oldest record of %s", extent.Oldest, want)
			}
			if extent.Page < 0 || extent.Count != countOf(&test.server) {
				t.Errorf("%+v", extent)
			}
			test.server.hold(t, test.requests)
		})
	}
}

func countOf(s *timedServer) int64 {
	if s.noCount {
		return -1
	}
	return int64(len(s.rows)) + s.undated
}

// An empty log is empty only when the server does not count anything in it.
func TestExtentOfNothing(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":  `{"count":0,"limit":1,"skip":0,"data":{"logs":[]}}`,
		"null":     `{"data":{"logs":null}}`,
		"no count": `{"data":{"logs":[]}}`,
	} {
		c := newClient(t, Options{Connection: rest.Options{Transport: resttest.Can(200, body)}})
		extent, err := c.Extent(t.Context(), time.Now())
		if err != nil || !extent.Empty || !extent.Oldest.IsZero() || extent.Page != 0 {
			t.Errorf("%s: %+v, %v", name, extent, err)
		}
		if at, ok, err := c.Newest(t.Context()); ok || err != nil {
			t.Errorf("%s: newest is %s, %v", name, at, err)
		}
	}
	for name, s := range map[string]*timedServer{
		"a replica that lags":    {rows: hourly(time.Now(), 500), hides: true},
		"rows without a time":    {undated: 500},
		"they never stop coming": {rows: hourly(time.Now(), 500), hides: true, ascending: true},
	} {
		c := newClient(t, Options{Connection: rest.Options{Transport: s}})
		extent, err := c.Extent(t.Context(), time.Now())
		if !errors.Is(err, ErrHidden) || extent != (Extent{}) {
			t.Errorf("%s: %+v, %v", name, extent, err)
		}
		resttest.WantText(t, err, "counts 500", "shows none", "replica", "cache", "no created_at", "again", "the people who run the server")
		if _, _, err := c.Newest(t.Context()); !errors.Is(err, ErrHidden) {
			t.Errorf("%s: newest: %v", name, err)
		}
	}
}

// If a server does not obey the window, its answer says nothing about the beginning of the log.
func TestExtentOfAnotherQuestion(t *testing.T) {
	now := time.Now().UTC()
	c := newClient(t, Options{Connection: rest.Options{Transport: &timedServer{rows: hourly(now, 50), ignoresWindow: true, ignoresSort: true}}})
	_, err := c.Extent(t.Context(), now)
	resttest.WantText(t, err, "ignores before and after", page.FormatTime(now), "proxy")
}

// The average time of a page is a hint for the length of a window: it has to be sane, whatever the server counts.
func TestPageSpan(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	newest := now.Add(-time.Minute)
	for name, test := range map[string]struct {
		server timedServer
		want   time.Duration
	}{
		"a page of many": {timedServer{rows: hourly(newest, 5001)}, 100 * 5000 * time.Hour / 5001},
		"all in a page":  {timedServer{rows: hourly(newest, 51)}, 50*time.Hour + time.Minute},
		"one":            {timedServer{rows: hourly(newest, 1)}, time.Minute},
		"no count":       {timedServer{rows: hourly(newest, 51), noCount: true}, 0},
		"all to come":    {timedServer{rows: hourly(now.AddDate(1, 0, 0), 51)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{Connection: rest.Options{Transport: &test.server}})
			c.limit.Store(100)
			extent, err := c.Extent(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			if off := (extent.Page - test.want).Abs(); off > time.Minute {
				t.Errorf("a page is %s long, want %s", extent.Page, test.want)
			}
		})
	}
}

// Newest finds the newest record whatever its time and the server's clock. A server in use counts one day for it.
func TestNewest(t *testing.T) {
	for name, test := range map[string]struct {
		newest   time.Duration // from now
		clock    time.Duration // of the server
		requests int
	}{
		"now":           {0, 0, 1},
		"quiet":         {-200 * time.Hour, 0, 2},
		"in the future": {10_000 * time.Hour, 0, 1},
		"clock ahead":   {0, 2_000 * time.Hour, 2},
		"clock behind":  {0, -2_000 * time.Hour, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			want := time.Now().UTC().Add(test.newest)
			server := &timedServer{rows: hourly(want, 500), date: time.Now().Add(test.clock)}
			c := newClient(t, Options{Connection: rest.Options{Transport: server}})
			if _, err := c.Clock(t.Context()); err != nil {
				t.Fatal(err)
			}
			server.requests = nil
			if at, ok, err := c.Newest(t.Context()); err != nil || !ok || !at.Equal(want) {
				t.Errorf("%s: %s, %v, %v, want %s", name, at, ok, err, want)
			}
			server.hold(t, test.requests)
		})
	}
}
