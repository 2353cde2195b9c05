package exporter_test

import (
	"errors"
	"testing"

	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// If Stopping tells a cycle to stop, it commits its present window and begins no other. The next cycle goes on from there.
func TestStopping(t *testing.T) {
	w := month(t, bloodhoundtest.V84, 600)
	w.pageSize, w.records = 60, 150
	e := w.process(w.positions, w.objects)
	e.Stopping = func() bool { return true }
	for n := 1; n <= 3; n++ {
		if err := e.RunOnce(t.Context()); !errors.Is(err, exporter.ErrStopped) {
			t.Fatalf("a cycle that left something ends with %v", err)
		}
		if got := len(w.entries()); got != n {
			t.Errorf("%d entries, want %d", got, n)
		}
	}
	w.run()
	w.checkArchive(w.objects, w.positions)
	entries := len(w.entries())
	if err := e.RunOnce(t.Context()); err != nil {
		t.Errorf("a cycle that left nothing ends with %v", err)
	}
	if got := len(w.entries()); got != entries {
		t.Errorf("%d entries more", got-entries)
	}
}
