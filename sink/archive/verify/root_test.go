package verify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// TestRecordsRoot: if the rows of an object differ from the records_root in its entry, the verification finds this entry and no
// other one. A proof of a record depends on that root.
func TestRecordsRoot(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		change func(*seal.Hash)
		want   int
	}{
		"as committed": {func(*seal.Hash) {}, 0},
		"another":      {func(h *seal.Hash) { h[0] ^= 1 }, 1},
		"none":         {func(h *seal.Hash) { *h = seal.Hash{} }, 1},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := folders(t, t.TempDir())
			a, err := archive.New(p.files, tenant, func() archive.Encoder {
				return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "1.2.3"})
			})
			check(t, err)
			win := window.Window{Start: begin, End: begin.Add(time.Hour)}
			receipt, err := sinktest.Write(t.Context(), a, win, sinktest.Generate(t, 1, 5, begin, time.Minute))
			check(t, err)
			c.change(&receipt.Objects[0].RecordsRoot)
			j := checkpoint.Open(p.positions, checkpoint.Identity{Tenant: tenant, Stream: archived, Destination: "here", Encoding: "parquet"})
			_, err = j.Commit(t.Context(), checkpoint.Stored{}, checkpoint.Checkpoint{
				Kind: checkpoint.KindExport, Window: win, Start: begin, Cursor: win.End, DeliveredSince: begin, Objects: receipt.Objects,
				Records: checkpoint.Counts{Read: 5, Fresh: 5}, MaxID: 5,
			})
			check(t, err)
			report, err := verify.Run(t.Context(), p.options(verify.Read))
			check(t, err)
			found := slices.DeleteFunc(report.Findings, func(f verify.Finding) bool {
				return f.Code != verify.ObjectContents || !strings.Contains(f.Text, "as its records_root, and not ")
			})
			if len(found) != c.want {
				t.Errorf("%d findings about the root, want %d: %v", len(found), c.want, report.Findings)
			}
		})
	}
}
