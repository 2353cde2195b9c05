package bloodhound

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"

	"github.com/houndtrail/houndtrail/exporter/record/filter"
)

func TestQueryEncode(t *testing.T) {
	at := time.Date(2026, 1, 31, 2, 0, 0, 123_456_789, time.FixedZone("", 2*60*60))
	for want, q := range map[string]Query{
		"":                                  {},
		"after=2026-01-31T00:00:00.123456Z": {After: at},
		"before=2026-01-31T00:00:00.123456Z&limit=7":                    {Before: at, Limit: 7},
		"after=0001-01-01T00:00:00Z&before=0001-01-01T00:00:00Z":        {Bounded: true},
		"after=0001-01-01T00:00:00Z&before=9999-12-31T23:59:59.999999Z": {Bounded: true, Before: lastInstant()},
		"skip=3&offset=3&sort_by=-created_at&sort_by=-id":               {Skip: 3, SortBy: NewestFirst()},
		"action=eq:a b&id=gt:7":                                         {Filters: parsed("action=eq:a b&id=gt:7")},
	} {
		got, err := url.QueryUnescape(q.Encode())
		if err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
}

// A time is the same instant on the wire, in UTC and with no more digits than the database keeps: servers lose an offset.
func TestFilterTimesAreUTC(t *testing.T) {
	for value, want := range map[string]string{
		"2026-06-01T02:00:00+02:00":           "2026-06-01T00:00:00Z",
		"2026-05-31T19:00:00.5-05:00":         "2026-06-01T00:00:00.5Z",
		"2026-06-01T00:00:00.123456789Z":      "2026-06-01T00:00:00.123456Z",
		"2026-06-01T05:45:00.123456789+05:45": "2026-06-01T00:00:00.123456Z",
		"2026-06-01":                          "2026-06-01",
		"now":                                 "now",
		"null":                                "null",
	} {
		got, _ := url.QueryUnescape(Query{Filters: []Filter{filter.Parse("created_at", "gte:"+value)}}.Encode())
		if got != "created_at=gte:"+want {
			t.Errorf("%s is sent as %s", value, got)
		}
	}
	if got := (Query{Filters: parsed("action=eq:2026-06-01T02:00:00+02:00")}).Encode(); !strings.Contains(got, "%2B02") {
		t.Errorf("the text of another column is sent as %s", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "minutes"))
		at := time.UnixMicro(rapid.Int64Range(epoch.UnixMicro(), epoch.AddDate(9, 0, 0).UnixMicro()).Draw(t, "at")).In(zone)
		f := filter.Parse("created_at", "lt:"+at.Format(time.RFC3339Nano))
		if got, err := time.Parse(time.RFC3339Nano, wire(f)); err != nil || !got.Equal(at) || !strings.HasSuffix(wire(f), "Z") {
			t.Fatalf("%s is sent as %s", f.Value, wire(f))
		}
		if w := (Query{Filters: []Filter{f}}).Warnings(); w != nil {
			t.Fatalf("%s: %q", f, w)
		}
	})
}

// Warnings tell the measurements on servers of 2024 and 2025, and nothing else.
func TestWarnings(t *testing.T) {
	by := func(column, text string) Query { return Query{Filters: []Filter{filter.Parse(column, text)}} }
	for name, test := range map[string]struct {
		query Query
		says  []string // one a warning
		fails bool
	}{
		"nothing":          {Query{}, nil, false},
		"oldest first":     {Query{SortBy: oldestFirst()}, nil, false},
		"by action":        {Query{SortBy: []string{"action", "-id"}}, nil, false},
		"by actor_id":      {Query{SortBy: []string{"-actor_id"}}, []string{"servers reject it (400)"}, true},
		"two filters":      {Query{Filters: parsed("id=gt:1&id=lt:3")}, []string{"500 to more than one"}, true},
		"source":           {by("source", "192.0.2.7"), []string{"use source_ip_address"}, true},
		"contains":         {by("action", "~eq:Login"), []string{"servers reject it"}, true},
		"greater text":     {by("status", "gt:a"), []string{"takes only eq and neq"}, true},
		"a space":          {by("action", "eq:Log in"), nil, false},
		"a plus":           {by("actor_email", "eq:user+tag@x"), []string{`only as far as "user"`}, false},
		"a brace":          {by("action", "GET/api/v2/x/{id}"), []string{`only as far as "GET/api/v2/x/"`}, false},
		"text number":      {by("actor_name", "eq:123"), []string{"answer 500"}, true},
		"text boolean":     {by("actor_name", "t"), []string{"answer 500"}, true},
		"text null":        {by("actor_name", "eq:null"), nil, false},
		"id":               {by("id", "gt:123"), nil, false},
		"id below zero":    {by("id", "gt:-5"), nil, false},
		"id with a point":  {by("id", "eq:1.5"), []string{"not a whole number"}, true},
		"id of 67 bits":    {by("id", "gt:99999999999999999999"), []string{"not a whole number"}, true},
		"id null":          {by("id", "null"), []string{"not a whole number"}, true},
		"time":             {by("created_at", "lt:2026-06-01T00:00:00Z"), nil, false},
		"time with offset": {by("created_at", "lt:2026-06-01T00:00:00+02:00"), nil, false},
		"day":              {by("created_at", "gt:2026-06-01"), []string{"not an RFC 3339 time"}, true},
		"not":              {by("status", "neq:success"), []string{"status=neq:success also leaves out records that have no status"}, false},
		"not null":         {by("status", "neq:null"), nil, false},
		"not this id":      {by("id", "neq:7"), nil, false},
		"many things at once": {
			Query{SortBy: []string{"source"}, Filters: parsed("source=eq:x&action=neq:a+b")},
			[]string{"sort_by=source", "2 filters", "filter source", "only as far", "have no action"},
			true,
		},
	} {
		got := test.query.Warnings()
		if len(got) != len(test.says) {
			t.Errorf("%s: %q, want %q", name, got, test.says)
			continue
		}
		for i, says := range test.says {
			if !strings.Contains(got[i], says) {
				t.Errorf("%s: %q does not say %q", name, got[i], says)
			}
		}
		if fails := slices.ContainsFunc(test.query.doubts(), func(d doubt) bool { return d.fails }); fails != test.fails {
			t.Errorf("%s: fails is %v", name, fails)
		}
	}
}

func TestQueryValidate(t *testing.T) {
	early, late := epoch, epoch.Add(1)
	for says, q := range map[string]Query{
		"cannot be negative":     {Skip: -1},
		"limit -3":               {Limit: -3},
		"nothing can be after":   {After: late, Before: early},
		"before 0001-01-01":      {Bounded: true, After: late},
		"has no value":           {Filters: parsed("id=gt:")},
		"sort_by needs a column": {SortBy: []string{"id", "-"}},
	} {
		resttest.WantText(t, q.Validate(), says)
	}
	for _, q := range []Query{{}, {After: late}, {Before: early}, {After: early, Before: early}, {Bounded: true, Before: early}} {
		if err := q.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// parsed are filters as a user types them.
func parsed(text string) (filters []Filter) {
	for part := range strings.SplitSeq(text, "&") {
		column, test, _ := strings.Cut(part, "=")
		filters = append(filters, filter.Parse(column, test))
	}
	return filters
}
