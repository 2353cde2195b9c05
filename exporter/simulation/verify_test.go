package simulation

import (
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// verify checks that a verification finds no fault in the archive and the journals of a world. It runs outside of the bubble,
// because it reads Parquet.
func (w *world) verify(t *testing.T) {
	t.Helper()
	open := func(name string, files, anyOrder bool) verify.Journal {
		return verify.Journal{
			Journal: w.journal(name, checkpointtest.NewFaulty(w.positions)), Name: name, Files: files, AnyOrder: anyOrder,
		}
	}
	report, err := verify.Run(t.Context(), verify.Options{
		Journals: []verify.Journal{
			open(archiveStream, true, false), open(backfillStream, true, true), open(webhookStream, false, false),
		},
		Positions: w.positions, Files: w.objects, Depth: verify.Read, Keys: bothKeys,
	})
	if err != nil {
		t.Errorf("verify: %v", err)
	}
	for _, f := range report.Findings {
		// Warnings are right in a faulty world. A process that dies leaves a stale hint, and a reset leaves the objects of open attempts.
		if f.Severity == verify.Error {
			t.Errorf("verify: %s %s %s entry %d: %s", f.Severity, f.Code, f.Stream, f.Entry, f.Text)
		}
	}
	for _, s := range report.Streams {
		w.tally["entries verified"] += int(s.Entries)
	}
	w.tally["objects verified"] += int(report.Objects)
}
