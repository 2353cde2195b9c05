package bloodhound

import (
	"net/http"
	"testing"
	"testing/synctest"

	"houndtrail/exporter/bloodhound/bloodhoundtest"
)

// An internal error that a warning foretold is the answer, and says what it comes from. Any other is tried again.
func TestLogsBelievesItsWarnings(t *testing.T) {
	two := Query{Filters: []Filter{{"id", "gt", "1"}, {"id", "lt", "3"}}}
	for name, test := range map[string]struct {
		query Query
		reply canned
		tries int
		says  string
	}{
		"foretold":            {two, can(500, complain("an internal error has occurred")), 1, "500 to more than one"},
		"not foretold":        {Query{}, can(500, complain("an internal error has occurred")), 8, "gave up after 8 tries"},
		"a surprise":          {Query{Filters: []Filter{{"status", "neq", "x"}}}, can(500, ""), 8, "gave up after 8 tries"},
		"another failure":     {two, can(502, htmlPage), 8, "502"},
		"too slow":            {two, can(500, complain("request timed out")), 8, "request timed out"},
		"it was not so":       {two, can(200, `{"data":{"logs":[]}}`), 1, ""},
		"nothing sent at all": {Query{Limit: -1}, can(200, ""), 0, "cannot be negative"},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			c := newClient(t, Options{Transport: tripper(func(r *http.Request) (*http.Response, error) {
				tries++
				return test.reply.RoundTrip(r)
			})})
			_, err := c.Logs(t.Context(), test.query)
			if tries != test.tries || (err == nil) != (test.says == "") {
				t.Errorf("%s: %d tries, want %d: %v", name, tries, test.tries, err)
			}
			if test.says != "" {
				wantText(t, err, test.says)
			}
		})
	}
}

// The generation that cannot take two filters is asked once.
func TestLogsWithTwoFilters(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		server, base := tenant(t, bloodhoundtest.Options{Profile: profile})
		c := quick(t, base, Token(testToken, always(testKey)))
		_, err := c.Logs(t.Context(), Query{Filters: []Filter{{"action", "eq", "CreateUser"}, {"status", "eq", "success"}}})
		if n := requestsFor(server, AuditPath); n != 1 || (err != nil) != (profile == bloodhoundtest.Legacy2024) {
			t.Errorf("%s: %d requests, %v", profile, n, err)
		}
	}
}
