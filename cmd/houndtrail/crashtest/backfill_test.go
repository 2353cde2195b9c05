package crashtest

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestBackfillKilled kills backfills of both streams at random moments, while the daemon runs at the same time and rows keep
// appearing. At the end it compares the records.
func TestBackfillKilled(t *testing.T) {
	t.Parallel()
	n := max(4, *kills/5)
	w := newWorld(t, *seed+200, time.Duration(n)*8*time.Hour)
	p := directory(t)
	p.backfilled = true
	start := w.start.Add(-12 * time.Hour) // all rows from before it are visible, however late they were
	r := newRuns(t, w.environ(p, "HOUNDTRAIL_START="+start.Format(time.RFC3339), "HOUNDTRAIL_LISTEN=127.0.0.1:0"))
	daemon := r.start("run")
	awaitCursor(t, p, daemon, start)
	before := p.cursor(archiveStream)

	random := rand.New(rand.NewPCG(*seed, 3))
	for r.ended[killed] < n {
		process := r.start("backfill")
		select {
		case <-time.After(time.Duration(20+random.IntN(500)) * time.Millisecond):
			process.end(os.Kill)
		case <-process.done:
			if code := process.wait(); code != 0 {
				t.Fatalf("a backfill ended with exit code %d", code)
			}
			n = 0 // it has done all of the work
		}
	}
	kills := r.ended[killed]
	if code := r.start("backfill").wait(); code != 0 {
		t.Fatalf("the last backfill ended with exit code %d", code)
	}
	w.comeToRest(p, daemon)
	if code := daemon.end(syscall.SIGTERM); code != 0 {
		t.Errorf("the daemon ended with exit code %d", code)
	}
	catchUp(t, p, r, 2)
	var v verdict
	judgeArchive(t, p, w.api, w.server.Rows(), &v)
	w.judgeWebhook(p, &v)
	if kills == 0 {
		t.Error("no backfill was killed")
	}
	t.Logf("seed %d: backfills killed %d times, beside a daemon that began at %s and was at %s then; runs: %s",
		*seed, kills, start.Format(time.RFC3339), before.Format(time.RFC3339), r)
	t.Log(&v)
}
