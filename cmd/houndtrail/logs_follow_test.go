package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// inProcess is a server without a network, so that the test can use virtual time.
type inProcess struct{ http.Handler }

func (s inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RequestURI, r.Body, r.RemoteAddr = r.URL.RequestURI(), http.NoBody, "192.0.2.1:1024"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

func newFollower(t *testing.T, server *bloodhoundtest.Server, q bloodhound.Query, pageSize int) *follower {
	t.Helper()
	client, err := bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL:       &url.URL{Scheme: "http", Host: "tenant.example"},
			Auth:      rest.Token(tokenID, func() (string, error) { return tokenKey, nil }),
			Transport: inProcess{server}, Rate: 1e6,
		},
		PageSize: pageSize,
	})
	if err != nil {
		t.Fatal(err)
	}
	q.SortBy = bloodhound.NewestFirst()
	return &follower{client: client, query: q, seen: map[int64]time.Time{}}
}

// arrival is a row that becomes visible some time after its own time.
type arrival struct {
	id   int64
	late time.Duration
}

func rowsOf(arrivals []arrival) []bloodhoundtest.Row {
	var rows []bloodhoundtest.Row
	for _, a := range arrivals {
		at := time.Now().Add(-a.late).Truncate(time.Microsecond)
		rows = append(rows, bloodhoundtest.Row{ID: a.id, CreatedAt: at, Action: "CreateUser"})
	}
	return rows
}

// In whatever order ids are given and rows become visible, and however many appear at once, follow prints the newest rows at
// the start, and then each row that appears, once.
func TestFollowSkipsNothing(t *testing.T) {
	filters := [][]bloodhound.Filter{nil, {{Column: "action", Predicate: "eq", Value: "CreateUser"}}}
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.Permutation(consecutive(80)).Draw(rt, "ids")
		profile := rapid.SampledFrom(bloodhoundtest.Profiles[:4]).Draw(rt, "profile") // the last profile audits our requests
		pageSize := rapid.IntRange(2, 7).Draw(rt, "page size")
		q := bloodhound.Query{
			Limit: rapid.IntRange(1, 12).Draw(rt, "limit"), Filters: rapid.SampledFrom(filters).Draw(rt, "filters"),
		}
		spread := int64(rapid.SampledFrom([]time.Duration{0, time.Second, 2 * time.Minute}).Draw(rt, "spread"))
		late := rapid.OneOf(rapid.SampledFrom([]int64{0, spread}), rapid.Int64Range(0, spread))
		batches := make([][]arrival, 4)
		for i := range batches {
			for range rapid.IntRange(0, 20).Draw(rt, "rows") {
				batches[i] = append(batches[i], arrival{ids[0], time.Duration(late.Draw(rt, "late"))})
				ids = ids[1:]
			}
		}
		var got, want []int64
		synctest.Test(t, func(t *testing.T) {
			server := bloodhoundtest.New(bloodhoundtest.Options{
				Profile: profile, Tokens: map[string]string{tokenID: tokenKey}, Rows: rowsOf(batches[0]),
			})
			want = newestIDs(server.Rows(), q.Limit)
			f := newFollower(t, server, q, pageSize)
			time.Sleep(5 * time.Second)
			records, err := f.begin(t.Context())
			for _, batch := range append(batches[1:], nil, nil) {
				got = append(got, idsOf(records)...)
				rows := rowsOf(batch)
				want = append(want, newestIDs(rows, len(rows))...)
				server.Add(rows...)
				time.Sleep(5 * time.Second)
				if err == nil {
					records, err = f.appeared(t.Context())
				}
			}
			if err != nil {
				t.Error(err)
			}
			for id, at := range f.seen {
				if at.Before(f.query.After) {
					t.Errorf("record %d is remembered, and is behind the look-back", id)
				}
			}
		})
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			rt.Fatalf("printed %v, want %v", got, want)
		}
	})
}

func idsOf(records []record.Record) (ids []int64) {
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

func newestIDs(rows []bloodhoundtest.Row, n int) (ids []int64) {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b bloodhoundtest.Row) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return int(b.ID - a.ID)
	})
	for _, r := range rows[:min(n, len(rows))] {
		ids = append(ids, r.ID)
	}
	return ids
}

func consecutive(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i + 1)
	}
	return ids
}

// If the server's clock is set back to a time before the printed records, follow does not stop.
func TestFollowOutlivesAClockThatIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead time.Duration
		server := bloodhoundtest.New(bloodhoundtest.Options{
			Now: func() time.Time { return time.Now().Add(ahead) }, Tokens: map[string]string{tokenID: tokenKey},
			Rows: []bloodhoundtest.Row{{ID: 1, CreatedAt: time.Now()}},
		})
		f := newFollower(t, server, bloodhound.Query{Limit: 9}, 9)
		time.Sleep(time.Second)
		if records, err := f.begin(t.Context()); err != nil || len(records) != 1 {
			t.Fatal(records, err)
		}
		for i, step := range []time.Duration{-10 * time.Minute, 0} {
			ahead = step
			server.Add(bloodhoundtest.Row{ID: int64(i + 2), CreatedAt: time.Now()})
			time.Sleep(2 * time.Minute) // after that the client reads the clock anew
			if records, err := f.appeared(t.Context()); err != nil || len(records) != 2*i {
				t.Fatalf("%d records while the clock is %s off, %v", len(records), step, err)
			}
		}
	})
}
