package exporter_test

import (
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// The world of a backfill: ten days of rows, of which the stream itself delivers the last three.
const (
	backfillRows = 300
	backfillDays = 10
	ownDays      = 3
)

var backfillStart = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// dayAt is an instant of the world, counted from its beginning.
func dayAt(n float64) time.Time { return backfillStart.Add(time.Duration(n * 24 * float64(time.Hour))) }

// pastRows are the world's rows. Each of them was visible at once.
func pastRows() []bloodhoundtest.Row {
	rows := history.Rows(history.Options{
		Seed: 5, N: backfillRows, Start: backfillStart, End: dayAt(backfillDays),
	})
	for i := range rows {
		rows[i].VisibleAt = time.Time{}
	}
	return rows
}

// halfway is a world whose stream has run once, and began long after the oldest record.
func halfway(t *testing.T) *world {
	t.Helper()
	rows := pastRows()
	// Records on the seam of two journals: the account of one ends there, and the account of the other begins.
	for i, d := range []time.Duration{-time.Microsecond, 0, time.Microsecond} {
		rows = append(rows, bloodhoundtest.Row{
			ID: int64(1_000_000 + i), CreatedAt: dayAt(backfillDays - ownDays).Add(d), Action: "Seam",
		})
	}
	w := startWorld(t, 5, bloodhoundtest.V84, dayAt(backfillDays).Add(time.Hour), rows)
	w.positions.Locks, w.records = true, 50
	if err := w.own(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// own is the stream itself.
func (w *world) own(positions, objects bucket.Bucket) *exporter.Exporter {
	e := w.process(positions, objects)
	e.Start = dayAt(backfillDays - ownDays)
	return e
}

// backfill is one run's backfill of all time before the stream, over the run's views of the stores.
func (w *world) backfill(positions, objects bucket.Bucket) *exporter.Backfill {
	return &exporter.Backfill{
		Stream: *w.own(positions, objects), Past: w.journal(positions), Journal: w.backfilled(positions),
	}
}

// backfills is one run of a backfill.
func (w *world) backfills(positions, objects bucket.Bucket) error {
	return w.backfill(positions, objects).Run(w.t.Context())
}

// backfilled is the journal of the backfill.
func (w *world) backfilled(b bucket.Bucket) *checkpoint.Journal {
	return checkpoint.Open(b, checkpoint.Identity{
		Tenant: "a", Stream: "archive-backfill", Source: w.http.URL, Destination: "memory://archive",
	}, checkpoint.AnyOrder(), w.sign())
}

func (w *world) runBackfill(change ...func(*exporter.Backfill)) (plan exporter.BackfillPlan) {
	w.t.Helper()
	b := w.backfill(w.positions, w.objects)
	b.Planned = func(p exporter.BackfillPlan) { plan = p }
	for _, f := range change {
		f(b)
	}
	if err := b.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return plan
}

func between(from, to time.Time) func(*exporter.Backfill) {
	return func(b *exporter.Backfill) { b.From, b.To = from, to }
}

// checkBackfill verifies that both journals together account for every object and for no time twice, and that every
// row up to the stream's cursor is archived exactly once.
func (w *world) checkBackfill() tally {
	w.t.Helper()
	n, cursor, accounted := w.checkJournal(w.positions)
	taken := []window.Window{{Start: dayAt(backfillDays - ownDays), End: cursor}}
	for entry, err := range w.backfilled(w.positions).Entries(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		n.entries++
		own := entry.Window
		for _, other := range taken {
			if common := own.Intersect(other); common.Span() > 0 {
				w.t.Errorf("backfill entry %d: %v is accounted for twice", entry.Serial, common)
			}
		}
		taken = append(taken, own)
		if !entry.Cursor.Equal(own.End) || entry.Records.Duplicate != 0 || entry.Records.Late != 0 {
			w.t.Errorf("backfill entry %d: cursor %s, %+v of %v", entry.Serial, entry.Cursor, entry.Records, own)
		}
		for _, o := range entry.Objects {
			if _, twice := accounted[o.Key]; twice {
				w.t.Errorf("%s is in two entries", o.Key)
			}
			accounted[o.Key] = o.SHA256
		}
	}
	return w.checkObjects(w.objects, n, cursor, accounted)
}
