package verify

import (
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// TestSums: a forger who writes the whole chain anew must make every sum right.
func TestSums(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var before checkpoint.Checkpoint
	e := checkpoint.Account(before, checkpoint.Checkpoint{
		Serial: 1, Kind: checkpoint.KindExport, Window: window.Window{Start: at, End: at.Add(time.Hour)}, CommittedAt: at,
		Records: checkpoint.Counts{Read: 2, Fresh: 2}, Objects: []checkpoint.Object{{Bytes: 9, Records: 2}},
		Holes: []checkpoint.Hole{{ID: 1}}, Changed: &checkpoint.Changes{Altered: 1},
	}, true)
	if text := sums(before, e, true); text != "" {
		t.Errorf("sound sums: %s", text)
	}
	for name, falsify := range map[string]func(*checkpoint.Checkpoint){
		"delivered": func(e *checkpoint.Checkpoint) { e.Totals.Delivered-- },
		"objects":   func(e *checkpoint.Checkpoint) { e.Totals.Objects++ },
		"bytes":     func(e *checkpoint.Checkpoint) { e.Totals.Bytes = 8 },
		"unknown":   func(e *checkpoint.Checkpoint) { e.Totals.Unknown, e.Totals.Exact = 0, 2 },
		"holes":     func(e *checkpoint.Checkpoint) { e.HolesTotal = 0 },
		"forgotten": func(e *checkpoint.Checkpoint) { e.ForgottenBefore = at },
		"holed at":  func(e *checkpoint.Checkpoint) { e.HoledAt = time.Time{} },
		"changed":   func(e *checkpoint.Checkpoint) { e.ChangedTotal = 0 },
		"covered":   func(e *checkpoint.Checkpoint) { e.Covered = nil },
	} {
		forged := e
		falsify(&forged)
		if sums(before, forged, true) == "" {
			t.Errorf("falsified %s passes", name)
		}
	}
}
