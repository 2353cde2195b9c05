package bloodhound

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// redated gives a record another time on its way.
func redated(id int, at time.Time) bloodhoundtest.Fault {
	return rewritten(func(records []string) {
		for i, row := range records {
			if strings.Contains(row, fmt.Sprintf(`"id":%d,`, id)) {
				var r struct {
					CreatedAt time.Time `json:"created_at"`
				}
				_ = json.Unmarshal([]byte(row), &r)
				records[i] = strings.Replace(row, page.FormatTime(r.CreatedAt), page.FormatTime(at), 1)
			}
		}
	})
}

// A record outside the span spoils all that was read, at any place of a page and for any kind of walk.
func TestAnswersToAnotherQuestion(t *testing.T) {
	start := shelfStart()
	end := start.Add(shelvedFor)
	for name, at := range map[string]time.Time{
		"of the year 1": {}, "of the year 9999": time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
		"too late by a microsecond": end.Add(grain), "too early by a microsecond": start.Add(-grain),
	} {
		for _, id := range []int{1, 700, 1300, 1342, 1440} {
			t.Run(fmt.Sprint(name, " ", id), func(t *testing.T) {
				server := everyMinute(start).serve(bloodhoundtest.V84)
				c := reads(t, server, true)
				for trusted := range 2 {
					server.ClearFaults()
					if trusted == 1 {
						if _, err := readSpan(t, c, start, end); err != nil || !c.trusted.Load() {
							t.Fatalf("trusted %v: %v", c.trusted.Load(), err)
						}
					}
					server.Fault(redated(id, at))
					_, err := readSpan(t, c, start, end)
					resttest.WantText(t, err, fmt.Sprintf("id %d, created at %s", id, page.FormatTime(at)), page.FormatTime(start), "ignores before and after", "nothing of")
				}
			})
		}
	}
}

func TestServerThatIgnoresTheWindow(t *testing.T) {
	start := shelfStart()
	server := everyMinute(start).serve(bloodhoundtest.V84)
	server.Fault(faults.IgnoresWindow())
	_, err := readSpan(t, reads(t, server, false), start.Add(2*time.Hour), start.Add(3*time.Hour))
	resttest.WantText(t, err, "id 1440, created at", "ignores before and after")
}

// If an id comes twice in a span with the same record, the batch has it once. If the records differ, Fetch fails.
func TestOneIDTwice(t *testing.T) {
	start := shelfStart()
	for name, tc := range map[string]struct {
		fault bloodhoundtest.Fault
		says  []string
	}{
		"on one page, by the server": {faults.SameIDTwice(), []string{"twice and different content", `UpdateParameterChanged"`}},
		"with another time": {rewritten(func(records []string) {
			for i, row := range records {
				if strings.HasPrefix(row, `{"id":500,`) {
					records[i] = strings.Replace(row, `"id":500,`, `"id":900,`, 1)
				}
			}
		}), []string{"the id 900 twice", "created_at " + page.FormatTime(start.Add(499*time.Minute)) + " and " + page.FormatTime(start.Add(899*time.Minute))}},
		"at the edge of two pages": {rewritten(func(records []string) {
			records[0] = strings.Replace(records[0], `{`, `{"page":1,`, 1)
		}), []string{"page 1 and (missing)"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := everyMinute(start).serve(bloodhoundtest.V84)
			server.Fault(tc.fault)
			_, err := readSpan(t, reads(t, server, true), start, start.Add(shelvedFor))
			resttest.WantText(t, err, tc.says...)
		})
	}
	for name, fault := range map[string]bloodhoundtest.Fault{
		"the same": rewritten(func(records []string) {
			if len(records) == 100 {
				copy(records[1:], records) // the last one comes with the next page
			}
		}),
		"in another zone": rewritten(func(records []string) { records[0] = strings.Replace(records[0], `Z"`, `+00:00"`, 1) }),
		"in another order of keys": rewritten(func(records []string) {
			const action = `"action":"UpdateParameter",`
			records[0] = "{" + action + strings.Replace(records[0], action, "", 1)[1:]
		}),
	} {
		t.Run(name, func(t *testing.T) {
			server := everyMinute(start).serve(bloodhoundtest.V84)
			server.Fault(fault)
			got, err := readSpan(t, reads(t, server, true), start, start.Add(shelvedFor))
			if err != nil || len(got.ids) != 1440 {
				t.Errorf("%d records, %v", len(got.ids), err)
			}
		})
	}
}

// Each page of a walk is asked for with a filter that bounds the server's count. The page is the same as without the filter.
func TestEveryPageBoundsTheCount(t *testing.T) {
	start := shelfStart()
	after, end := start.Add(6*time.Hour), start.Add(20*time.Hour)
	earlier := start.Add(2 * time.Hour)
	for _, profile := range bloodhoundtest.Profiles {
		t.Run(string(profile), func(t *testing.T) {
			server := everyMinute(start).serve(profile)
			c := reads(t, server, false)
			b, err := c.Fetch(t.Context(), after, end, Limits{}, after, earlier)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Release()
			if err := b.Wait(); err != nil || len(b.Records()) != 14*60+1 {
				t.Fatalf("%d records, %v", len(b.Records()), err)
			}
			var filters []string
			for _, r := range server.Requests() {
				if u, err := url.Parse(r.Target); err == nil && u.Path == AuditPath {
					filters = append(filters, strings.Join(u.Query()["created_at"], " and "))
				}
			}
			want := slices.Repeat([]string{"gte:" + page.FormatTime(after)}, len(filters))
			if want[1] = "gte:" + page.FormatTime(earlier); len(filters) < 8 || !slices.Equal(filters, want) {
				t.Errorf("filters %q", filters)
			}
			if n, known := b.Counted(2); known {
				t.Errorf("a count that was not asked for: %d", n)
			}
			if n, known := b.Counted(1); known != (profile != bloodhoundtest.Documented) || known && n < 1440-120 {
				t.Errorf("count %d, %v", n, known)
			}
		})
	}
}
