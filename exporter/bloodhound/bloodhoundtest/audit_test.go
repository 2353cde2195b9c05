package bloodhoundtest_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

func TestEntryAsPrinted(t *testing.T) {
	row := bt.Row{
		ID: 42, CreatedAt: time.Date(2026, 1, 15, 12, 0, 0, 120_000_999, time.UTC),
		ActorID: "u", ActorName: `<Zoë & "co">`, ActorEmail: "z@x", Action: "CreateUser",
		Fields: json.RawMessage(`{"b":1, "a":"<"}`), RequestID: "r", SourceIP: "203.0.113.9, 10.0.0.5,10.0.0.7",
		CommitID: "c", Status: "success",
	}
	const head = `{"id":42,"created_at":"2026-01-15T12:00:00.12Z","actor_id":"u","actor_name":` +
		`"\u003cZoë \u0026 \"co\"\u003e","actor_email":"z@x","action":"CreateUser","fields":{"b":1, "a":"<"},` +
		`"request_id":"r",`
	const address = `"203.0.113.9, 10.0.0.5,10.0.0.7"`
	for _, tt := range []struct {
		opts bt.Options
		want string
	}{
		{
			bt.Options{Profile: bt.V84},
			`{"count":1,"limit":1000,"skip":0,"data":{"logs":[` + head +
				`"source_ip_address":` + address + `,"status":"success","commit_id":"c"}]}}`,
		},
		{
			bt.Options{Profile: bt.Documented},
			`{"data":{"logs":[` + head + `"source_ip_address":` + address + `,"commit_id":"c","status":"success"}]}}`,
		},
		{
			bt.Options{Profile: bt.Legacy2024, Pre2024: true},
			`{"count":1,"limit":1000,"skip":0,"data":{"logs":[` + head + `"source":` + address + `,"status":"success"}]}}`,
		},
	} {
		tt.opts.Rows = []bt.Row{row}
		if got := newDoubleWith(tt.opts).get(auditPath).Body.String(); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.opts.Profile, got, tt.want)
		}
	}
}

func TestMissingValuesAsPrinted(t *testing.T) {
	d := newDouble(bt.V84, bt.Row{ID: 1, CreatedAt: noon, Zone: time.FixedZone("", 7200)})
	want := `{"count":1,"limit":1000,"skip":0,"data":{"logs":[{"id":1,"created_at":"2026-01-15T14:34:56+02:00","actor_id":"",` +
		`"actor_name":"","actor_email":"","action":"","fields":null,"request_id":"","source_ip_address":"","status":"",` +
		`"commit_id":"00000000-0000-0000-0000-000000000000"}]}}`
	if got := d.get(auditPath).Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	d = newDouble(bt.V84)
	if got, want := d.get(auditPath).Body.String(), `{"count":0,"limit":1000,"skip":0,"data":{"logs":[]}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRowsWithoutATimeAreCountedOnly(t *testing.T) {
	d := newDouble(bt.V84, bt.Row{ID: 1}, ago(time.Second*2), bt.Row{ID: 3})
	got := d.page(t, "")
	wantIDs(t, got, 2)
	if *got.Count != 3 {
		t.Errorf("count %d, want 3", *got.Count)
	}
	if got := d.page(t, "?id=gt:1"); *got.Count != 2 {
		t.Errorf("filtered count %d, want 2", *got.Count)
	}
}

func TestLateRowsAppearBelowNewerOnes(t *testing.T) {
	late := ago(10 * time.Second)
	late.ID, late.VisibleAt = 5, noon.Add(time.Minute)
	future := bt.Row{ID: 9, CreatedAt: noon.Add(time.Hour)}
	first := ago(time.Second)
	d := newDouble(bt.V84, first, late, future)
	got := d.page(t, "?before=2027-01-01T00:00:00Z")
	wantIDs(t, got, 1)
	if *got.Count != 1 {
		t.Errorf("count %d: it sees what no transaction has committed", *got.Count)
	}
	d.clock.Advance(time.Minute)
	wantIDs(t, d.page(t, ""), 1, 5)
	d.clock.Advance(time.Hour)
	wantIDs(t, d.page(t, ""), 9, 1, 5)
	if len(d.Rows()) != 3 {
		t.Error("Rows does not tell all")
	}
}

func TestSequenceAndRestore(t *testing.T) {
	d := newDouble(bt.V84, ago(50*time.Second))
	d.Add(bt.Row{CreatedAt: noon})
	wantIDs(t, d.page(t, ""), 51, 50)
	if n := d.Prune(noon); n != 1 {
		t.Errorf("pruned %d rows", n)
	}
	d.Prune(noon.Add(time.Hour))
	d.Add(bt.Row{CreatedAt: noon})
	got := d.page(t, "")
	wantIDs(t, got, 52) // the sequence does not go back
	if *got.Count != 1 {
		t.Errorf("count %d", *got.Count)
	}
	d.Restore(ago(7*time.Second), bt.Row{ID: 3, CreatedAt: noon.Add(-time.Hour)})
	d.Add(bt.Row{CreatedAt: noon})
	wantIDs(t, d.page(t, ""), 8, 7, 3)
}

// orders leave no ties.
var orders = []struct {
	query   string
	compare func(a, b bt.Row) int
}{
	{"sort_by=-created_at&sort_by=id", func(a, b bt.Row) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	}},
	{"sort_by=created_at&sort_by=-id", func(a, b bt.Row) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(b.ID, a.ID))
	}},
	{"sort_by=id", func(a, b bt.Row) int { return cmp.Compare(a.ID, b.ID) }},
	{"sort_by=-action&sort_by=id", func(a, b bt.Row) int {
		return cmp.Or(cmp.Compare(b.Action, a.Action), cmp.Compare(a.ID, b.ID))
	}},
}

// TestPagesAgreeWithAModel compares the sorted table with a plain reading of the rules.
func TestPagesAgreeWithAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []bt.Row
		for id := range rapid.IntRange(0, 60).Draw(t, "rows") {
			row := bt.Row{ID: int64(id + 1), Action: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "action")}
			if at := rapid.IntRange(-1, 12).Draw(t, "at"); at >= 0 {
				row.CreatedAt = noon.Add(-time.Duration(at) * time.Minute)
			}
			if rapid.IntRange(0, 9).Draw(t, "late") == 0 {
				row.VisibleAt = noon.Add(time.Duration(rapid.IntRange(0, 1).Draw(t, "by")) * time.Second)
			}
			rows = append(rows, row)
		}
		d := newDouble(bt.V84)
		if len(rows) > 0 { // some alone, some together
			cut := rapid.IntRange(0, len(rows)).Draw(t, "cut")
			for _, row := range rows[:cut] {
				d.Add(row)
			}
			d.Add(rows[cut:]...)
		}
		if months := rapid.IntRange(-1, 12).Draw(t, "prune"); months >= 0 {
			before := noon.Add(-time.Duration(months) * time.Minute)
			d.Prune(before)
			rows = slices.DeleteFunc(rows, func(r bt.Row) bool {
				return !r.CreatedAt.IsZero() && r.CreatedAt.Before(before)
			})
		}
		after := noon.Add(-time.Duration(rapid.IntRange(0, 12).Draw(t, "after")) * time.Minute)
		before := noon.Add(-time.Duration(rapid.IntRange(0, 12).Draw(t, "before")) * time.Minute)
		skip, limit := rapid.IntRange(0, 20).Draw(t, "skip"), rapid.IntRange(0, 20).Draw(t, "limit")
		sort := rapid.SampledFrom(orders).Draw(t, "sort")
		query := fmt.Sprintf("?%s&after=%s&before=%s&limit=%d&skip=%d",
			sort.query, after.Format(time.RFC3339), before.Format(time.RFC3339), limit, skip)
		keep := func(bt.Row) bool { return true }
		if rapid.Bool().Draw(t, "filter") {
			query += "&action=eq:a"
			keep = func(r bt.Row) bool { return r.Action == "a" }
		}
		var want []bt.Row
		count := 0
		for _, r := range rows {
			if r.VisibleAt.After(noon) || !keep(r) {
				continue
			}
			count++
			if !r.CreatedAt.IsZero() && !r.CreatedAt.Before(after) && !r.CreatedAt.After(before) {
				want = append(want, r)
			}
		}
		slices.SortFunc(want, sort.compare)
		skipped := min(skip, len(want))
		want = want[skipped:]
		if limit > 0 {
			want = want[:min(limit, len(want))]
		}
		w := d.get(auditPath + query)
		var got envelope
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if *got.Count != count {
			t.Errorf("count %d, want %d", *got.Count, count)
		}
		if stats := d.Stats(); stats.RowsServed != int64(len(want)) || stats.RowsSkipped != int64(skipped) {
			t.Errorf("stats %+v, want %d served, %d skipped", stats, len(want), skipped)
		}
		ids := []int64{}
		for _, r := range want {
			ids = append(ids, r.ID)
		}
		if !slices.Equal(got.ids(), ids) {
			t.Errorf("%s: got %v, want %v", query, got.ids(), ids)
		}
	})
}

func TestLargePagesComeWhole(t *testing.T) {
	d := newDouble(bt.V84, history.Rows(history.Options{N: 3000, End: noon.Add(-time.Hour)})...)
	d.Add(history.Large(5 << 20))
	got := d.page(t, "?limit=0&before=2026-02-01T00:00:00Z")
	if len(got.Data.Logs) != 3000 {
		t.Errorf("%d rows", len(got.Data.Logs))
	}
	d.clock.Advance(time.Hour)
	w := d.get(auditPath + "?limit=0")
	if w.Body.Len() < 5<<20 || !strings.Contains(w.Body.String(), `"id":900001,`) {
		t.Errorf("a body of %d bytes", w.Body.Len())
	}
}
