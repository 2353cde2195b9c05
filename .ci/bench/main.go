// Command bench compares the cost of an export with the yardsticks, and prints ratios: machines are noisy, and
// a second on one machine means nothing on another.
//
//	go run ./.ci/bench -yardsticks FOLDER            processor, memory and time of a long history
//	go run ./.ci/bench -yardsticks FOLDER -latency   time, with latency in front of each peer
//	go run ./.ci/bench -yardsticks FOLDER -backlog   a million records to a receiver that takes 50 ms a post
//	go run ./.ci/bench -yardsticks FOLDER -journal   an idle cycle, after few journal entries and after many
//
// The archives go to a file system in memory if the machine has one, so that the figures are of the exporter alone. On a disk
// (-dir) the figures include the disk's time for each durable file. Sparse history has one file a day.
//
// Each round runs the yardstick and the exporter in turn against one server. The table has the medians of the rounds' ratios.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func main() {
	log.SetFlags(0)
	testing.Init() // the servers of sinktest ask for -short
	yardsticks := flag.String("yardsticks", "../shared/bench", "folder with the module of gen, bhserve and reference")
	latency := flag.Bool("latency", false, "measure what latency and the default settings cost")
	backlog := flag.Bool("backlog", false, "measure a backlog to a receiver that takes 50 ms a post")
	journal := flag.Bool("journal", false, "measure an idle cycle after 500,000 journal entries; they take 3 GB")
	rounds := flag.Int("rounds", 0, "rounds of each comparison; 0 for 9, 3 with -latency and -backlog, and 21 with -journal")
	records := flag.Int("records", 0, "records of the main history; 0 for 1,000,000, and 200,000 with -latency")
	long := flag.Int("long", 5, "the long history is so many times as long; 0 leaves it out")
	where := flag.String("dir", memory(), "folder that the histories and the archives are written to; they take some gigabytes")
	strict := flag.Bool("strict", false, "fail if a figure misses its bar")
	flag.Parse()
	dir, err := os.MkdirTemp(*where, "houndtrail-bench-")
	if err != nil {
		log.Fatal(err)
	}
	b := &bench{dir: dir, rounds: *rounds}
	if err = b.build(*yardsticks); err == nil {
		switch {
		case *latency:
			err = b.latencies(cmp.Or(*records, 200_000))
		case *backlog:
			err = b.backlog(cmp.Or(*records, 1_000_000))
		case *journal:
			err = b.journals()
		default:
			err = b.run(cmp.Or(*records, 1_000_000), *long)
		}
	}
	err = errors.Join(err, os.RemoveAll(dir))
	if err == nil && *strict && b.missed > 0 {
		err = fmt.Errorf("%d figures miss their bar", b.missed)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// memory is a folder in memory. If the machine has none, it is the usual folder for temporary files.
func memory() string {
	const shared = "/dev/shm"
	if info, err := os.Stat(shared); err == nil && info.IsDir() {
		return shared
	}
	return os.TempDir()
}

// A bench has the folder of the programs and the archives, and the counts of a run.
type bench struct {
	dir    string
	rounds int

	exports int // so far: each has its own folder
	missed  int // figures that miss their bar
}

func (b *bench) run(records, long int) error {
	b.rounds = cmp.Or(b.rounds, 9)
	header("bar", "stretch")
	if err := b.main(records); err != nil {
		return err
	}
	for _, gap := range []string{"43s", "43ms"} {
		if err := b.gap(records, gap); err != nil {
			return err
		}
	}
	if long > 0 {
		if err := b.memory(records, long); err != nil {
			return err
		}
	}
	allocated, err := allocations()
	if err != nil {
		return err
	}
	b.row("allocated bytes per record (TestCosts)", "%.0f", allocated, "400", "150")
	size, err := os.Stat(filepath.Join(b.dir, "houndtrail"))
	if err != nil {
		return err
	}
	b.row("static binary, stripped, MB", "%.1f", float64(size.Size())/1e6, "40", "30")
	return nil
}

func (b *bench) build(yardsticks string) error {
	for _, step := range []struct {
		dir  string
		args []string
	}{
		{yardsticks, []string{"build", "-o", b.dir + "/", "./..."}},
		// The README's way to install it.
		{".", []string{
			"build", "-trimpath", "-pgo", "cmd/houndtrail/export.pgo", "-ldflags", "-s -w",
			"-o", filepath.Join(b.dir, "houndtrail"), "./cmd/houndtrail",
		}},
	} {
		cmd := exec.Command("go", step.args...)
		cmd.Dir = step.dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %v in %s: %w\n%s", step.args, step.dir, err, out)
		}
	}
	return nil
}

// main compares everything on a history of 43,000 records a day, with a server that thinks for 5 ms.
func (b *bench) main(records int) error {
	s, err := b.serve(records, "2s")
	if err != nil {
		return err
	}
	defer s.stop()
	var raw, obvious, parquet, ndjson, posted []usage
	for range b.rounds {
		for _, r := range []struct {
			into *[]usage
			run  func() (usage, error)
		}{
			{&raw, func() (usage, error) { return b.reference(s, "raw") }},
			{&parquet, func() (usage, error) { return b.export(s, archive) }},
			{&posted, func() (usage, error) { return b.export(s, webhook) }},
			{&ndjson, func() (usage, error) { return b.export(s, lines) }},
			{&obvious, func() (usage, error) { return b.reference(s, "obvious") }},
		} {
			u, err := r.run()
			if err != nil {
				return err
			}
			*r.into = append(*r.into, u)
		}
	}
	b.row("wall / raw download", "%.2f", ratio(parquet, raw, wall), "1.05", "")
	b.row("CPU / obvious", "%.2f", ratio(parquet, obvious, cpu), "0.28", "")
	b.row("peak RSS, Parquet, MiB", "%.0f", median(parquet, rss), "128", "96")
	b.row("peak RSS, NDJSON to a webhook, MiB", "%.0f", median(posted, rss), "80", "48")
	b.row("CPU, NDJSON to a webhook / Parquet", "%.2f", ratio(posted, parquet, cpu), "1.0", "0.6")
	b.row("CPU, NDJSON archive / Parquet", "%.2f", ratio(ndjson, parquet, cpu), "1.0", "0.6")
	b.row("wall / raw download, NDJSON to a webhook", "%.2f", ratio(posted, raw, wall), "1.15", "1.05")
	b.costs(s, parquet[0], "")
	if _, err = b.export(s, archive); err != nil {
		return err
	}
	var idle usage
	for range 2 { // the history ended hours ago: the first cycle catches up with the time since
		if idle, err = b.again(s, archive); err != nil {
			return err
		}
	}
	b.row("requests of an idle cycle", "%.0f", float64(idle.stats.Requests), "1", "")
	return nil
}

// gap repeats the comparisons that depend on the length of windows, on denser or sparser history.
func (b *bench) gap(records int, gap string) error {
	s, err := b.serve(records, gap)
	if err != nil {
		return err
	}
	defer s.stop()
	var raw, parquet []usage
	for range b.rounds {
		r, err := b.reference(s, "raw")
		if err != nil {
			return err
		}
		p, err := b.export(s, archive)
		if err != nil {
			return err
		}
		raw, parquet = append(raw, r), append(parquet, p)
	}
	b.row("wall / raw download, -gap "+gap, "%.2f", ratio(parquet, raw, wall), "1.05", "")
	b.row("peak RSS, -gap "+gap+", MiB", "%.0f", median(parquet, rss), "128", "96")
	b.costs(s, parquet[0], ", -gap "+gap)
	return nil
}

// memory compares a short backlog with a long one.
func (b *bench) memory(records, long int) error {
	var peaks []float64
	for _, n := range []int{records / 10, records * long} {
		s, err := b.serve(n, "2s")
		if err != nil {
			return err
		}
		var runs []usage
		for range (b.rounds + 1) / 2 {
			u, err := b.export(s, archive)
			if err != nil {
				s.stop()
				return err
			}
			runs = append(runs, u)
		}
		s.stop()
		peaks = append(peaks, median(runs, rss))
	}
	b.row(fmt.Sprintf("peak RSS, %d records, MiB", records*long), "%.0f", peaks[1], "128", "96")
	b.row(fmt.Sprintf("peak RSS, %d - %d records, MiB", records*long, records/10), "%.0f", peaks[1]-peaks[0], "48", "24")
	return nil
}

// costs has the figures that do not depend on the machine.
func (b *bench) costs(s *server, u usage, suffix string) {
	pages := float64((s.records + pageSize - 1) / pageSize)
	b.row("requests / ceil(records / page)"+suffix, "%.3f", float64(u.stats.Requests)/pages, "1.02", "")
	b.row("rows skipped / rows returned"+suffix, "%.3f", float64(u.stats.Skipped)/float64(u.stats.Rows), "1", "0")
}

// allocations runs the test that limits the allocations, since a process does not tell them after its end.
func allocations() (perRecord float64, err error) {
	out, err := exec.Command("go", "test", "-count=1", "-v", "-run", "^TestCosts$", "./exporter").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("TestCosts: %w\n%s", err, out)
	}
	found := regexp.MustCompile(`(\d+) bytes allocated per record`).FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("TestCosts does not say what is allocated:\n%s", out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// header begins a table with these bars.
func header(bars ...string) {
	fmt.Printf("| figure | measured | %s |\n| --- | --- |%s\n", strings.Join(bars, " | "), strings.Repeat(" --- |", len(bars)))
}

// row prints a figure. If it is above the first of its bars, it misses that bar.
func (b *bench) row(figure, format string, value float64, bars ...string) {
	measured, verdict := fmt.Sprintf(format, value), ""
	shown, shownErr := strconv.ParseFloat(measured, 64) // further digits are noise
	limit, limitErr := strconv.ParseFloat(bars[0], 64)
	if shownErr == nil && limitErr == nil && shown > limit {
		verdict = " (missed)"
		b.missed++
	}
	fmt.Printf("| %s | %s%s | %s |\n", figure, measured, verdict, strings.Join(bars, " | "))
}
