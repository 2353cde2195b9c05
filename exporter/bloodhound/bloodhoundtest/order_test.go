package bloodhoundtest_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

func TestTiesAreShuffledAnewForEachRequest(t *testing.T) {
	var rows []bt.Row
	for id := range int64(20) {
		rows = append(rows, bt.Row{ID: id + 1, CreatedAt: noon, Action: fmt.Sprint(id % 2)})
	}
	d := newDouble(bt.V84, rows...)
	orders := make(map[string]bool)
	for range 8 {
		ids := d.page(t, "?sort_by=created_at").ids()
		orders[fmt.Sprint(ids)] = true
		slices.Sort(ids)
		if len(slices.Compact(ids)) != 20 {
			t.Fatalf("a page with %d different rows", len(ids))
		}
	}
	if len(orders) != 8 {
		t.Errorf("8 requests saw %d orders", len(orders))
	}
	for _, tt := range []struct {
		sort string
		less func(a, b record) int
	}{
		{"?sort_by=id", func(a, b record) int { return cmp.Compare(a.ID, b.ID) }},
		{"?sort_by=-id", func(a, b record) int { return -cmp.Compare(a.ID, b.ID) }},
		{"?sort_by=-created_at&sort_by=-id", func(a, b record) int { return -cmp.Compare(a.ID, b.ID) }},
		{"?sort_by=action", func(a, b record) int { return cmp.Compare(a.Action, b.Action) }},
		{"?sort_by=-action&sort_by=id", func(a, b record) int {
			return cmp.Or(-cmp.Compare(a.Action, b.Action), cmp.Compare(a.ID, b.ID))
		}},
	} {
		if logs := d.page(t, tt.sort).Data.Logs; !slices.IsSortedFunc(logs, tt.less) {
			t.Errorf("%s gave %v", tt.sort, logs)
		}
	}
	// A client that pages without a full order sees some rows twice and some never.
	seen := make(map[int64]int)
	for skip := 0; skip < 20; skip += 5 {
		for _, id := range d.page(t, fmt.Sprintf("?limit=5&skip=%d", skip)).ids() {
			seen[id]++
		}
	}
	if len(seen) == 20 {
		t.Error("paging without sort_by=id found every row: ties are not random")
	}
}

func TestTheOrderIsTheOneAskedFor(t *testing.T) {
	rows := []bt.Row{ago(3 * time.Second), ago(1 * time.Second), ago(2 * time.Second)}
	rows[0].Action = "Accept"
	for _, p := range bt.Profiles[:len(bt.Profiles)-1] { // the last one adds rows of its own
		for sort, want := range map[string][]int64{
			"":                                     {1, 2, 3},
			"?sort_by=created_at":                  {3, 2, 1},
			"?sort_by=-created_at&sort_by=-id":     {1, 2, 3},
			"?sort_by=created_at&limit=1":          {3},
			"?sort_by=id":                          {1, 2, 3},
			"?sort_by=-id&limit=2":                 {3, 2},
			"?sort_by=action&sort_by=id":           {3, 1, 2},
			"?sort_by=-action&sort_by=-id":         {2, 1, 3},
			"?sort_by=status&sort_by=-id":          {3, 2, 1},
			"?sort_by=-id&limit=2&skip=1&offset=1": {2, 1},
		} {
			t.Run(string(p)+" "+sort, func(t *testing.T) { wantIDs(t, newDouble(p, rows...).page(t, sort), want...) })
		}
	}
	documented := newDouble(bt.Documented, rows...)
	wantIDs(t, documented.page(t, "?sort_by=request_id&sort_by=id&limit=2&skip=1"), 2, 3)
}

func TestNullComesAfterEveryText(t *testing.T) {
	rows := []bt.Row{ago(1 * time.Second), ago(2 * time.Second), ago(3 * time.Second)}
	rows[0].Null, rows[0].Action = []string{"action"}, "not what NULL has"
	rows[1].Action = ""
	d := newDouble(bt.V84, rows...)
	wantIDs(t, d.page(t, "?sort_by=action"), 2, 3, 1)
	wantIDs(t, d.page(t, "?sort_by=-action"), 1, 3, 2)
	if got := d.page(t, "?id=eq:1").Data.Logs[0].Action; got != "" {
		t.Errorf("NULL is served as %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a column that does not exist may be NULL")
		}
	}()
	d.Add(bt.Row{CreatedAt: noon, Null: []string{"fields"}})
}
