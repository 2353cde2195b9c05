package bloodhound

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"houndtrail/exporter/bloodhound/bloodhoundtest"
)

// A server's beginning is found to the record where it can tell, in few requests, and by searching where it cannot.
func TestOldest(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		exact := profile != bloodhoundtest.Documented // it promises no count
		t.Run(string(profile), func(t *testing.T) {
			server, c, _, _ := day(t, bloodhoundtest.Options{Profile: profile})
			now, first := time.Now(), server.Rows()[0].CreatedAt
			for _, r := range server.Rows() {
				if r.CreatedAt.Before(first) {
					first = r.CreatedAt
				}
			}
			before := server.Stats().Requests
			extent, err := c.Extent(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			got := extent.Oldest
			if got.After(first) || first.Sub(got) > 2*oldestStep {
				t.Fatalf("oldest is %s, and the oldest record of %s", got, first)
			}
			if exact && !got.Equal(first) {
				t.Errorf("oldest is %s, want exactly %s", got, first)
			}
			if n := server.Stats().Requests - before; exact && n > 3 {
				t.Errorf("it took %d requests", n)
			}
		})
	}
}

// What count and skip may say besides the truth costs requests, and never a record.
func TestOldestIsNotTrusting(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	for name, test := range map[string]struct {
		server  tellingServer
		longest time.Duration // before the oldest record
	}{
		"no records":              {tellingServer{}, 0},
		"one":                     {tellingServer{rows: 1}, 0},
		"the truth":               {tellingServer{rows: 5000}, 0},
		"a few rows without time": {tellingServer{rows: 5000, more: 90}, 0},
		"a few rows too few":      {tellingServer{rows: 5000, more: -90}, 0},
		"many rows without time":  {tellingServer{rows: 5000, more: 900}, oldestStep},
		"far too few":             {tellingServer{rows: 5000, more: -900}, oldestStep},
		"the page's own count":    {tellingServer{rows: 5000, more: -4999}, oldestStep},
		"no count":                {tellingServer{rows: 5000, more: -5001}, oldestStep},
		"skip is ignored":         {tellingServer{rows: 5000, deaf: true}, oldestStep},
		"oldest first":            {tellingServer{rows: 5000, ascending: true}, oldestStep},
		"too many to skip":        {tellingServer{rows: 5000, more: 2 * farthestSkip}, oldestStep},
	} {
		t.Run(name, func(t *testing.T) {
			test.server.newest = now.Add(-time.Minute)
			listener := httptest.NewServer(&test.server)
			defer listener.Close()
			c := quick(t, listener.URL, Bearer(always("a-token")))
			extent, err := c.Extent(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			got := extent.Oldest
			want := now
			if n := test.server.rows; n > 0 {
				want = test.server.at(n - 1)
			}
			if got.After(want) || want.Sub(got) > test.longest {
				t.Errorf("oldest is %s, and the oldest record of %s", got, want)
			}
			if test.server.farthest > farthestSkip {
				t.Errorf("the server had to skip %d rows", test.server.farthest)
			}
			if test.server.requests > 20 {
				t.Errorf("it took %d requests", test.server.requests)
			}
		})
	}
}

// How long a page is on average is a hint of how long a window may be: it has to be sane, whatever the server counts.
func TestPageSpan(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	for name, test := range map[string]struct {
		server tellingServer
		want   time.Duration
	}{
		"a page of many":     {tellingServer{rows: 5001}, 100 * 5000 * time.Hour / 5001},
		"all in a page":      {tellingServer{rows: 51}, 50*time.Hour + time.Minute},
		"no records":         {tellingServer{more: 7}, 0},
		"one":                {tellingServer{rows: 1}, time.Minute},
		"no count":           {tellingServer{rows: 51, more: -52}, 0},
		"the other end only": {tellingServer{rows: 51, ascending: true}, 50*time.Hour + time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			test.server.newest = now.Add(-time.Minute)
			listener := httptest.NewServer(&test.server)
			defer listener.Close()
			c := quick(t, listener.URL, Bearer(always("a-token")))
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

// A tellingServer has a row every hour, and counts as it likes.
type tellingServer struct {
	rows, more int
	deaf       bool // to skip and offset
	ascending  bool
	newest     time.Time
	requests   int
	farthest   int // skip
}

func (s *tellingServer) at(i int) time.Time { return s.newest.Add(-time.Duration(i) * time.Hour) }

func (s *tellingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests++
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	skip, _ := strconv.Atoi(q.Get("skip"))
	s.farthest = max(s.farthest, skip)
	before, _ := time.Parse(time.RFC3339Nano, q.Get("before"))
	if s.deaf {
		skip = 0
	}
	logs := []string{}
	for i := range s.rows {
		if s.ascending {
			i = s.rows - 1 - i
		}
		switch {
		case s.at(i).After(before):
		case skip > 0:
			skip--
		case len(logs) < limit:
			logs = append(logs, `{"id":`+strconv.Itoa(s.rows-i)+`,"created_at":"`+s.at(i).Format(time.RFC3339Nano)+`"}`)
		}
	}
	count := `"count":` + strconv.Itoa(s.rows+s.more) + `,`
	if s.rows+s.more < 0 {
		count = ""
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{` + count + `"limit":` + q.Get("limit") + `,"data":{"logs":[` + strings.Join(logs, ",") + `]}}`))
}
