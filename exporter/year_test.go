//go:build !race

package exporter_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

var updatePage = flag.Bool("update", false, "rewrite what docs/s3-and-athena.md says of S3 requests")

// The test counts the costs of S3 in docs/s3-and-athena.md: go test ./exporter -run TestRequestsOfAYear -update.
func TestRequestsOfAYear(t *testing.T) {
	const page = "../docs/s3-and-athena.md"
	var b strings.Builder
	b.WriteString("| a stream, in a year | GET | LIST | PUT | |\n| --- | --- | --- | --- | --- |\n")
	for _, row := range []struct {
		what string
		gap  time.Duration // between two records; 0 for none
		jobs bool          // each cycle is a process of its own
	}{
		{"`run`, nothing new", 0, false},
		{"`run`, new records in each cycle", 30 * time.Second, false},
		{"`run --once` by a CronJob, nothing new", 0, true},
		{"`run --once` by a CronJob, new records in each cycle", 30 * time.Second, true},
	} {
		of := requestsOfADay(t, row.gap, row.jobs)
		get, list, put := 365*of[checkpointtest.Get], 365*of[checkpointtest.List], 365*of[checkpointtest.Put]
		dollars := (float64(get)*0.0004 + float64(list+put)*0.005) / 1000
		fmt.Fprintf(&b, "| %s | %s | %s | %s | $%.2f |\n", row.what, grouped(get), grouped(list), grouped(put), dollars)
	}
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)(<!-- requests:begin -->\n\n)(.*?)(\n<!-- requests:end -->)`)
	said := block.FindSubmatch(raw)
	switch {
	case said == nil:
		t.Fatal(page + " has no block requests")
	case *updatePage:
		fresh := block.ReplaceAllString(string(raw), "${1}"+strings.ReplaceAll(b.String(), "$", "$$")+"${3}")
		if err := os.WriteFile(page, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	case !alike(string(said[2]), b.String()):
		t.Errorf(page+" is stale: go test ./exporter -run TestRequestsOfAYear -update\n%s", b.String())
	}
}

// alike tells that two texts differ only in their numbers, and by 6% at most. Two things vary a little. The hashes of the
// delivered ids decide when a snapshot is due. And as cycles take their time, an idle day may have one entry more or less.
func alike(a, b string) bool {
	number := regexp.MustCompile(`\d[\d,.]*`)
	if number.ReplaceAllString(a, "") != number.ReplaceAllString(b, "") {
		return false
	}
	ours, theirs := number.FindAllString(a, -1), number.FindAllString(b, -1)
	for i := range ours {
		x, errX := strconv.ParseFloat(strings.ReplaceAll(ours[i], ",", ""), 64)
		y, errY := strconv.ParseFloat(strings.ReplaceAll(theirs[i], ",", ""), 64)
		if errX != nil || errY != nil || math.Abs(x-y) > 0.06*x {
			return false
		}
	}
	return true
}

// requestsOfADay counts the S3 requests of 24 hours of cycles, one every 5 minutes, the default. They include the work that is
// due only from time to time: the sign of life, the look for the oldest record, the rescan.
func requestsOfADay(t *testing.T, gap time.Duration, jobs bool) map[checkpointtest.Op]int {
	t.Helper()
	const (
		every = 5 * time.Minute
		hour  = int(time.Hour / every) // in cycles
		day   = 24 * hour
	)
	begin := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	rows := steadyRows(begin, 600, time.Second)
	if gap > 0 {
		rows = steadyRows(begin, int(27*time.Hour/gap), gap)
	}
	w := startWorld(t, 1, bloodhoundtest.V84, begin.Add(time.Hour), rows)
	w.pageSize, w.records, w.rescan = 5000, 50_000, 24*time.Hour
	var store calls
	positions, objects := store.count(w.positions), store.count(w.objects)
	e := w.promptly(w.process(positions, objects))
	own := w.journal(positions)
	var began int
	for cycle := range hour + day {
		if cycle == hour { // the first one was the beginning
			store.take()
			began = len(w.entries())
		}
		if jobs {
			e = w.promptly(w.process(positions, objects))
		}
		if err := e.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		journal := own
		if jobs {
			journal = w.journal(positions)
		}
		if err := journal.Succeed(t.Context(), w.now()); err != nil { // as every run ends
			t.Fatal(err)
		}
		w.pass(every)
	}
	counted := store.take()
	switch entries := len(w.entries()) - began; {
	case gap > 0 && entries < day, gap == 0 && (entries < 20 || entries > 30):
		t.Errorf("a day has %d entries", entries)
	}
	return counted
}

// grouped prints a number with commas.
func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
