package bloodhound

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// A timedServer has a record at each instant of rows, and answers as servers of one generation do.
type timedServer struct {
	rows []time.Time

	ignoresSort   bool // as builds before March 2024: newest first, whatever the query
	ascending     bool // oldest first, whatever the query
	ignoresWindow bool // and the filter, as behind a proxy that drops the query
	hides         bool // shows nothing
	noCount       bool
	undated       int64 // rows that only count knows

	date     time.Time // by its clock; zero for now
	requests []url.Values
}

func (s *timedServer) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.URL.Query()
	s.requests = append(s.requests, q)
	limit, _ := strconv.Atoi(q.Get("limit"))
	logs, count := s.answer(q)
	for i := range logs {
		logs[i] = `{"id":1,"created_at":"` + logs[i] + `"}`
	}
	body := `"limit":` + q.Get("limit") + `,"data":{"logs":[` + strings.Join(logs[:min(len(logs), limit)], ",") + `]}}`
	if !s.noCount {
		body = `"count":` + strconv.FormatInt(count, 10) + `,` + body
	}
	return resttest.Respond(200, "{"+body, "Date", cmp.Or(s.date, time.Now()).UTC().Format(http.TimeFormat)), nil
}

// answer is the rows in order, as they are printed, and the count.
func (s *timedServer) answer(q url.Values) (logs []string, count int64) {
	after, _ := time.Parse(time.RFC3339Nano, q.Get("after"))
	before, _ := time.Parse(time.RFC3339Nano, q.Get("before"))
	filter, filtered := strings.CutPrefix(q.Get("created_at"), "gte:")
	if !filtered {
		filter, filtered = strings.CutPrefix(q.Get("created_at"), "lte:")
	}
	bound, _ := time.Parse(time.RFC3339Nano, filter)
	if !filtered {
		count = s.undated
	}
	var hits []time.Time
	for _, at := range s.rows {
		passes := !filtered || strings.HasPrefix(q.Get("created_at"), "gte:") && !at.Before(bound) ||
			strings.HasPrefix(q.Get("created_at"), "lte:") && !at.After(bound)
		if !passes && !s.ignoresWindow {
			continue
		}
		count++
		if s.ignoresWindow || !at.Before(after) && !at.After(before) {
			hits = append(hits, at)
		}
	}
	if s.hides {
		hits = nil
	}
	slices.SortFunc(hits, time.Time.Compare)
	if !s.ascending && (s.ignoresSort || q.Get("sort_by") != "created_at") {
		slices.Reverse(hits)
	}
	for _, at := range hits {
		logs = append(logs, page.FormatTime(at))
	}
	return logs, count
}

// hold checks the form of every request for an edge of the log.
func (s *timedServer) hold(t rapid.TB, most int) {
	t.Helper()
	for _, q := range s.requests {
		if strings.TrimPrefix(q["sort_by"][0], "-") != "created_at" || q.Has("skip") || q.Has("offset") || q.Get("limit") != "1" ||
			!q.Has("after") || !q.Has("before") {
			t.Errorf("asked for %v", q)
		}
	}
	if len(s.requests) > most {
		t.Errorf("%d requests, want %d at most", len(s.requests), most)
	}
}

// hourly is n instants, an hour apart, up to the newest.
func hourly(newest time.Time, n int) []time.Time {
	var rows []time.Time
	for i := range n {
		rows = append(rows, newest.Add(-time.Duration(i)*time.Hour))
	}
	return rows
}
