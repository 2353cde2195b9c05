//go:build !race

// The race detector multiplies memory: with it, the figures would say nothing.

package crashtest

import (
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// TestMemoryOfCompaction compacts a day that does not fit into memory, in a real cgroup of the shipped size: in a daemon whose webhook
// catches up with the same day meanwhile. Without the flag for cgroups, the day only is larger than the part of the memory that is
// the compaction's.
func TestMemoryOfCompaction(t *testing.T) {
	const size = 20_000
	records := 2_000
	if *cgroups {
		records = 15_000
	}
	start := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -5)
	rows := largeRowsSince(start, records, size, 5*time.Second)
	group := newCgroup(t, podMemory)
	source := bloodhoundtest.New(bloodhoundtest.Options{Seed: *seed, Rows: rows, SessionTTL: 1000 * time.Hour})
	server := httptest.NewServer(source)
	t.Cleanup(server.Close)
	receiver := newCounter(t)
	p := directory(t)
	environ := []string{
		"HOUNDTRAIL_BLOODHOUND_URL=" + server.URL,
		"HOUNDTRAIL_BLOODHOUND_JWT=" + source.Session("houndtrail"),
		"HOUNDTRAIL_BLOODHOUND_RATE=1000",
		"HOUNDTRAIL_TENANT=" + tenant,
		"HOUNDTRAIL_ARCHIVE_URL=" + p.url + "/archive",
		"HOUNDTRAIL_CHECKPOINT_URL=" + p.url + "/positions",
		"HOUNDTRAIL_LISTEN=off",
		"HOUNDTRAIL_LOG_FORMAT=json",
		"GOMEMLIMIT=" + memLimit, "GOMAXPROCS=2",
	}
	if code := newRuns(t, environ).start("run", "--once").wait(); code != 0 {
		t.Fatalf("the export ended with exit code %d", code)
	}
	before, err := p.archive.List(t.Context(), "audit/", "")
	if err != nil {
		t.Fatal(err)
	}

	r := newRuns(t, append(environ, "HOUNDTRAIL_WEBHOOK_URL="+receiver.URL, "HOUNDTRAIL_COMPACT_SCHEDULE=@every 1s"))
	r.within = group.procs
	daemon := r.start("run")
	resident := daemon.resident()
	for r.lines(`"msg":"compacted"`) == 0 || receiver.total() < len(rows) {
		select {
		case <-daemon.done:
			t.Fatalf("exit code %d; at most %d MiB were used of %d", daemon.wait(), group.peak()>>20, podMemory>>20)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if code := daemon.end(syscall.SIGTERM); code != 0 {
		t.Errorf("the daemon ended with exit code %d", code)
	}
	var after verdict
	judgeArchive(t, p, server.URL, rows, &after)
	if after.compactions < 2 || after.objects >= len(before)/2 {
		t.Errorf("%d compactions made %d objects of %d", after.compactions, after.objects, len(before))
	}
	t.Logf("at most %d MiB of %d, and %d of the process; %d objects became %d",
		group.peak()>>20, podMemory>>20, <-resident>>20, len(before), after.objects)
}
