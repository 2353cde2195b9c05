package verify_test

import (
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/archive/verify/page"
)

// A tracker counts the calls of a verification.
type tracker struct {
	entries int
	records atomic.Int64
}

func (c *tracker) Entry(checkpoint.Stored) { c.entries++ }

func (c *tracker) Object() (each func(*record.Record), sound func()) {
	n := int64(0)
	return func(*record.Record) { n++ }, func() { c.records.Add(n) }
}

// TestWatched: a Watcher gets each entry, and the records of the objects that are as committed. It gets no records of a changed
// object, nor of its original below.
func TestWatched(t *testing.T) {
	t.Parallel()
	v := inFolder(t, t.TempDir(), bodies(t))
	for _, changed := range []bool{false, true} {
		if changed {
			name, _ := v.victim()
			v.put(name, flip(v.all[name]))
		}
		c := &tracker{}
		o := v.place.options(verify.Read)
		o.Watch = c
		_, report := run(t, o)
		entries := int64(0)
		for _, s := range report.Streams {
			entries += s.Entries
		}
		if int64(c.entries) != entries || c.records.Load() != report.Records || report.Records == 0 {
			t.Errorf("changed %t: %d of %d entries and %d of %d records were told", changed, c.entries, entries, c.records.Load(), report.Records)
		}
		if changed != (report.Counts[verify.Error] > 0) {
			t.Errorf("changed %t: %+v", changed, report.Findings)
		}
	}
}

// TestPageAddsUp: an archive has late rows, a reset, a move, a backfill and compactions. Its page has the same number of records by
// day, by action and in all.
func TestPageAddsUp(t *testing.T) {
	t.Parallel()
	bodies(t) // makes the archive
	o := folders(t, sound.root).options(verify.Read)
	account := page.NewAccount(true, o.Journals...)
	o.Watch = account
	_, report := run(t, o)
	var b strings.Builder
	check(t, page.Write(&b, page.Facts{
		Report: report, Account: account, Archive: "here", Journals: "there", All: true, Made: time.Unix(0, 0),
	}))
	// The days of the webhook have no records, so the row of the sum has only one number there.
	sums := regexp.MustCompile(`>(?:sum</th><td class="n">\d+</td>|Sum</th>)<td class="n">([\d,]+)</td>`).FindAllStringSubmatch(b.String(), -1)
	if len(sums) != 3 {
		t.Fatalf("%d sums in the page", len(sums))
	}
	for _, sum := range sums {
		if n, err := strconv.ParseInt(strings.ReplaceAll(sum[1], ",", ""), 10, 64); err != nil || n != report.Records {
			t.Errorf("%v records in %s, and %d in all", n, sum[0], report.Records)
		}
	}
}
