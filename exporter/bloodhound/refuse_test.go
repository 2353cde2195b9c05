package bloodhound

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// An error about a page says on one line where in it the fault is, and what is there.
func TestSyntaxErrorsAreForPeople(t *testing.T) {
	const good = `{"id":41,"created_at":"2026-01-15T12:34:56Z","action":"A"}`
	page := func(records ...string) string {
		return `{"count":9,"data":{"logs":[` + strings.Join(records, ",") + `]}}`
	}
	for _, tc := range []struct {
		name, body string
		index      int
		id         int64
		key        string
		says       []string
	}{
		{
			"a value of the wrong type", page(good, `{"id":42,"created_at":"2026-01-15T12:34:55Z","action":7,"status":"s"}`), 1, 42, "action",
			[]string{`record at index 1 (id 42), key "action": '7' where '"' is expected`, `around: 026-01-15T12:34:55Z","action":7,"status":"s"}]}}`},
		},
		{"an id behind what is wrong", page(`{"created_at":"yesterday","id":42}`), 0, 42, "created_at", []string{`"yesterday" is not an RFC 3339 time`}},
		{"no time at all", page(good, good, `{"id":43}`), 2, 43, "", []string{"index 2 (id 43): a record without id or created_at"}},
		{"no id", page(`{"created_at":"2026-01-15T12:34:56Z"}`), 0, 0, "", []string{"record at index 0: a record without id"}},
		{"a key twice", page(`{"id":42,"id":43,"created_at":"2026-01-15T12:34:56Z"}`), 0, 42, "id", []string{`key "id": the key stands twice`}},
		{"an id below 1", page(`{"id":-7,"created_at":"2026-01-15T12:34:56Z"}`), 0, -7, "id", []string{"the id -7 is below 1"}},
		{"no record", page(good, `[1]`), 1, 0, "", []string{"index 1: '[' where '{' is expected"}},
		{"broken JSON", page(good, `{"id":42,"created_at":"2026-01-15T12:34:56Z","fields":{"n":01}}`), 1, 42, "fields", []string{`'1' where '}' is expected`}},
		{"a number of letters", page(good, `{"id":42,"fields":{"n":-x}}`), 1, 42, "fields", []string{"a number without digits", `{"n":-x}`}},
		{"between two keys", page(`{"id":42,"created_at":"2026-01-15T12:34:56Z",,}`), 0, 42, "", []string{`',' where '"' is expected`}},
		{"not UTF-8", page(good, "{\"id\":42,\"action\":\"\xff\"}"), 1, 42, "action", []string{"not UTF-8", "\"action\":\"\uFFFD\"}"}},
		{"a control character", page("{\"id\":42,\"action\":\"a\x1bb\"}"), 0, 42, "action", []string{"control character 0x1b", `"a·b"`}},
		{"the envelope", `{"count":"many","data":{"logs":[]}}`, -1, 0, "count", []string{`the page, key "count": a number without digits, at byte 9`}},
		{"no logs", `{"data":{"rows":[]}}`, -1, 0, "", []string{"the page: no data.logs in it"}},
		{"cut", page(good)[:60], 0, 41, "created_at", []string{"it ends inside a string"}},
		{"long values", page(`{"id":42,"created_at":"` + strings.Repeat("9", 5000) + `"}`), 0, 42, "created_at", []string{"999...", "is not an RFC 3339"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ParsePage([]byte(tc.body), nil)
			e, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			if e.Index != tc.index || e.ID != tc.id || e.Key != tc.key {
				t.Errorf("index %d, id %d, key %q: %v", e.Index, e.ID, e.Key, e)
			}
			wantText(t, err, tc.says...)
			wantText(t, err, fmt.Sprintf("at byte %d, around: %s", e.Offset, e.Around))
			if n := utf8.RuneCountInString(e.Around); n > 60 || len(err.Error()) > 500 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("%d characters around: %q", n, err.Error())
			}
		})
	}
}

func TestAroundKeepsCharactersWhole(t *testing.T) {
	text := strings.Repeat("é東🐕", 40)
	for offset := range len(text) + 2 {
		got := around([]byte(text), offset)
		if n := utf8.RuneCountInString(got); !strings.Contains(text, got) || n > 60 || n < 30 {
			t.Fatalf("around %d: %q", offset, got)
		}
	}
}

// worse makes of a record what is JSON, and no record.
var worse = map[string]func(record string) string{
	"no time":     func(r string) string { return strings.Replace(r, `"created_at"`, `"created"`, 1) },
	"a bad time":  func(r string) string { return strings.Replace(r, `"created_at":"2`, `"created_at":"x2`, 1) },
	"an old id":   func(r string) string { return strings.Replace(r, `"id":`, `"id":-`, 1) },
	"no id":       func(r string) string { return strings.Replace(r, `"id"`, `"no"`, 1) },
	"a key twice": func(r string) string { return strings.Replace(r, `{`, `{"status":null,`, 1) },
	"no object":   func(r string) string { return "[" + r + "]" },
}

// spoil makes some records worse on their way, by what their id is.
func spoil(how map[int64]string) bloodhoundtest.Fault {
	return rewritten(func(records []string) {
		for i, row := range records {
			var r record.Record
			_ = (&scanner{buf: []byte(row)}).record(&r)
			if kind, ok := how[r.ID]; ok {
				records[i] = worse[kind](row)
			}
		}
	})
}

// A record that is none stops the export with its bytes, and is a hole with them in quarantine; a page that is no JSON is an
// error in either case.
func TestRecordsThatAreNone(t *testing.T) {
	start := shelfStart()
	for kind := range worse {
		for _, id := range []int64{1, 777, 1341, 1342, 1440} { // the ends of pages, too
			t.Run(fmt.Sprint(kind, " ", id), func(t *testing.T) {
				span := everyMinute(start)
				server := span.serve(bloodhoundtest.V84)
				server.Fault(spoil(map[int64]string{id: kind}))
				_, err := readSpan(t, reads(t, server, false), start, start.Add(shelvedFor))
				bad, ok := errors.AsType[*BadRecordError](err)
				if !ok || len(bad.Raw) == 0 {
					t.Fatalf("error %v", err)
				}
				wantText(t, err, "HOUNDTRAIL_ON_BAD_RECORD=quarantine", "GET /api/v2/audit?after=", bad.Cause.Error())
				c := reads(t, server, true)
				for range 2 { // the second time with trust in the ends of pages
					got, err := readSpan(t, c, start, start.Add(shelvedFor))
					if err != nil {
						t.Fatal(err)
					}
					if len(got.ids) != 1439 || slices.Contains(got.ids, id) || len(got.holes) != 1 {
						t.Fatalf("%d records, holes %+v", len(got.ids), got.holes)
					}
					hole := got.holes[0]
					if string(hole.Raw) != string(bad.Raw) || hole.Reason == "" || hole.ID != bad.ID || !hole.CreatedAt.Equal(bad.CreatedAt) {
						t.Errorf("hole %+v, want that of %+v", hole, bad)
					}
					if hole.CreatedAt.IsZero() && !strings.Contains(hole.Reason, wireTime(start)) {
						t.Errorf("when it was created is left out: %s", hole.Reason)
					}
				}
			})
		}
	}
}

// What a hole holds stays when the memory of its page serves another one.
func TestHolesAreTheCallers(t *testing.T) {
	start := shelfStart()
	server := everyMinute(start).serve(bloodhoundtest.V84)
	server.Fault(spoil(map[int64]string{1000: "an old id"}))
	c := reads(t, server, true)
	got, err := readSpan(t, c, start, start.Add(shelvedFor))
	if err != nil || len(got.holes) != 1 {
		t.Fatalf("holes %+v, %v", got.holes, err)
	}
	before := string(got.holes[0].Raw)
	for i := range 10 {
		if _, err := readSpan(t, c, start, start.Add(shelvedFor-time.Duration(7*i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if now := string(got.holes[0].Raw); now != before {
		t.Errorf("%s has become %s", before, now)
	}
}

func TestBrokenPageIsNoHole(t *testing.T) {
	start := shelfStart()
	server := everyMinute(start).serve(bloodhoundtest.V84)
	server.Fault(rewritten(func(records []string) {
		records[0] = strings.Replace(records[0], `"id":`, `"id":-`, 1) // a hole, if it were not for the next one
		records[len(records)/2] = `{"id":1,}`
	}))
	_, err := readSpan(t, reads(t, server, true), start, start.Add(shelvedFor))
	wantText(t, err, "cannot be trusted", "index 50", `'}' where '"' is expected`)
}

// Whatever records are refused, quarantine delivers the others, and a hole for each.
func TestQuarantineOfRefusedRecords(t *testing.T) {
	start := shelfStart()
	kinds := make([]string, 0, len(worse))
	for kind := range worse {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	rapid.Check(t, func(rt *rapid.T) {
		spread := rapid.SampledFrom([]int{1, 3, 1000}).Draw(rt, "spread")
		var span shelved
		how := map[int64]string{}
		for i := range rapid.IntRange(0, 30).Draw(rt, "rows") {
			span.at = append(span.at, start.Add(time.Duration(rapid.IntRange(0, spread-1).Draw(rt, "at"))*grain))
			if rapid.IntRange(0, 4).Draw(rt, "bad") == 0 {
				how[int64(i+1)] = rapid.SampledFrom(kinds).Draw(rt, "kind")
			}
		}
		server := span.serve(rapid.SampledFrom(bloodhoundtest.Profiles).Draw(rt, "profile"))
		server.Fault(spoil(how))
		c := reads(t, server, true)
		c.limit.Store(int64(rapid.IntRange(1, 8).Draw(rt, "page")))
		for range 2 {
			got, err := readSpan(t, c, start, start.Add(time.Second))
			if err != nil {
				rt.Fatal(err)
			}
			if len(got.ids) != len(span.at)-len(how) || len(got.holes) != len(how) || len(slices.Compact(got.ids)) != len(got.ids) {
				rt.Fatalf("%d records and %d holes of %d rows, %d of them bad", len(got.ids), len(got.holes), len(span.at), len(how))
			}
			for _, id := range got.ids {
				if how[id] != "" {
					rt.Fatalf("record %d was delivered", id)
				}
			}
		}
	})
}
