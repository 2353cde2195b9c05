package bloodhound

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// worse changes a record so that it is still JSON, and no record any more.
var worse = map[string]func(record string) string{
	"no time":     func(r string) string { return strings.Replace(r, `"created_at"`, `"created"`, 1) },
	"a bad time":  func(r string) string { return strings.Replace(r, `"created_at":"2`, `"created_at":"x2`, 1) },
	"an old id":   func(r string) string { return strings.Replace(r, `"id":`, `"id":-`, 1) },
	"no id":       func(r string) string { return strings.Replace(r, `"id"`, `"no"`, 1) },
	"a key twice": func(r string) string { return strings.Replace(r, `{`, `{"status":null,`, 1) },
	"no object":   func(r string) string { return "[" + r + "]" },
}

// spoil makes some records worse on their way. how has the way of each, by id.
func spoil(how map[int64]string) bloodhoundtest.Fault {
	return rewritten(func(records []string) {
		for i, row := range records {
			var r struct {
				ID int64 `json:"id"`
			}
			_ = json.Unmarshal([]byte(row), &r)
			if kind, ok := how[r.ID]; ok {
				records[i] = worse[kind](row)
			}
		}
	})
}

// An element that is no record stops the export with an error that has its bytes. In quarantine it is a hole with its bytes. A
// page that is no JSON is an error in either case.
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
				resttest.WantText(t, err, "HOUNDTRAIL_ON_BAD_RECORD=quarantine", "GET /api/v2/audit?after=", bad.Cause.Error())
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
					if hole.CreatedAt.IsZero() && !strings.Contains(hole.Reason, page.FormatTime(start)) {
						t.Errorf("when it was created is left out: %s", hole.Reason)
					}
				}
			})
		}
	}
}

// A hole keeps its bytes when the memory of its page serves another page.
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
		records[0] = strings.Replace(records[0], `"id":`, `"id":-`, 1) // a hole, if the next change did not spoil the page
		records[len(records)/2] = `{"id":1,}`
	}))
	_, err := readSpan(t, reads(t, server, true), start, start.Add(shelvedFor))
	resttest.WantText(t, err, "cannot be trusted", "index 50", `'}' where '"' is expected`)
}

// Whatever records are refused, quarantine delivers the other records, and a hole for each refused one.
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
