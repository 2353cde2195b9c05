//go:build !race

package parquet

import (
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// TestAllocations guards the reason for which the encoder is reused. It does not run under the race detector, since sync.Pool
// then drops values at random.
func TestAllocations(t *testing.T) {
	for _, test := range []struct{ records, perFile, perRecord int }{
		{50_000, 0, 150},
		{100, 64 << 10, 0}, // a new writer would allocate 1 MB
	} {
		records := sinktest.Generate(t, 1, test.records, epoch, time.Second)
		e := NewEncoder(meta)
		least := uint64(1 << 62) // a collection empties the library's pools
		for range 3 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := e.Encode(io.Discard, win, records); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		if limit := test.perFile + test.perRecord*test.records; least > uint64(limit) {
			t.Errorf("%d records: %d bytes allocated, want at most %d", test.records, least, limit)
		}
	}
}
