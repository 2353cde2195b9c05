package crashtest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// TestCompactKilled kills compactions at random moments, and each second one in a swap, while the daemon exports and compacts at the
// same time, and rows keep appearing, also late ones of days that are compacted. At the end it compares the records.
func TestCompactKilled(t *testing.T) {
	t.Parallel()
	n := max(2, *kills*3/10) // at each place
	for i, open := range map[string]func(t *testing.T) *place{
		"directory": directory,
		"s3":        func(t *testing.T) *place { p, _ := onS3(t); return p },
	} {
		t.Run(i, func(t *testing.T) {
			t.Parallel()
			testCompactKilled(t, open(t), *seed+300, n)
		})
	}
}

func testCompactKilled(t *testing.T, p *place, share uint64, n int) {
	// There are many days to compact. With larger windows than in other tests the daemon catches up, or no row would be late for it.
	w := newThinWorld(t, share, time.Duration(n)*24*time.Hour, 12)
	r := newRuns(t, w.environ(p, "HOUNDTRAIL_LISTEN=127.0.0.1:0", "HOUNDTRAIL_WINDOW_RECORDS=400", "HOUNDTRAIL_BLOODHOUND_PAGE_SIZE=200",
		"HOUNDTRAIL_WINDOW_MAX=8h", "HOUNDTRAIL_COMPACT_SCHEDULE=@every 15s"))
	daemon := r.start("run")
	awaitCursor(t, p, daemon, w.start.Add(-40*time.Hour))

	random := rand.New(rand.NewPCG(share, 4))
	hit := 0
	for done := 0; done < n; {
		process := r.start("compact", "--older-than=1h")
		if !p.awaitSwap(process, random, done%2 == 1) {
			if code := process.wait(); code != 0 && code != leaseHeld {
				t.Fatalf("a compaction ended with exit code %d", code)
			}
			continue
		}
		if process.end(os.Kill) == killed {
			done++
		}
		if p.intent().Made.Key != "" {
			hit++
		}
		p.letLeaseExpire(process.cmd.Process.Pid)
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
	if v.compactions == 0 || p.intent().Made.Key != "" {
		t.Errorf("%d compactions, and %q is left", v.compactions, p.intent().Made.Key)
	}
	t.Logf("seed %d: compactions killed %d times, %d times with a swap begun and not ended; runs: %s", *seed, n, hit, r)
	t.Log(&v)
}

// awaitSwap waits until it is time to kill: a random time, or a moment after a swap has begun. It is false if the process ends
// before.
func (p *place) awaitSwap(process *process, random *rand.Rand, aimed bool) bool {
	began := time.Now()
	deadline := time.After(time.Duration(10+random.IntN(400)) * time.Millisecond)
	if aimed {
		deadline = time.After(patience) // a compaction of many days reads a long journal before its first swap
	}
	for {
		look := make(<-chan time.Time)
		if aimed {
			look = time.After(time.Millisecond)
		}
		select {
		case <-process.done:
			return false
		case <-deadline:
			return true
		case <-look:
			if p.intent().At.After(began) { // an earlier one may be left
				deadline, aimed = time.After(time.Duration(random.IntN(12_000))*time.Microsecond), false
			}
		}
	}
}

// intent is the step that a compaction has noted, or over which it died.
func (p *place) intent() (i compact.Intent) {
	p.t.Helper()
	p.read(filepath.Join(p.root, "positions", archiveStream, "state", compact.StateName+".json"), &i)
	return i
}

// letLeaseExpire ends the minute for which a dead compaction keeps the daemon away, as letLeasesExpire does. It leaves alone a lease
// of another process.
func (p *place) letLeaseExpire(dead int) {
	p.t.Helper()
	if l := p.lease(archiveStream); p.expires && l.State == "held" && l.Holder.PID == dead {
		past := time.Now().Add(-2 * time.Minute)
		if err := os.Chtimes(p.leaseFile(archiveStream), past, past); err != nil {
			p.t.Fatal(err)
		}
	}
}
