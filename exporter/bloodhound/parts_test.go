package bloodhound

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// crowded is a double with an instant of many rows and others around it. One of the rows is no record.
func crowded(t *testing.T, profile bloodhoundtest.Profile) (c *Client, instant time.Time, ids []int64) {
	t.Helper()
	instant = time.Now().UTC().Truncate(time.Hour).Add(-24 * time.Hour)
	var rows []bloodhoundtest.Row
	add := func(n int, at time.Time, step time.Duration) {
		for range n {
			rows = append(rows, bloodhoundtest.Row{ID: int64(len(rows) + 1), CreatedAt: at, Action: "Import"})
			ids, at = append(ids, rows[len(rows)-1].ID), at.Add(step)
		}
	}
	add(150, instant.Add(-time.Hour), time.Second)
	add(700, instant, 0)
	add(150, instant.Add(time.Second), time.Second)
	rows = append(rows, bloodhoundtest.Row{ID: -5, CreatedAt: instant, Action: "Bad"})
	_, base := resttest.Tenant(t, bloodhoundtest.Options{Profile: profile, Rows: rows})
	return newClient(t, Options{
		Connection: rest.Options{
			URL: resttest.MustParse(t, base), Auth: rest.Token(resttest.Token, resttest.Always(resttest.Key)),
			Retry: rest.RetryPolicy{Initial: 1, Max: 1, Limited: 1, Tries: 3},
		},
		PageSize: 30, Quarantine: true,
	}), instant, ids
}

// Parts are about as large as the limits say, have all records together, and share only records at their ends. The returned batch
// has the other figures of the whole span.
func TestFetchParts(t *testing.T) {
	const page, most = 30, 100
	for _, profile := range bloodhoundtest.Profiles {
		t.Run(string(profile), func(t *testing.T) {
			c, instant, want := crowded(t, profile)
			from, until := instant.Add(-2*time.Hour), instant.Add(time.Hour)
			var got []int64
			parts := 0
			b, err := c.FetchParts(t.Context(), from, until, Limits{Records: most}, func(records []record.Record) error {
				if parts++; len(records) > most+page {
					t.Errorf("a part of %d records", len(records))
				}
				if !slices.IsSortedFunc(records, func(a, b record.Record) int { return record.Compare(&a, &b) }) {
					t.Error("a part is not sorted")
				}
				for i := range records {
					if records[i].Action == "Import" { // and not what the server writes itself
						got = append(got, records[i].ID)
					}
				}
				return nil
			}, from, from)
			if err != nil {
				t.Fatal(err)
			}
			if twice := len(got) - len(want); twice > parts*page {
				t.Errorf("%d records come twice in %d parts", twice, parts)
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, want) || parts < 8 {
				t.Errorf("%d records of %d in %d parts", len(got), len(want), parts)
			}
			if holes := b.Holes(); len(holes) != 1 || holes[0].ID != -5 {
				t.Errorf("the holes are %+v", holes)
			}
			if n, known := b.Counted(0); known && n < int64(len(want)) {
				t.Errorf("%d are counted", n)
			}
			if b.Clock().Server.IsZero() || b.Held() != 0 || b.Wait() != nil {
				t.Errorf("%+v", b)
			}
			b.Release()
		})
	}
}

var errUse = errors.New("not of use")

func TestFetchPartsEndsEarly(t *testing.T) {
	c, instant, _ := crowded(t, bloodhoundtest.V84)
	parts := 0
	use := func([]record.Record) error { parts++; return errUse }
	_, err := c.FetchParts(t.Context(), instant, instant, Limits{Records: 100}, use)
	if err != errUse || parts != 1 { //nolint:errorlint // as it is
		t.Errorf("after %d parts: %v", parts, err)
	}
}

// A TooManyError names the instant that fills the span, also if a shorter span would be too large as well.
func TestTooManyOfOneInstant(t *testing.T) {
	c, instant, _ := crowded(t, bloodhoundtest.V84)
	for name, test := range map[string]struct {
		until, since time.Time
		again        bool
	}{
		"in the middle": {instant.Add(time.Hour), instant.Add(-time.Second), false},
		"by itself":     {instant, instant, false},
		"read again":    {instant.Add(time.Hour), instant.Add(2 * time.Second), true},
	} {
		_, err := c.Fetch(t.Context(), instant.Add(-2*time.Hour), test.until, Limits{Records: 500, Since: test.since})
		tooMany, ok := errors.AsType[*TooManyError](err)
		if !ok || tooMany.Again != test.again || !test.again && !tooMany.Crowd.Equal(instant) {
			t.Errorf("%s: %+v, %v", name, tooMany, err)
		}
	}
	if _, err := c.Fetch(t.Context(), instant, instant, Limits{Records: 1000, Since: instant}); err != nil && !strings.Contains(err.Error(), "bad") {
		t.Error(err)
	}
}
