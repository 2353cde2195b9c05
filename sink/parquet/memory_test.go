package parquet

import (
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// hexadecimal is text. After compression a little more than half of its bytes remain.
func hexadecimal(n int) string {
	random := rand.NewChaCha8([32]byte{})
	text := make([]byte, n)
	_, _ = random.Read(text)
	for i := range text {
		text[i] = "0123456789abcdef"[text[i]%16]
	}
	return string(text)
}

// BenchmarkMemory prints the most memory that the encoder takes for 64 MiB of fields that hardly compress, beside the
// records.
func BenchmarkMemory(b *testing.B) {
	for name, each := range map[string]int{"10MiB": 10 << 20, "1MiB": 1 << 20, "20KB": 20_000, "300B": 300} {
		b.Run(name, func(b *testing.B) {
			const total = 64 << 20
			text := hexadecimal(2 * 10 << 20)
			records := sinktest.Generate(b, 1, min(total/each, 200_000), epoch, time.Second)
			for i := range records {
				from := i * each % (len(text) - each)
				records[i].Fields, records[i].Raw = text[from:from+each], ""
			}
			defer debug.SetGCPercent(debug.SetGCPercent(5)) // so that the heap has little garbage
			for b.Loop() {
				b.ReportMetric(float64(peak(b, records))/(1<<20), "peak-MiB")
			}
			runtime.KeepAlive(text)
		})
	}
}

// peak is how far the heap in use rises while the records are encoded.
func peak(b *testing.B, records []record.Record) uint64 {
	b.Helper()
	e := NewEncoder(meta)
	runtime.GC()
	runtime.GC() // empties the library's pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.HeapInuse
	stop, stopped := make(chan struct{}), make(chan struct{})
	var highest uint64
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				highest = max(highest, m.HeapInuse-min(before, m.HeapInuse))
				runtime.Gosched()
			}
		}
	}()
	err := e.Encode(io.Discard, win, records)
	close(stop)
	<-stopped
	if err != nil {
		b.Fatal(err)
	}
	return highest
}
