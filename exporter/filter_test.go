package exporter_test

import (
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record/filter"
)

// A stream with a filter delivers the records for which it holds, and counts every other one once. So the read records are the
// delivered and the filtered ones, also for a window in parts, for late records, and when the filter changes. The server's count
// stays exact.
func TestFilter(t *testing.T) {
	t.Parallel()
	const crowd = 3 * crowdRecords
	w, instant := crowded(t, crowd)
	compiled := func(text string) *filter.Conditions {
		filters, err := filter.ParseAll(text)
		if err != nil {
			t.Fatal(err)
		}
		c, err := filter.Compile(filters)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const first, other = "id=gt:500&action=neq:Late", "action=neq:New"
	for cycle, text := range []string{first, first, other} { // the records that the first filter left out never come
		e := w.archiving(w.positions, w.objects)
		e.Filter = compiled(text)
		if err := e.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.server.Add(bloodhoundtest.Row{ID: int64(1_000_000 + cycle), CreatedAt: w.now().Add(-time.Minute), Action: "New"})
		w.server.Add(bloodhoundtest.Row{ID: int64(2_000_000 + cycle), CreatedAt: instant, Action: "Late"})
		w.pass(3 * time.Minute)
	}
	var sum checkpoint.Counts
	inParts := false
	for _, e := range w.entries() {
		n, objects := e.Records, 0
		for _, o := range e.Objects {
			objects += o.Records
		}
		if n.Read != n.Fresh+n.Duplicate+n.Filtered || n.Excluded != n.Filtered || objects != n.Fresh {
			t.Errorf("entry %d counts %+v, its objects have %d", e.Serial, n, objects)
		}
		if e.Filter != first && e.Filter != other {
			t.Errorf("entry %d has the filter %q", e.Serial, e.Filter)
		}
		if e.ServerCount != nil && e.ServerCount.Status == checkpoint.CountUnknown {
			t.Errorf("entry %d counts %+v by the server", e.Serial, e.ServerCount)
		}
		inParts = inParts || n.Fresh > 0 && n.Filtered > 0 && e.Window.Start.Equal(instant)
		sum.Fresh += n.Fresh
		sum.Filtered += n.Filtered
		if e.Totals.Delivered != int64(sum.Fresh) || e.Totals.Filtered != int64(sum.Filtered) {
			t.Errorf("entry %d has the totals %+v, want %+v", e.Serial, e.Totals, sum)
		}
	}
	delivered := map[int64]bool{}
	for _, r := range w.archived(w.objects) {
		if delivered[r.ID] {
			t.Errorf("record %d came twice", r.ID)
		}
		delivered[r.ID] = true
	}
	// Of the rows of the first cycle, those with ids over 500. Then one New and one Late come by the time of each later cycle: the
	// first filter leaves out the Late, the second one the New.
	want, left := 0, 0
	for id := int64(3); id <= 3*(crowd+120); id += 3 {
		if id > 500 {
			want++
		} else {
			left++
		}
		if delivered[id] != (id > 500) {
			t.Errorf("record %d was delivered: %t", id, delivered[id])
		}
	}
	if !delivered[1_000_000] || delivered[2_000_000] || delivered[1_000_001] || !delivered[2_000_001] {
		t.Error("the filters of the later cycles do not hold")
	}
	if want, left = want+2, left+2; len(delivered) != want || sum.Fresh != want || sum.Filtered != left || !inParts {
		t.Errorf("%d records were delivered, and the entries count %+v: want %d, and %d filtered; in parts: %t", len(delivered), sum, want, left, inParts)
	}
}
