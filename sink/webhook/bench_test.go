package webhook_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// BenchmarkWrite measures the time from the records of a window to the bodies of the requests, without a network.
func BenchmarkWrite(b *testing.B) {
	rs := records(b, 20_000)
	discard := roundTrip(func(r *http.Request) (*http.Response, error) {
		_, err := io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, err
	})
	for _, compression := range []ndjson.Compression{ndjson.Gzip, ndjson.Zstd, ndjson.None} {
		b.Run(string(compression), func(b *testing.B) {
			var wire int
			s := newSink(b, webhook.Options{
				Transport: discard, Compression: compression, Observe: func(a webhook.Attempt) { wire += a.Bytes },
			})
			b.SetBytes(int64(len(lines(rs))))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sinktest.Write(b.Context(), s, windowOf(rs), rs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(wire)/float64(b.N)/float64(len(rs)), "wire-B/record")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(rs)), "us/record")
		})
	}
}
