package dedup_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Skims lead to the same admission as the records themselves.
func TestAdmitSkims(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set dedup.Set
		for at := range rapid.IntRange(1, 5).Draw(t, "windows") {
			w := window.Window{Start: minute(10 * at), End: minute(10 * (at + 1))}
			var read []record.Record
			for range rapid.IntRange(0, 40).Draw(t, "rows") {
				r := row(int64(rapid.IntRange(1, 30).Draw(t, "id")), rapid.IntRange(10*at-10, 10*at+9).Draw(t, "minute"))
				r.Action = rapid.SampledFrom([]string{"A", "A", "B"}).Draw(t, "action")
				read = append(read, r)
			}
			slices.SortFunc(read, func(a, b record.Record) int { return record.Compare(&a, &b) })
			read = slices.CompactFunc(read, func(a, b record.Record) bool { return record.Compare(&a, &b) == 0 })
			var skimmer dedup.Skimmer
			skims := make([]dedup.Skim, len(read))
			for i := range read {
				skims[i] = skimmer.Skim(&read[i])
			}
			for i, r := range read {
				if at, found := dedup.Find(skims, r.ID, r.CreatedAt); at != i || !found {
					t.Fatalf("record %d is found at %d (%t)", i, at, found)
				}
			}
			span := dedup.Span{From: w.Start.Add(-10 * time.Minute), Window: w, Remembered: w.Start.Add(-10 * time.Minute)}
			got, fresh := set.AdmitSkims(span, skims)
			want := set.Admit(span, read)
			var names, wanted []dedup.Ref
			for _, s := range fresh {
				names = append(names, s.Name())
			}
			for _, r := range want.Fresh {
				wanted = append(wanted, dedup.Ref{ID: r.ID, CreatedAt: r.CreatedAt})
			}
			if diff := cmp.Diff(wanted, names); diff != "" {
				t.Fatalf("fresh (-want +got):\n%s", diff)
			}
			want.Fresh = nil
			if diff := cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			set = want.Next
		}
	})
}
