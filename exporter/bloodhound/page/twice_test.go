package page

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/record"
)

var epoch = time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)

// The search finds an id twice if and only if two records have it, whatever the order of the ids.
func TestIDsTwice(t *testing.T) {
	var scratch IDs
	rapid.Check(t, func(t *rapid.T) {
		records := make([]record.Record, rapid.IntRange(0, 50).Draw(t, "records"))
		spread := rapid.SampledFrom([]int{100, 1000}).Draw(t, "spread")
		nearly := rapid.Bool().Draw(t, "nearly sorted")
		count := map[int64]int{}
		for i := range records {
			records[i].ID = int64(rapid.IntRange(1, spread).Draw(t, "id"))
			if nearly {
				records[i].ID = int64(i*3 + rapid.IntRange(1, 7).Draw(t, "off"))
			}
			count[records[i].ID]++
		}
		id, found := scratch.twice(records)
		want := len(count) < len(records)
		if found != want || found && count[id] < 2 {
			t.Fatalf("id %d, %v; want %v", id, found, want)
		}
	})
}

func TestSort(t *testing.T) {
	var records []record.Record
	for i := range 100 {
		records = append(records, record.Record{ID: int64(i % 40), CreatedAt: epoch.Add(time.Duration(i%20) * time.Second)})
	}
	rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	if got := Sort(records); len(got) != 40 || !sorted(got) {
		t.Errorf("%d records, sorted %v; want 40 sorted", len(got), sorted(got))
	}
}

// BenchmarkSettle measures the work after the last page of a window: order, repeats, and ids that come twice.
func BenchmarkSettle(b *testing.B) {
	const n = 50_000
	served := make([]record.Record, n)
	for i := range served {
		served[i] = record.Record{ID: int64(n - i), CreatedAt: epoch.Add(time.Duration(n-i) * time.Second)}
		if i%8 == 7 { // ids come a little out of the order of time
			served[i-1].ID, served[i].ID = served[i].ID, served[i-1].ID
		}
	}
	var scratch IDs
	records := make([]record.Record, n)
	for b.Loop() {
		copy(records, served)
		if _, twice := scratch.twice(Sort(records)); twice {
			b.Fatal("twice")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
