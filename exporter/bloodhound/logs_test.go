package bloodhound

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// If a warning foretold an internal error, Logs returns it at once, with the warning. After any other it tries again.
func TestLogsBelievesItsWarnings(t *testing.T) {
	two := Query{Filters: parsed("id=gt:1&id=lt:3")}
	for name, test := range map[string]struct {
		query Query
		reply resttest.Canned
		tries int
		says  string
	}{
		"foretold": {two, resttest.Can(500, resttest.Complain("an internal error has occurred")), 1, "500 to more than one"},
		// From the third try on, the client also sends the same query about a time without rows.
		"not foretold":        {Query{}, resttest.Can(500, resttest.Complain("an internal error has occurred")), 8 + 6, "gave up after 8 tries"},
		"a surprise":          {Query{Filters: parsed("status=neq:x")}, resttest.Can(500, ""), 8 + 6, "gave up after 8 tries"},
		"another failure":     {two, resttest.Can(502, resttest.HTMLPage), 8, "502"},
		"too slow":            {two, resttest.Can(500, resttest.Complain("request timed out")), 8, "request timed out"},
		"it was not so":       {two, resttest.Can(200, `{"data":{"logs":[]}}`), 1, ""},
		"nothing sent at all": {Query{Limit: -1}, resttest.Can(200, ""), 0, "cannot be negative"},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			c := newClient(t, Options{
				Connection: rest.Options{Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
					tries++
					return test.reply.RoundTrip(r)
				})},
			})
			_, err := c.Logs(t.Context(), test.query)
			if tries != test.tries || (err == nil) != (test.says == "") {
				t.Errorf("%s: %d tries, want %d: %v", name, tries, test.tries, err)
			}
			if test.says != "" {
				resttest.WantText(t, err, test.says)
			}
		})
	}
}

// The client asks once if the generation cannot take two filters.
func TestLogsWithTwoFilters(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		server, base := resttest.Tenant(t, bloodhoundtest.Options{Profile: profile})
		c := quick(t, base, rest.Token(resttest.Token, resttest.Always(resttest.Key)))
		_, err := c.Logs(t.Context(), Query{Filters: parsed("action=eq:CreateUser&status=eq:success")})
		if n := resttest.RequestsFor(server, AuditPath); n != 1 || (err != nil) != (profile == bloodhoundtest.Legacy2024) {
			t.Errorf("%s: %d requests, %v", profile, n, err)
		}
	}
}

// Logs names a bad row on a page that a person asks for, whatever the query.
func TestLogsNamesABadRow(t *testing.T) {
	start := shelfStart()
	span := everyMinute(start, 777)
	for i := 770; i < 780; i++ {
		span.at[i] = span.at[777]
	}
	of := func(q Query) Query {
		q.After, q.Before = start, start.Add(shelvedFor)
		return q
	}
	for name, test := range map[string]struct {
		query Query
		says  string
	}{
		"newest first":   {of(Query{Limit: 1000, SortBy: NewestFirst()}), "row 3 of its instant, the highest id first"},
		"no limit":       {of(Query{}), "row 3 of its instant, the highest id first"},
		"no window":      {Query{SortBy: NewestFirst()}, "row 3 of its instant, the highest id first"},
		"skipped to":     {of(Query{Skip: 662, Limit: 1, SortBy: NewestFirst()}), "row 3 of its instant, the highest id first"},
		"by another key": {of(Query{Limit: 1000, SortBy: []string{"id"}}), "row 8 of its instant, in the order asked for"},
		"filtered": {
			of(Query{Limit: 10, SortBy: NewestFirst(), Filters: parsed("id=lte:779")}),
			"row 2 of its instant, the highest id first",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, profile := range bloodhoundtest.Profiles {
				if profile == bloodhoundtest.Documented && test.query.Filters != nil {
					continue // it takes no lte of an id
				}
				server := span.serve(profile)
				c := reads(t, server, true)
				if n := asked(server, func() {
					_, err := c.Logs(t.Context(), test.query)
					namedByHand(t, err, span.at[777], test.says, "the server cannot print")
				}); n > 110 {
					t.Errorf("%s: %d requests", profile, n)
				}
			}
		})
	}
	c := reads(t, span.serve(bloodhoundtest.V84), true)
	_, err := c.Span(t.Context(), start, start.Add(shelvedFor))
	namedByHand(t, err, span.at[777], "row 3 of its instant", "the server cannot print")
}

func namedByHand(t *testing.T, err error, at time.Time, says ...string) {
	t.Helper()
	if bad, ok := errors.AsType[*BadRecordError](err); !ok || !bad.CreatedAt.Equal(at) {
		t.Errorf("error %v", err)
		return
	}
	resttest.WantText(t, err, append(says, page.FormatTime(at), "audit_logs", "older than it, or newer")...)
	if strings.Contains(err.Error(), "quarantine") || strings.Contains(err.Error(), "export") {
		t.Errorf("nothing is exported here: %v", err)
	}
}

// Logs also names an element that is no record.
func TestLogsNamesWhatIsNoRecord(t *testing.T) {
	start := shelfStart()
	server := everyMinute(start).serve(bloodhoundtest.V84)
	server.Fault(spoil(map[int64]string{1430: "an old id"}))
	c := reads(t, server, false)
	_, err := c.Logs(t.Context(), Query{Limit: 100, SortBy: NewestFirst()})
	at := start.Add(1429 * time.Minute)
	namedByHand(t, err, at, "with id -1430", `key "id": the id -1430 is below 1`)
	_, err = c.Span(t.Context(), start, start.Add(shelvedFor))
	namedByHand(t, err, at, "with id -1430", `key "id": the id -1430 is below 1`)
}

// A bad moment is no bad row: Logs returns the page in the end.
func TestLogsOutlivesABadMoment(t *testing.T) {
	server := everyMinute(shelfStart()).serve(bloodhoundtest.V84)
	server.Fault(faults.Next(3, faults.InternalError()))
	page, err := reads(t, server, false).Logs(t.Context(), Query{Limit: 100, SortBy: NewestFirst()})
	if err != nil || len(page.Records) != 100 {
		t.Errorf("%d records, %v", len(page.Records), err)
	}
}
