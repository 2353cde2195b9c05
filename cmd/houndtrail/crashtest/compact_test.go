package crashtest

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestCompactKilled kills compactions at random moments, while the daemon runs at the same time and rows keep appearing, also late
// ones of days that are compacted. At the end it compares the records.
func TestCompactKilled(t *testing.T) {
	t.Parallel()
	n := max(4, *kills)
	w := newWorld(t, *seed+300, 48*time.Hour)
	p := directory(t)
	r := newRuns(t, w.environ(p, "HOUNDTRAIL_LISTEN=127.0.0.1:0"))
	daemon := r.start("run")
	awaitCursor(t, p, daemon, w.start)

	random := rand.New(rand.NewPCG(*seed, 4))
	for r.ended[killed] < n {
		process := r.start("compact", "--older-than=1h")
		select {
		case <-time.After(time.Duration(10+random.IntN(600)) * time.Millisecond):
			process.end(os.Kill)
		case <-process.done:
			if code := process.wait(); code != 0 && code != leaseHeld {
				t.Fatalf("a compaction ended with exit code %d", code)
			}
		}
	}
	w.comeToRest(p, daemon)
	if code := daemon.end(syscall.SIGTERM); code != 0 {
		t.Errorf("the daemon ended with exit code %d", code)
	}
	catchUp(t, p, r, 2)
	for range 2 { // the second one finds nothing to do
		if code := r.start("compact", "--older-than=1h").wait(); code != 0 {
			t.Fatalf("the last compaction ended with exit code %d", code)
		}
	}
	var v verdict
	judgeArchive(t, p, w.api, w.server.Rows(), &v)
	w.judgeWebhook(p, &v)
	if v.compactions == 0 {
		t.Error("nothing was compacted")
	}
	t.Logf("seed %d: compactions killed %d times; runs: %s", *seed, n, r)
	t.Log(&v)
}
