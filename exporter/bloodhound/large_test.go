package bloodhound

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

const (
	testPage = 16 << 10 // bytes of a page at most
	testBody = 96 << 10 // bytes of a record at most
)

// sized is a log with a record of each size, a minute apart, and a client with small bounds.
func sized(t *testing.T, sizes ...int) (server *bloodhoundtest.Server, c *Client, start, end time.Time) {
	t.Helper()
	start = time.Now().UTC().Truncate(time.Hour).Add(-24 * time.Hour)
	var rows []bloodhoundtest.Row
	for i, size := range sizes {
		fields, _ := json.Marshal(map[string]string{"username": strings.Repeat("x", size)})
		rows = append(rows, bloodhoundtest.Row{ID: int64(i + 1), CreatedAt: start.Add(time.Duration(i) * time.Minute), Action: "LoginAttempt", Fields: fields})
	}
	server, base := resttest.Tenant(t, bloodhoundtest.Options{Rows: rows})
	return server, newClient(t, Options{
		Connection: rest.Options{
			URL: resttest.MustParse(t, base), Auth: rest.Token(resttest.Token, resttest.Always(resttest.Key)),
			Retry: rest.RetryPolicy{Initial: 1, Max: 1, Limited: 1, Tries: 3},
		},
		PageSize: 100, MaxPage: testPage, MaxBody: testBody,
	}), start, start.Add(time.Duration(len(sizes)) * time.Minute)
}

// fetched reads a span.
func fetched(ctx context.Context, c *Client, start, end time.Time, limits Limits) (ids []int64, holes []Hole, err error) {
	b, err := c.Fetch(ctx, start, end, limits)
	if err != nil {
		return nil, nil, err
	}
	defer b.Release()
	err = b.Wait()
	for i := range b.Records() {
		ids = append(ids, b.Records()[i].ID)
	}
	return ids, b.Holes(), err
}

// The client reads a record that is larger than the bound of a page only if Limits.Large allows it.
func TestLargeRecordTakesLeave(t *testing.T) {
	_, c, start, end := sized(t, 100, 100, 2*testPage, 100, 100)
	_, _, err := fetched(t.Context(), c, start, end, Limits{})
	if large := (*LargeError)(nil); !errors.As(err, &large) || large.Page != testPage {
		t.Fatalf("error %v", err)
	}
	ids, holes, err := fetched(t.Context(), c, start, end, Limits{Large: true})
	if err != nil || fmt.Sprint(ids) != "[1 2 3 4 5]" || len(holes) > 0 {
		t.Errorf("records %v, holes %v, error %v", ids, holes, err)
	}
}

// A record that is too large to keep is a hole with its known facts, at any place of the span, and does not end the reading.
func TestTooLargeRecordIsAHole(t *testing.T) {
	for at := range 4 {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			sizes := []int{100, 200, 300, 400}
			sizes[at] = 2 * testBody
			server, c, start, end := sized(t, sizes...)
			ids, holes, err := fetched(t.Context(), c, start, end, Limits{Large: true})
			if err != nil || len(ids) != 3 || len(holes) != 1 {
				t.Fatalf("records %v, %d holes, error %v", ids, len(holes), err)
			}
			row := server.Rows()[at]
			h := holes[0]
			if h.ID != row.ID || !h.CreatedAt.Equal(row.CreatedAt) || h.Raw != nil {
				t.Errorf("hole %+v", h)
			}
			raw := rawOf(t, server, c, row)
			want := fmt.Sprintf("larger than the %d bytes that a record may have: %d bytes, SHA-256 %x", testBody, len(raw), sha256.Sum256([]byte(raw)))
			if h.Reason != want {
				t.Errorf("%s, want %s", h.Reason, want)
			}
		})
	}
}

// rawOf is a record as the server sends it to a client without bounds.
func rawOf(t *testing.T, server *bloodhoundtest.Server, c *Client, row bloodhoundtest.Row) string {
	t.Helper()
	defer server.ClearFaults()
	options := c.options
	options.MaxBody, options.MaxPage = 0, 0
	records, err := newClient(t, options).Span(t.Context(), row.CreatedAt, row.CreatedAt)
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	return records[0].Raw
}

// The client answers a question about one record whatever its size.
func TestEdgesOfLargeRecords(t *testing.T) {
	for _, size := range []int{2 * testPage, 2 * testBody} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			_, c, start, end := sized(t, size, 100, size)
			if at, ok, err := c.First(t.Context(), start.Add(-time.Hour), end); err != nil || !ok || !at.Equal(start) {
				t.Errorf("first %s %v, %v", at, ok, err)
			}
			if e, err := c.edge(t.Context(), start, end, NewestFirst()); err != nil || !e.ok || !e.at.Equal(end.Add(-time.Minute)) {
				t.Errorf("newest %+v, %v", e, err)
			}
			if x, err := c.Extent(t.Context(), end); err != nil || !x.Oldest.Equal(start) || x.Count < 3 {
				t.Errorf("extent %+v, %v", x, err)
			}
			for id, want := range map[int64]bool{1: true, 2: false} {
				if has, err := c.Has(t.Context(), id, start); err != nil || has != want {
					t.Errorf("it has %d: %v, %v", id, has, err)
				}
			}
		})
	}
}

// If the answer with a large record is cut, the client asks for it again, and never takes it for a whole one.
func TestLargeRecordThatIsCut(t *testing.T) {
	server, c, start, end := sized(t, 2*testBody)
	whole, holes, err := fetched(t.Context(), c, start, end, Limits{Large: true})
	if err != nil || len(whole) > 0 || len(holes) != 1 {
		t.Fatalf("records %v, holes %v, %v", whole, holes, err)
	}
	server.Fault(faults.Sequence(nil, faults.TruncatedJSON()))
	_, again, err := fetched(t.Context(), c, start, end, Limits{Large: true})
	if err != nil || len(again) != 1 || again[0].Reason != holes[0].Reason {
		t.Errorf("holes %v, want %v: %v", again, holes, err)
	}
}

// A page has as many records as fit by the size of the latest ones, so hardly one page is too large.
func TestPagesFitByBytes(t *testing.T) {
	const n, size = 600, 40_000
	start := time.Now().UTC().Truncate(time.Hour).Add(-24 * time.Hour)
	var rows []bloodhoundtest.Row
	fields, _ := json.Marshal(strings.Repeat("x", size))
	for i := range n {
		rows = append(rows, bloodhoundtest.Row{ID: int64(i + 1), CreatedAt: start.Add(time.Duration(i) * time.Second), Fields: fields})
	}
	server, base := resttest.Tenant(t, bloodhoundtest.Options{Rows: rows})
	c := newClient(t, Options{Connection: rest.Options{URL: resttest.MustParse(t, base), Auth: rest.Token(resttest.Token, resttest.Always(resttest.Key))}})
	ids, _, err := fetched(t.Context(), c, start, start.Add(n*time.Second), Limits{})
	if err != nil || len(ids) != n {
		t.Fatalf("%d records, %v", len(ids), err)
	}
	// The client halves 5000 to 156 records, which have 6 MB; from then on a page has 4 MiB.
	if got := server.Stats().Requests; got > 14 {
		t.Errorf("%d requests for %d records", got, n)
	}
	if got := c.pageSize(); got < 50 || got > fullPage/size {
		t.Errorf("pages of %d, want up to %d", got, fullPage/size)
	}
}
