package bloodhoundtest_test

import (
	"strings"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

func TestRejectedQueries(t *testing.T) {
	const noSort = "column format does not support sorting"
	all := bt.Profiles
	source := all[1:] // those read from the server's source
	documented := []bt.Profile{bt.Documented}
	literals := []bt.Profile{bt.V7, bt.V84, bt.PR3049}
	legacy := []bt.Profile{bt.Legacy2024}
	const broken = "an internal error has occurred"
	for _, tt := range []struct {
		query    string
		profiles []bt.Profile
		status   int
		message  string
	}{
		{"sort_by=fields", all, 400, noSort},
		{"sort_by=commit_id", all, 400, noSort},
		{"sort_by=id,created_at", all, 400, noSort},
		{"sort_by=id&sort_by=x", all, 400, noSort},
		{"sort_by=actor_id", source, 400, noSort},
		{"sort_by=request_id", source, 400, noSort},
		{"sort_by=source", source, 400, noSort},
		{"sort_by=source_ip_address", documented, 400, noSort},
		{"sort_by=", documented, 400, noSort},
		{"action=foo:bar", all, 400, "there are errors in the query parameter filters specified"},
		{"created_at=2026-01-15T12:34:56Z", all, 400, "there are errors in the query parameter filters specified"},
		{"fields=eq:x", source, 400, "the specified column cannot be filtered: fields"},
		{"commit_id=eq:x", source, 400, "the specified column cannot be filtered: commit_id"},
		{"source=eq:x", source, 400, "the specified column cannot be filtered: source"},
		{"action=gt:x", all, 400, "the specified filter predicate is not supported for this column: action gt"},
		{"id=gt:1", documented, 400, "the specified filter predicate is not supported for this column: id gt"},
		{"action=~eq:x", literals, 400, "the specified filter predicate is not supported for this column: action ~eq"},
		{"status=~eq:x", documented, 400, "the specified filter predicate is not supported for this column: status ~eq"},
		{"action=LoginAttempt", documented, 400, "there are errors"},
		{"skip=x", literals, 400, `query parameter "skip" is malformed: `},
		{"skip=-1", literals, 400, `query parameter "skip" is malformed: `},
		{"skip=0", documented, 400, `query parameter "skip" is malformed: `},
		{"offset=-1", literals, 400, `query parameter "offset" is malformed: `},
		{"limit=-1", all, 400, `query parameter "limit" is malformed: `},
		{"limit=1.5", all, 400, `query parameter "limit" is malformed: `},
		{"limit=0", documented, 400, `query parameter "limit" is malformed: `},
		{"before=2026-01-15", all, 400, `query parameter "before" is malformed: `},
		{"after=2026-01-15T12:34:56", all, 400, `query parameter "after" is malformed: `},
		// In this order: sort, filters, skip, limit, before, after, database.
		{"sort_by=x&action=foo:bar&offset=x&limit=x&before=x&after=x", source, 400, noSort},
		{"action=foo:bar&offset=x&limit=x&before=x&after=x", source, 400, "there are errors"},
		{"offset=x&limit=x&before=x&after=x", source, 400, `query parameter "offset"`},
		{"limit=x&before=x&after=x", all, 400, `query parameter "limit"`},
		{"before=x&after=x&id=eq:x", all, 400, `query parameter "before"`},
		{"after=x&id=eq:x", all, 400, `query parameter "after"`},
		{"id=eq:x", all, 500, broken},
		{"id=gt:0&status=neq:x", legacy, 500, broken},
		{"actor_name=eq:123", literals, 500, broken},
		{"actor_name=eq:true", literals, 500, broken},
		{"actor_name=eq:t", literals, 500, broken},
		{"actor_name=eq:1.5", literals, 500, broken},
		{"created_at=gt:yesterday", all, 500, broken},
		{"id=eq:true", literals, 500, broken},
		{"id=lt:inf", literals, 500, broken},
		{"id=lt:1e400", literals, 500, broken},
	} {
		for _, p := range tt.profiles {
			t.Run(string(p)+" "+tt.query, func(t *testing.T) {
				wantError(t, newDouble(p).get(auditPath+"?"+tt.query), tt.status, tt.message)
			})
		}
	}
}

func TestEmptySortTakesTheHandlerDown(t *testing.T) {
	for _, p := range bt.Profiles[1:] {
		for _, query := range []string{"?sort_by=", "?sort_by=id&sort_by=&limit=x"} {
			w := newDouble(p, ago(time.Second)).get(auditPath + query)
			if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Type") != "" {
				t.Errorf("%s %s: %d %v %q", p, query, w.Code, w.Header(), w.Body)
			}
		}
	}
}

func TestTimesOfTheWindow(t *testing.T) {
	d := newDouble(bt.V84)
	for _, tt := range []struct {
		value string // as it stands in the URL
		ok    bool
	}{
		{"2026-01-15T12:34:56Z", true},
		{"2026-01-15T12:34:56.1Z", true},
		{"2026-01-15T12:34:56.123456789Z", true},
		{"2026-01-15T12:34:56.1234567891234Z", true},
		{"2026-01-15T12:34:56,5Z", true},
		{"2026-01-15T12:34:56%2B02:00", true},
		{"2026-01-15T12:34:56+02:00", false},
		{"2026-01-15T12:34:56", false},
		{"2026-01-15", false},
		{"1768480496", false},
		{"2026-01-15%2012:34:56Z", false},
		{"2026-01-15t12:34:56Z", false},
		{"2026-01-15T12:34:56z", false},
		{"2026-01-15T12:34:56%2B0200", false},
		{"2026-01-15T24:00:00Z", false},
	} {
		for _, name := range []string{"before", "after"} {
			w := d.get(auditPath + "?" + name + "=" + tt.value)
			if (w.Code == 200) != tt.ok {
				t.Errorf("%s=%s: %d %s", name, tt.value, w.Code, w.Body)
			}
		}
	}
}

func TestWindowIsInclusiveAndCutToMicroseconds(t *testing.T) {
	at := time.Date(2026, 1, 15, 10, 0, 0, 123456000, time.UTC)
	d := newDouble(bt.V84, bt.Row{ID: 1, CreatedAt: at})
	stamp := func(d time.Duration) string { return at.Add(d).Format(time.RFC3339Nano) }
	for _, tt := range []struct {
		after, before string
		want          int
	}{
		{stamp(0), stamp(0), 1},
		{stamp(time.Nanosecond), stamp(time.Second), 1},
		{stamp(time.Microsecond), stamp(time.Second), 0},
		{stamp(-time.Second), stamp(-time.Microsecond), 0},
		{stamp(-time.Second), stamp(-time.Nanosecond), 0},
		{stamp(time.Second), stamp(-time.Second), 0}, // no error, and nothing
	} {
		got := d.page(t, "?after="+tt.after+"&before="+tt.before)
		if len(got.Data.Logs) != tt.want || got.Data.Logs == nil {
			t.Errorf("%s to %s: %d rows, want %d", tt.after, tt.before, len(got.Data.Logs), tt.want)
		}
		if *got.Count != 1 {
			t.Errorf("count %d: it does not know the window", *got.Count)
		}
	}
}

func TestDefaultWindow(t *testing.T) {
	const year = 365 * 24 * time.Hour
	rows := []bt.Row{ago(0), ago(year), ago(year + time.Second), ago(2 * year)}
	d := newDouble(bt.V84, rows...)
	wantIDs(t, d.page(t, ""), 0+1, int64(year/time.Second))
	// An explicit before moves the default after along.
	wantIDs(t, d.page(t, "?before="+over(noon.Add(-year-time.Second).Format(time.RFC3339))),
		int64(year/time.Second)+1, int64(2*year/time.Second))

	documented := newDouble(bt.Documented, rows...)
	wantIDs(t, documented.page(t, "?before="+over(noon.Add(-year-time.Second).Format(time.RFC3339))))
}

func TestPaging(t *testing.T) {
	rows := []bt.Row{
		ago(1 * time.Second), ago(2 * time.Second), ago(3 * time.Second), ago(4 * time.Second), ago(5 * time.Second),
	}
	for _, tt := range []struct {
		profile bt.Profile
		query   string
		want    []int64
		skip    int
	}{
		{bt.V84, "?limit=2", []int64{1, 2}, 0},
		{bt.V84, "?limit=2&skip=2", []int64{3, 4}, 2},
		{bt.V84, "?limit=2&offset=2", []int64{3, 4}, 2},
		{bt.V84, "?limit=2&offset=3&skip=1", []int64{2, 3}, 1},
		{bt.V84, "?limit=2&offset=3&skip=0", []int64{1, 2}, 0},
		{bt.V84, "?limit=2&offset=3&skip=", []int64{1, 2}, 0},
		{bt.V84, "?limit=2&skip=4", []int64{5}, 4},
		{bt.V84, "?limit=2&skip=5", []int64{}, 5},
		{bt.V84, "?limit=0", []int64{1, 2, 3, 4, 5}, 0},
		{bt.V84, "?limit=0&skip=3", []int64{4, 5}, 3},
		{bt.V84, "?limit=2&limit=4", []int64{1, 2}, 0},
		{bt.V84, "?limit=&skip=", []int64{1, 2, 3, 4, 5}, 0},
		{bt.V84, "?limit=1&unknown=x&id=3", []int64{1}, 0},
		{bt.Legacy2024, "?limit=2&skip=2", []int64{1, 2}, 0},
		{bt.Legacy2024, "?limit=2&skip=x", []int64{1, 2}, 0},
		{bt.Legacy2024, "?limit=2&skip=2&offset=2", []int64{3, 4}, 2},
		{bt.Legacy2024, "?limit=2&offset=-1", []int64{1, 2}, -1},
		{bt.Documented, "?limit=2&skip=2", []int64{3, 4}, 0},
		{bt.Documented, "?limit=2&offset=2", []int64{1, 2}, 0},
	} {
		got := newDouble(tt.profile, rows...).page(t, tt.query)
		wantIDs(t, got, tt.want...)
		if tt.profile == bt.Documented {
			if got.Count != nil || got.Limit != nil || got.Skip != nil {
				t.Errorf("%s: the documentation promises none of %+v", tt.query, got)
			}
			continue
		}
		if *got.Skip != tt.skip || *got.Count != 5 {
			t.Errorf("%s: skip %d, count %d", tt.query, *got.Skip, *got.Count)
		}
		if strings.Contains(tt.query, "limit=0") && *got.Limit != 0 {
			t.Errorf("%s: limit %d", tt.query, *got.Limit)
		}
	}
}
