package bloodhound

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// day is a span of a thousand rows on a double, and a client that reads it in pages of a hundred.
func day(t *testing.T, o bloodhoundtest.Options) (*bloodhoundtest.Server, *Client, time.Time, time.Time) {
	t.Helper()
	end := time.Now().UTC().Truncate(time.Hour).Add(-24 * time.Hour)
	start := end.Add(-24 * time.Hour)
	o.Rows = history.Rows(history.Options{Seed: 9, N: 1000, Start: start, End: end})
	server, base := resttest.Tenant(t, o)
	return server, newClient(t, Options{
		Connection: rest.Options{
			URL: resttest.MustParse(t, base), Auth: rest.Token(resttest.Token, resttest.Always(resttest.Key)),
			Retry: rest.RetryPolicy{Initial: 1, Max: 1, Limited: 1, Tries: 3},
		},
		PageSize: 100,
	}), start, end
}

// all reads the span, and says how many records it has.
func all(ctx context.Context, c *Client, start, end time.Time) (int, error) {
	b, err := c.Fetch(ctx, start, end, Limits{})
	if err != nil {
		return 0, err
	}
	defer b.Release()
	if err := b.Wait(); err != nil {
		return 0, err
	}
	return len(b.Records()), nil
}

func TestFetchReadsASpan(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		t.Run(string(profile), func(t *testing.T) {
			server, c, start, end := day(t, bloodhoundtest.Options{Profile: profile})
			for range 3 { // the later ones reuse the memory of the first
				if n, err := all(t.Context(), c, start, end); err != nil || n != 1000 {
					t.Fatalf("%d records, %v", n, err)
				}
			}
			// 1000 rows and the edges of ten pages take eleven requests each time. They take twelve if a server does
			// not tell the limit that it applied. The server's first row is a little after the start.
			if n := server.Stats().Requests; n > 3*13 {
				t.Errorf("%d requests for 3 times 10 pages", n)
			}
			if !c.trusted.Load() {
				t.Error("the ends of pages are not trusted: every page waits for the scan")
			}
		})
	}
}

// If a server stops answering newest first within a window, the client went on by ends of pages that were wrong. That is an
// error. The next time the client reads the window by the records of its pages.
func TestFetchNoticesAnotherOrder(t *testing.T) {
	server, c, start, end := day(t, bloodhoundtest.Options{})
	server.Fault(faults.Sequence(nil, nil, nil, swapped))
	n, err := all(t.Context(), c, start, end)
	if err == nil || !strings.Contains(err.Error(), "not newest first") {
		t.Fatalf("%d records, error %v", n, err)
	}
	if c.trusted.Load() {
		t.Error("the server is still trusted")
	}
	server.ClearFaults()
	if n, err := all(t.Context(), c, start, end); err != nil || n != 1000 {
		t.Errorf("%d records, %v", n, err)
	}
}

// If a server never answers newest first, the client reads it by skip.
func TestFetchFromAnUnorderedServer(t *testing.T) {
	for name, fault := range map[string]bloodhoundtest.Fault{"oldest first": faults.OldestFirst(), "only the ends in order": swapped} {
		t.Run(name, func(t *testing.T) {
			server, c, start, end := day(t, bloodhoundtest.Options{})
			server.Fault(fault)
			if n, err := all(t.Context(), c, start, end); err != nil || n != 1000 {
				t.Errorf("%d records, %v", n, err)
			}
		})
	}
}

// swapped moves a record in the middle of a page out of its place. Both ends of the page still look right.
var swapped = rewritten(func(records []string) {
	if len(records) > 10 {
		records[4], records[5] = records[5], records[4]
	}
})

// rewritten changes the records of a page on their way.
func rewritten(change func(records []string)) bloodhoundtest.Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Accept-Encoding")
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			body := answer.Body.String()
			if p, err := page.Parse([]byte(body), nil, nil); err == nil && len(p.Refused) == 0 && len(p.Records) > 0 {
				var records []string
				for _, r := range p.Records {
					records = append(records, r.Raw)
				}
				whole := strings.Join(records, ",")
				change(records)
				body = strings.Replace(body, whole, strings.Join(records, ","), 1)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(answer.Code)
			_, _ = w.Write([]byte(body))
		})
	}
}

// After the client has lowered the page size, it raises it again within one span when the server keeps up.
func TestPageSizeComesBack(t *testing.T) {
	server, c, start, end := day(t, bloodhoundtest.Options{})
	for range 3 {
		c.halve(&Query{Limit: c.pageSize()}, 1, &c.limit)
	}
	if n, err := all(t.Context(), c, start, end); err != nil || n != 1000 {
		t.Fatalf("%d records, %v", n, err)
	}
	limits := map[int]int{12: 0, 24: 0, 48: 0}
	for _, r := range server.Requests() {
		u, err := url.Parse(r.Target)
		if err != nil || u.Path != AuditPath {
			continue
		}
		asked, err := strconv.Atoi(u.Query().Get("limit"))
		if err != nil {
			t.Fatal(err)
		}
		for size := range limits {
			if size <= asked && asked <= int(stretch*float64(size)) {
				limits[size]++
			}
		}
	}
	for size, pages := range limits {
		if pages != growAfter {
			t.Errorf("%d pages of about %d, want %d", pages, size, growAfter)
		}
	}
	if c.pageSize() != 96 {
		t.Errorf("the page size stays at %d", c.pageSize())
	}
}
