package stream

import (
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
)

var march = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// journalOf is a journal with n commits of one fresh record each, in a new store.
func journalOf(t *testing.T, n int) (*checkpoint.Journal, *checkpointtest.Faulty) {
	t.Helper()
	store := checkpointtest.NewFaulty(&checkpointtest.Memory{})
	j := checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: Archive})
	var last checkpoint.Stored
	for range n {
		last = commitOne(t, j, last)
	}
	return j, store
}

func commitOne(t *testing.T, j *checkpoint.Journal, last checkpoint.Stored) checkpoint.Stored {
	t.Helper()
	last, err := j.Commit(t.Context(), last, checkpoint.Checkpoint{
		Kind: checkpoint.KindExport, Cursor: march.Add(time.Duration(last.Serial) * time.Minute), CommittedAt: march.AddDate(0, 0, 1),
		Records: checkpoint.Counts{Read: 3, Fresh: 1, Duplicate: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}
