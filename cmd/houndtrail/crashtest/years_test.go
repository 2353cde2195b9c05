package crashtest

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/table/tabletest/engine"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// Shares of the archive of TestYears.
const (
	perDay      = 1060 // records of the larger tenant on an ordinary day
	perDayOther = 52   // and of the smaller one
	otherTenant = "0042"
	yearsKills  = 30
	busyDays    = 31 // of the month that is measured
)

// TestYears makes the archive of more than a year of two tenants: with late rows, a database that was restored, a BloodHound that has
// moved, and a month with a cycle every 5 minutes. Then everything that reads an archive has to tell exactly the served records: before
// and after a compaction that is killed many times. It prints its figures.
func TestYears(t *testing.T) {
	if *days == 0 {
		t.Skip("bash .ci/years runs this")
	}
	engine.NeedTrino(t)
	y := newYears(t)
	trino := engine.StartTrino(t, y.s3)
	if y.step("export", y.export); t.Failed() {
		t.FailNow()
	}
	y.judge()
	y.count("before")
	before := y.readers(trino, "before")
	y.step("10 proofs before", func() { y.prove("before") })
	y.keepHead()
	y.step("compaction, killed", y.compactKilled)
	y.judge()
	y.count("after")
	y.step("10 proofs after", func() { y.prove("after") })
	y.verify()
	after := y.readers(trino, "after")
	if after*10 > before {
		t.Errorf("count(*) of the month costs Trino %s of CPU before the compaction and %s after; want a tenth", before, after)
	}
	y.query(trino)
	t.Logf("figures, seed %d:\n%s", *seed, strings.Join(y.figures, "\n"))
}

// years is the world of TestYears.
type years struct {
	t           *testing.T
	place       *place
	s3          servers.S3
	key, public string // files
	kept        string // a file with a head
	first, end  time.Time
	month       time.Time // the first day of the busy month
	acme, other *chronicle
	figures     []string
}

func newYears(t *testing.T) *years {
	t.Helper()
	p, gateway := onS3(t)
	folder := t.TempDir()
	y := &years{t: t, place: p, s3: gateway, key: filepath.Join(folder, "key.pem"), public: filepath.Join(folder, "key.pub.pem")}
	y.kept = filepath.Join(folder, "kept.note")
	y.end = time.Now().UTC().Truncate(oneDay).Add(-3 * oneDay) // a table's days end today
	y.first = y.end.Add(-time.Duration(*days) * oneDay)
	y.month = y.end.Add(-time.Duration(min(busyDays, *days/5)) * oneDay)
	newRuns(t, os.Environ()).output(0, "keygen", y.key)
	y.acme = newChronicle(t, p, tenant, "positions", y.key, y.first)
	y.other = newChronicle(t, p, otherTenant, "positions-other", y.key, y.first)
	return y
}

// figure adds a line to the figures.
func (y *years) figure(name, format string, values ...any) {
	y.figures = append(y.figures, fmt.Sprintf("  %-34s "+format, append([]any{name}, values...)...))
}

// step does something, and notes how long it took.
func (y *years) step(name string, do func()) {
	y.t.Helper()
	began := time.Now()
	do()
	y.figure(name, "%.1f s", time.Since(began).Seconds())
	y.t.Logf("%s: %s", name, time.Since(began).Round(time.Second))
}

// export lets all days pass. Each day of the larger tenant ends with a run; the smaller one has a run now and then.
func (y *years) export() {
	restored := y.first.Add(y.month.Sub(y.first) / 2).Truncate(oneDay)
	moved := y.first.Add(y.month.Sub(y.first) * 3 / 4).Truncate(oneDay)
	c := y.acme
	count := func(from, to time.Time) int { return perDay * int(to.Sub(from)/oneDay) }
	c.write(count(y.first, restored), y.first, restored, 1)
	for day := y.first.Add(oneDay); !day.After(y.month); day = day.Add(oneDay) {
		c.untilMidnight(day)
		changed := ""
		switch {
		case day.Equal(restored.Add(oneDay)):
			next := c.restore(restored.Add(-3*time.Hour), restored.Add(readsAfter))
			c.write(count(restored, y.month), restored, y.month, next)
			changed = "accept-reset"
		case day.Equal(moved):
			c.moveServer()
			changed = "move"
		}
		ordinary := c.with("HOUNDTRAIL_WINDOW_MAX=6h")
		if changed != "" {
			ordinary.output(6, "run", "--once")
			ordinary.output(0, changed, "--reason", "it is meant")
		}
		ordinary.output(0, "run", "--once")
	}
	c.steady(y.month, y.end, c.nextID())
	// As a daemon writes with new records in each cycle. A rescan would do so twice.
	busy := c.with("HOUNDTRAIL_WINDOW_MAX=5m", "HOUNDTRAIL_RESCAN_SCHEDULE=@every 1000h")
	for day := y.month.Add(oneDay); !day.After(y.end); day = day.Add(oneDay) {
		c.untilMidnight(day)
		busy.output(0, "run", "--once")
	}
	o := y.other
	o.write(perDayOther*int(y.end.Sub(y.first)/oneDay), y.first, y.end, 1)
	for day := y.first.Add(oneDay); !day.After(y.end); day = day.Add(20 * oneDay) {
		o.untilMidnight(day)
		o.output(0, "run", "--once")
	}
	for _, each := range y.both() { // twice, so that the days are closed for a compaction
		for _, more := range []time.Duration{2 * oneDay, 3 * oneDay} {
			each.untilMidnight(y.end.Add(more))
			each.output(0, "run", "--once")
		}
	}
}

func (y *years) both() []*chronicle { return []*chronicle{y.acme, y.other} }

// An identity is what tells a record from all others of its tenant: a restored database hands out ids again.
type identity struct{ id, micros int64 }

// judge reads every object by itself, and compares the records with the served ones: each is there once, unchanged, in its own day.
func (y *years) judge() {
	y.t.Helper()
	for _, c := range y.both() {
		want := map[identity]record.Record{}
		for _, r := range c.records() {
			want[identity{r.ID, r.CreatedAt.UnixMicro()}] = r
		}
		served, wrong := len(want), 0
		for _, path := range y.objects(c) {
			body, err := os.ReadFile(path)
			if err != nil {
				y.t.Fatal(err)
			}
			for _, r := range sinktest.ReadParquet(y.t, body) {
				id := identity{r.ID, r.CreatedAt.UnixMicro()}
				if w, is := want[id]; !is || w != r || !strings.Contains(path, "/dt="+r.CreatedAt.Format(time.DateOnly)+"/") {
					wrong++
				}
				delete(want, id)
			}
		}
		if wrong > 0 || len(want) > 0 {
			y.t.Errorf("%s: of %d records %d are lost, and %d are there twice, changed, never served or in another day", c.tenant, served,
				len(want), wrong)
		}
	}
}

// objects are the files of a tenant.
func (y *years) objects(c *chronicle) []string {
	y.t.Helper()
	paths, err := filepath.Glob(filepath.Join(c.partitions(y.place), "dt=*", "*.parquet"))
	if err != nil {
		y.t.Fatal(err)
	}
	return paths
}

// count notes how many objects there are, and how large they are: all of them, and those of the busy month.
func (y *years) count(when string) {
	y.t.Helper()
	all, allBytes, month, monthBytes, records := 0, int64(0), 0, int64(0), 0
	for _, c := range y.both() {
		records += len(c.served)
		for _, path := range y.objects(c) {
			info, err := os.Stat(path)
			if err != nil {
				y.t.Fatal(err)
			}
			all, allBytes = all+1, allBytes+info.Size()
			if dt := filepath.Base(filepath.Dir(path)); c == y.acme && dt >= "dt="+y.month.Format(time.DateOnly) {
				month, monthBytes = month+1, monthBytes+info.Size()
			}
		}
	}
	const mb = 1e6
	y.figure("archive "+when, "%d objects, %.1f MB, %d records of %d days", all, float64(allBytes)/mb, records, *days)
	y.figure("busy month "+when, "%d objects, %.1f MB", month, float64(monthBytes)/mb)
	if dates := int(y.end.Sub(y.month) / oneDay); when == "after" && (month != dates || dates == busyDays && monthBytes > 5*mb) {
		y.t.Errorf("the month of %d days has %d objects with %d bytes after the compaction; want one a day, of 5 MB", dates, month, monthBytes)
	}
}

// compactKilled kills compactions of the larger tenant at random moments, most of them within a swap, and then compacts both.
func (y *years) compactKilled() {
	random := rand.New(rand.NewPCG(*seed, 6))
	p, hit := y.place, 0
	for done := 0; done < yearsKills; {
		process := y.acme.start("compact")
		if !p.awaitSwap(process, random, done%3 > 0) {
			y.t.Fatalf("a compaction ended with exit code %d before it was killed %d times", process.wait(), yearsKills)
		}
		if process.end(os.Kill) == killed {
			done++
		}
		if p.intent().Made.Key != "" {
			hit++
		}
		p.letLeaseExpire(process.cmd.Process.Pid)
	}
	y.figure("compactions killed", "%d, of them %d with a swap begun and not ended", yearsKills, hit)
	if hit == 0 { // this depends on the machine, so it is no reason to fail
		y.t.Log("no kill was within a swap: this run proves less than others")
	}
	for _, c := range y.both() {
		c.output(0, "compact")
		if said := c.output(0, "compact"); !strings.Contains(said, "no day has files to compact") {
			y.t.Errorf("a second compaction of %s says %s", c.tenant, said)
		}
	}
	err := filepath.WalkDir(filepath.Join(p.root, "archive"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Ext(path) != ".parquet" {
			y.t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		y.t.Fatal(err)
	}
}
