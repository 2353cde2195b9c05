package bloodhound

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// A shelved span describes the rows of a double: when each was created, and which of them are bad.
type shelved struct {
	at  []time.Time
	bad []int
}

const shelvedFor = 24 * time.Hour

// shelfStart is the beginning of the day on which the rows were created.
func shelfStart() time.Time { return time.Now().UTC().Truncate(time.Hour).Add(-72 * time.Hour) }

// everyMinute is a day with a row each minute. Their ids count from 1.
func everyMinute(start time.Time, bad ...int) shelved {
	s := shelved{bad: bad}
	for i := range 1440 {
		s.at = append(s.at, start.Add(time.Duration(i)*time.Minute))
	}
	return s
}

func (s shelved) rows() (rows []bloodhoundtest.Row) {
	for i, at := range s.at {
		rows = append(rows, bloodhoundtest.Row{
			ID: int64(i + 1), CreatedAt: at, Action: "UpdateParameter", Status: "success", Unprintable: slices.Contains(s.bad, i),
		})
	}
	return rows
}

func (s shelved) serve(profile bloodhoundtest.Profile) *bloodhoundtest.Server {
	return bloodhoundtest.New(bloodhoundtest.Options{
		Profile: profile, Rows: s.rows(), Tokens: map[string]string{resttest.Token: resttest.Key},
	})
}

// reads makes a client with pages of a hundred. It asks the server without a network, which would take most of the time.
func reads(tb testing.TB, server *bloodhoundtest.Server, quarantine bool) *Client {
	tb.Helper()
	return newClient(tb, Options{
		Connection: rest.Options{
			Retry: rest.RetryPolicy{Initial: 1, Max: 1, Limited: 1},
			Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
				r = r.Clone(r.Context())
				r.RequestURI, r.RemoteAddr, r.Body = r.URL.RequestURI(), "192.0.2.1:1234", http.NoBody
				w := httptest.NewRecorder()
				server.ServeHTTP(w, r)
				return w.Result(), nil
			}),
		},
		PageSize: 100, Quarantine: quarantine,
	})
}

// result is the outcome of a Fetch of a span.
type result struct {
	ids   []int64
	holes []Hole
	count int64 // as the server tells it with the first page, -1 if it does not
}

func readSpan(tb testing.TB, c *Client, start, end time.Time) (result, error) {
	tb.Helper()
	b, err := c.Fetch(tb.Context(), start, end, Limits{}, start)
	if err != nil {
		return result{}, err
	}
	defer b.Release()
	if err := b.Wait(); err != nil {
		return result{}, err
	}
	r := result{holes: b.Holes(), count: -1}
	for i := range b.Records() {
		r.ids = append(r.ids, b.Records()[i].ID)
	}
	slices.Sort(r.ids)
	if n, known := b.Counted(0); known {
		r.count = n
	}
	return r, nil
}

// differs says how the result differs from the span.
func (s shelved) differs(got result) error {
	var ids []int64
	var holes, found []time.Time
	for i, at := range s.at {
		if slices.Contains(s.bad, i) {
			holes = append(holes, at)
		} else {
			ids = append(ids, int64(i+1))
		}
	}
	if !slices.Equal(got.ids, ids) {
		return fmt.Errorf("%d records, want %d: %v", len(got.ids), len(ids), got.ids)
	}
	for _, h := range got.holes {
		found = append(found, h.CreatedAt)
		if !strings.Contains(h.Reason, "internal error") || h.Raw != nil {
			return fmt.Errorf("hole %+v", h)
		}
	}
	slices.SortFunc(holes, time.Time.Compare)
	if !slices.EqualFunc(found, holes, time.Time.Equal) {
		return fmt.Errorf("holes %v, want %v", found, holes)
	}
	if got.count >= 0 && got.count < int64(len(s.at)) { // or more, if the server keeps an account of requests
		return fmt.Errorf("the server counts %d, it has %d", got.count, len(s.at))
	}
	return nil
}
