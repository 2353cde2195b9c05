package exporter_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// faults of the API, of which one may strike a cycle.
func (w *world) fault() bloodhoundtest.Fault {
	all := []bloodhoundtest.Fault{
		bloodhoundtest.TimedOut(), bloodhoundtest.InternalError(), bloodhoundtest.SessionExpired(), bloodhoundtest.Forbidden(),
		bloodhoundtest.RateLimited(bloodhoundtest.LimitHeaders{}), bloodhoundtest.Empty(), bloodhoundtest.NotJSON(),
		bloodhoundtest.Proxy(502), bloodhoundtest.Redirect("https://elsewhere.example/"), bloodhoundtest.TruncatedGzip(),
		bloodhoundtest.Cut(), bloodhoundtest.TruncatedJSON(), bloodhoundtest.Malformed(`{"id":"x"}`), bloodhoundtest.OldestFirst(),
	}
	return all[w.rand.IntN(len(all))]
}

var errStorm = errors.New("storm")

// storm fails a random call of a store, before or after its effect, or kills the process there.
func (w *world) storm(f *checkpointtest.Faulty) {
	at, kind := int64(1+w.rand.IntN(12)), w.rand.IntN(3)
	var calls atomic.Int64
	f.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op == checkpointtest.Lock || calls.Add(1) != at {
			return checkpointtest.Fault{}
		}
		switch kind {
		case 0:
			return checkpointtest.Fault{Before: errStorm}
		case 1:
			return checkpointtest.Fault{After: errStorm}
		default:
			go func() { _ = f.Kill() }() // it may be dead before this call's effect or after it
			return checkpointtest.Fault{}
		}
	})
}
