package exporter_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// clockOnly is a source that tells only the time.
type clockOnly struct{ exporter.Source }

func (clockOnly) Clock(context.Context) (bloodhound.Reading, error) {
	return bloodhound.Reading{Server: time.Now(), Local: time.Now()}, nil
}

// adoption is an adoption of a store, and the journals that it works on.
func adoption(store bucket.Bucket, survey func(context.Context) (exporter.Found, error)) func(context.Context) (exporter.Adoption, error) {
	e := &exporter.Exporter{Source: clockOnly{}, Settle: settle, Log: zap.NewNop()}
	open := func(name string) *checkpoint.Journal {
		return checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: name})
	}
	return func(ctx context.Context) (exporter.Adoption, error) {
		return e.Adopt(ctx, open("archive"), open("archive-backfill"), survey, "a test")
	}
}

// TestAdoptUnderLeases: while adopt reads the archive, no run and no backfill can begin to write into it. adopt also takes over
// the windows that they had begun before.
func TestAdoptUnderLeases(t *testing.T) {
	t.Parallel()
	store := &checkpointtest.Memory{}
	surveyed := 0
	for _, name := range []string{"archive", "archive-backfill"} { // a run and a backfill that were killed while they wrote
		lease, err := checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: name}).Acquire(t.Context())
		if err == nil {
			err = errors.Join(lease.Intend(t.Context(), window.Window{Start: time.Now(), End: time.Now().Add(time.Hour)}),
				lease.Release(t.Context()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	adopt := adoption(store, func(ctx context.Context) (exporter.Found, error) {
		surveyed++
		for _, name := range []string{"archive", "archive-backfill"} {
			if _, err := checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: name}).Acquire(ctx); !errors.Is(err, checkpoint.ErrLeaseHeld) {
				t.Errorf("during the survey the lease of %s can be taken: %v", name, err)
			}
		}
		return exporter.Found{From: time.Now().Add(-time.Hour), To: time.Now(), Objects: 1, Records: 1}, nil
	})
	done, err := adopt(t.Context())
	if err != nil || surveyed != 1 || done.Stream.Kind != checkpoint.KindAdopt || done.Backfill.Serial != 0 {
		t.Fatalf("%+v, %v after %d surveys", done, err, surveyed)
	}
	for _, name := range []string{"archive", "archive-backfill"} {
		lease, err := checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: name}).Acquire(t.Context())
		if err != nil {
			t.Fatalf("the lease of %s was not given back: %v", name, err)
		}
		if open := lease.Intents(); len(open) > 0 {
			t.Errorf("%s is still to write %v, although the adoption accounts for what was written of it", name, open)
		}
		if err := lease.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestAdoptLosesItsLease: if adopt loses its lease, another process may have written since adopt listed the archive. So it
// commits nothing, and says who has the lease.
func TestAdoptLosesItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &checkpointtest.Memory{}
		const taken = `{"holder":{"host":"pod-2","pid":7,"version":"v1"},"token":"another","acquired_at":"2026-03-01T00:00:00Z",` +
			`"ttl":"1m0s","state":"held","revision":1}`
		adopt := adoption(store, func(ctx context.Context) (exporter.Found, error) {
			_, version, _, err := store.Get(ctx, "archive/state/lease.json")
			if err == nil {
				_, err = store.Put(ctx, "archive/state/lease.json", []byte(taken), version)
			}
			if err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return exporter.Found{}, ctx.Err()
		})
		_, err := adopt(t.Context())
		if stage, ok := errors.AsType[*exporter.Error](err); !ok || stage.Stage != exporter.StageCheckpoint || !errors.Is(err, checkpoint.ErrLeaseHeld) {
			t.Errorf("it ends with %v", err)
		}
		if keys, err := store.List(t.Context(), "archive/0", ""); err != nil || len(keys) > 0 {
			t.Errorf("it committed %v, %v", keys, err)
		}
	})
}
