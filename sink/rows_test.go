package sink_test

import (
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// BenchmarkRows is the cost of the records_root, by record.
func BenchmarkRows(b *testing.B) {
	records := sinktest.Generate(b, 1, 10_000, time.Unix(0, 0), time.Second)
	b.ReportAllocs()
	for b.Loop() {
		_ = sink.RootOf(records)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(records)), "ns/record")
}
