package bloodhoundtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

func BenchmarkHistory(b *testing.B) {
	for b.Loop() {
		history.Rows(history.Options{N: 100_000})
	}
}

// discard drops an answer, so that the benchmark measures only the server.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkBacklog reads a whole log in pages of 5,000, compressed.
func BenchmarkBacklog(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := newDouble(bt.V84, history.Rows(history.Options{N: n, End: noon.Add(-time.Hour)})...)
			const target = auditPath + "?sort_by=-id&limit=5000&skip="
			for b.Loop() {
				for skip := 0; skip < n; skip += 5000 {
					r := httptest.NewRequest(http.MethodGet, target+fmt.Sprint(skip), http.NoBody)
					r.Header.Set("Authorization", d.bearer)
					r.Header.Set("Accept-Encoding", "gzip")
					d.ServeHTTP(discard{make(http.Header)}, r)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
