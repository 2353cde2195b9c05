package ndjson_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// BenchmarkCompression measures the processor time of a compression and the size of its result, for the lines of a batch and of a
// file.
func BenchmarkCompression(b *testing.B) {
	for _, size := range []struct {
		name    string
		records int
	}{{"batch", 1000}, {"file", 50_000}} {
		var lines []byte
		for _, r := range sinktest.Generate(b, 1, size.records, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Second) {
			lines = ndjson.AppendLine(lines, "acme", &r)
		}
		for _, c := range []ndjson.Compression{ndjson.Gzip, ndjson.Zstd, ndjson.None} {
			b.Run(size.name+"/"+string(c), func(b *testing.B) {
				var body bytes.Buffer
				w := c.Writer()
				b.SetBytes(int64(len(lines)))
				b.ReportAllocs()
				for b.Loop() {
					body.Reset()
					w.Reset(&body)
					for part := lines; len(part) > 0; part = part[min(32<<10, len(part)):] {
						if _, err := w.Write(part[:min(32<<10, len(part))]); err != nil {
							b.Fatal(err)
						}
					}
					if err := w.Close(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(body.Len())/float64(len(lines)), "of-bytes")
			})
		}
	}
}
