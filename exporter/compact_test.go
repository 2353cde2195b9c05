package exporter_test

import (
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// compact compacts every day that is over.
func (w *world) compact() (days int) {
	w.t.Helper()
	c := &compact.Compactor{
		Files: w.objects, Journal: w.journal(w.positions), Backfill: w.backfilled(w.positions),
		State:  checkpoint.OpenState[compact.Intent](w.positions, "archive", compact.StateName),
		Tenant: "acme", Version: "test", Memory: 96 << 20, Done: func(compact.Day) { days++ },
	}
	if err := c.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return days
}

// After a compaction the stream goes on, and a new lineage knows the records of the objects that took the place of others: none is
// delivered a second time.
func TestResetAfterCompaction(t *testing.T) {
	w := month(t, bloodhoundtest.V84, 2000)
	w.pageSize, w.records, w.rescan = 20, 21, 24*time.Hour // several windows a day
	w.run()
	if days := w.compact(); days < 20 {
		t.Errorf("%d days were compacted", days)
	}
	last := w.server.Rows()[len(w.server.Rows())-1]
	w.server.Delete(last.ID)
	w.server.Add(bloodhoundtest.Row{ID: 1_000_000, CreatedAt: w.now().Add(time.Minute), Action: "After"})
	w.pass(20 * time.Minute)
	w.accept()
	w.run()
	w.compact()
	seen := map[int64]int{}
	for _, r := range w.archived(w.objects) {
		if seen[r.ID]++; seen[r.ID] > 1 {
			t.Errorf("id %d of %s is there twice", r.ID, r.CreatedAt)
		}
	}
	for _, row := range w.server.Rows() {
		if seen[row.ID] == 0 && !bad(row) && !row.CreatedAt.IsZero() {
			t.Errorf("id %d of %s was lost", row.ID, row.CreatedAt)
		}
	}
	if seen[1_000_000] != 1 {
		t.Errorf("the record after the change is there %d times", seen[1_000_000])
	}
}
