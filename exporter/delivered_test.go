//go:build !race

package exporter

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A log has two million records a day. A cycle exports it every five minutes, with a rescan every day. The test measures two
// things, for any number of missing ids. The first is the set's bytes in an entry, with the entry's share of the snapshots. The
// second is the bytes that a reader reads to know the set again.
func TestBytesOfAnEntry(t *testing.T) {
	const (
		perDay = 2_000_000
		every  = 5 * time.Minute
	)
	for _, gaps := range []float64{0, 0.01, 0.10} {
		t.Run(fmt.Sprintf("%.0f%%", gaps*100), func(t *testing.T) {
			t.Parallel()
			journal := checkpoint.Open(&checkpointtest.Memory{}, checkpoint.Identity{Tenant: "a", Stream: "archive", Source: "https://a.example", Destination: "s3://lake/audit"})
			at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			random := rand.New(rand.NewPCG(1, 1))
			e := &Exporter{Rescan: 24 * time.Hour}
			var stored checkpoint.Stored
			var set dedup.Set
			id, entries, changes, most := int64(1_000_000), 0, 0, 0
			for cursor := at; cursor.Before(at.Add(2 * day)); cursor = stored.Cursor {
				span := every
				if cursor.Before(at.Add(day)) { // a day that the set has already
					span = time.Hour
				}
				w := window.Window{Start: cursor, End: cursor.Add(span)}
				var records []record.Record
				for i := range perDay / int(day/span) {
					for id++; random.Float64() < gaps; id++ {
					}
					records = append(records, record.Record{ID: id, CreatedAt: w.Start.Add(time.Duration(i) * day / perDay)})
				}
				a := set.Admit(dedup.Span{From: w.Start, Window: w, Remembered: latest(at, e.keep(w.End))}, records)
				next := checkpoint.Checkpoint{
					Kind: checkpoint.KindExport, Window: w, Cursor: w.End, Start: at, MaxID: id,
					Records: checkpoint.Counts{Read: len(records), Fresh: len(a.Fresh)}, CommittedAt: w.End,
				}
				err := e.writeSet(t.Context(), journal, stored, set, a.Next, &next)
				if err == nil {
					stored, err = journal.Commit(t.Context(), stored, next)
				}
				if err != nil {
					t.Fatal(err)
				}
				set = a.Next
				most = max(most, int(stored.Serial-stored.Next().Serial))
				if span == every {
					entries++
					changes += base64.StdEncoding.EncodedLen(len(next.Delivered))
				}
			}
			whole, err := set.MarshalBinary() // it knows two days now, which is the most that it ever has to know
			if err != nil {
				t.Fatal(err)
			}
			builds := untilSnapshot(set.Size())
			each := changes/entries + len(whole)/builds
			t.Logf("gaps of %.0f %%: %d bytes an entry, %d in changes, and snapshots of %d bytes for %d entries each",
				gaps*100, each, changes/entries, len(whole), builds)
			if each > 2048 || most > mostChanges {
				t.Errorf("an entry takes %d bytes for its set, which is made of up to %d entries", each, most)
			}
			again, err := readSet(t.Context(), journal, stored)
			if _, same := again.Change(set); err != nil || !same || again.Len() != set.Len() {
				t.Errorf("%d records are read, and there are %d: %v", again.Len(), set.Len(), err)
			}
		})
	}
}

// untilSnapshot is how many entries there are from one snapshot of a size to the next.
func untilSnapshot(size int) int {
	for n := 1; ; n++ {
		at := checkpoint.Checkpoint{Serial: uint64(n), DeliveredBase: &checkpoint.Base{Serial: 1}}
		if _, ok := new(Exporter).due(checkpoint.Stored{Checkpoint: at}, size); !ok {
			return n
		}
	}
}
