package exporter_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/dedup"
)

// adopt makes a new journal from the archive's files, as the command does.
func (w *world) adopt(e *exporter.Exporter) *exporter.Exporter {
	w.t.Helper()
	w.positions = &checkpointtest.Memory{Now: w.now}
	var delivered dedup.Builder
	var found exporter.Found
	for _, r := range w.archived(w.objects) {
		delivered.Add(r.ID, r.CreatedAt)
		if found.From.IsZero() || r.CreatedAt.Before(found.From) {
			found.From = r.CreatedAt
		}
		if r.CreatedAt.After(found.To) {
			found.To = r.CreatedAt.Add(time.Microsecond)
		}
		found.MaxID = max(found.MaxID, r.ID)
		found.Records++
	}
	found.Objects, found.Delivered = 1, delivered.Set()
	e.Store = w.journal(w.positions)
	survey := func(context.Context) (exporter.Found, error) { return found, nil }
	backfill := checkpoint.Open(w.positions, checkpoint.Identity{Tenant: "a", Stream: "archive-backfill"})
	if _, err := e.Adopt(w.t.Context(), w.journal(w.positions), backfill, survey, "a test"); err != nil {
		w.t.Fatal(err)
	}
	return e
}

// If a record from before the archive's first record appears late, the stream finds it, like every other stream. This also
// holds if the user asked for a start, unless the record is before that start.
func TestAdoptedStreamLooksBeforeItsFirstRecord(t *testing.T) {
	now := time.Date(2026, 10, 12, 12, 0, 0, 0, time.UTC)
	for name, start := range map[string]time.Time{"oldest": {}, "asked": now.Add(-3 * time.Hour)} {
		t.Run(name, func(t *testing.T) {
			w := startWorld(t, 1, bloodhoundtest.V84, now, []bloodhoundtest.Row{
				{ID: 1, CreatedAt: now.Add(-2 * time.Hour), VisibleAt: now.Add(time.Minute), Action: "Late"},
				{ID: 2, CreatedAt: now.Add(-time.Hour), Action: "First"},
				{ID: 3, CreatedAt: now.Add(-3 * time.Minute), Action: "Second"},
			})
			w.rescan = 6 * time.Hour
			stream := func() *exporter.Exporter {
				e := w.process(w.positions, w.objects)
				e.Start = start
				return e
			}
			if err := stream().RunOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.pass(5 * time.Minute)
			if err := w.adopt(stream()).RunOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"Late": 1, "First": 1, "Second": 1}
			if diff := cmp.Diff(want, w.actions()); diff != "" {
				t.Errorf("the archive has (-want +got):\n%s", diff)
			}
		})
	}
}
