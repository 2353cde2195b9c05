package stream

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
)

// TestRecall: if a store does not answer, that holds up the start only for a moment. The first cycle that can read the journal
// sets the metrics.
func TestRecall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store := journalOf(t, 3)
		var hangs atomic.Bool
		hangs.Store(true)
		store.On(func(ctx context.Context, _ checkpointtest.Op, _ string) (f checkpointtest.Fault) {
			if hangs.Load() {
				<-ctx.Done()
				f.Before = ctx.Err()
			}
			return f
		})
		var found []uint64
		w := &watch{
			Journal: checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: Archive}), log: zap.NewNop(),
			found: func(newest checkpoint.Stored) { found = append(found, newest.Serial) },
		}
		began := time.Now()
		Recall(t.Context(), []*Stream{{Name: Archive, watch: w, Exporter: &exporter.Exporter{Log: zap.NewNop()}}})
		if took := time.Since(began); took != recallTime || len(found) > 0 {
			t.Errorf("after %s it found %v", took, found)
		}
		hangs.Store(false)
		for range 2 {
			if _, err := w.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if len(found) != 1 || found[0] != 3 {
			t.Errorf("it found %v, want the newest entry once", found)
		}
	})
}
