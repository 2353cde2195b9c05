package bloodhoundtest_test

import (
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

func TestRowsAreAlteredAndDeleted(t *testing.T) {
	for _, p := range []bt.Profile{bt.V84, bt.PR3049} {
		d := newDouble(p, ago(10*time.Second), ago(20*time.Second), bt.Row{ID: 5})
		if !d.Alter(10, func(r *bt.Row) { r.Action = "Forged" }) || d.Alter(77, func(*bt.Row) { t.Error("no such row") }) {
			t.Error("Alter does not tell whether there was a row")
		}
		got := d.page(t, "?action=eq:Forged")
		if logs := got.Data.Logs; len(logs) != 1 || logs[0].ID != 10 || *got.Count != 1 {
			t.Errorf("%s: %+v", p, got)
		}
		d.Alter(5, func(r *bt.Row) { r.CreatedAt = noon.Add(-time.Minute) })
		d.Alter(20, func(r *bt.Row) { r.CreatedAt = noon.Add(-2 * time.Minute) })
		wantIDs(t, d.page(t, "?sort_by=created_at&limit=2"), 20, 5)
		before := *d.page(t, "").Count
		if n := d.Delete(20, 10, 99); n != 2 {
			t.Errorf("%d rows deleted", n)
		}
		own := 0 // rows of the request itself
		if p == bt.PR3049 {
			own = 2
		}
		if after := *d.page(t, "").Count; after != before-2+own {
			t.Errorf("%s: count %d after %d", p, after, before)
		}
		d.Alter(5, func(r *bt.Row) { r.CreatedAt = time.Time{} })
		if undated := d.Rows()[0].CreatedAt.IsZero(); undated == (p == bt.PR3049) {
			t.Errorf("%s: NULL for created_at: %t", p, undated)
		}
		d.Alter(5, func(r *bt.Row) { r.CreatedAt = noon.Add(-time.Minute) })
		wantIDs(t, d.page(t, "?sort_by=id&limit=1"), 5)
		d.Add(bt.Row{CreatedAt: noon, Action: "After"})
		if logs := d.page(t, "?action=eq:After").Data.Logs; len(logs) != 1 || logs[0].ID < 21 {
			t.Errorf("%s: the sequence went back: %+v", p, logs)
		}
	}
}
