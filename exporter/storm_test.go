package exporter_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
)

// fault is one of the API's faults, by chance. It may strike a cycle.
func (w *world) fault() bloodhoundtest.Fault {
	all := []bloodhoundtest.Fault{
		faults.TimedOut(), faults.InternalError(), faults.SessionExpired(), faults.Forbidden(),
		faults.RateLimited(faults.LimitHeaders{}), faults.Empty(), faults.NotJSON(),
		faults.Proxy(502), faults.Redirect("https://elsewhere.example/"), faults.TruncatedGzip(),
		faults.Cut(), faults.TruncatedJSON(), faults.Malformed(`{"id":"x"}`), faults.OldestFirst(),
	}
	return all[w.rand.IntN(len(all))]
}

var errStorm = errors.New("storm")

// storm makes a random call of a store fail, before or after its effect. It may also kill the process there.
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
