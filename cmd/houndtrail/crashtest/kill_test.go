package crashtest

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// TestKilled kills the binary at random moments while rows keep appearing. At the end it compares the records.
func TestKilled(t *testing.T) {
	t.Parallel()
	places := []struct {
		name string
		open func(t *testing.T) *place
	}{
		{"directory", directory},
		{"s3", func(t *testing.T) *place { p, _ := onS3(t); return p }},
	}
	for i, destination := range places {
		t.Run(destination.name, func(t *testing.T) {
			t.Parallel()
			n := (*kills + i) / len(places) // each place has its share of the kills
			testKilled(t, destination.open(t), *seed+uint64(i), n)
		})
	}
}

func testKilled(t *testing.T, p *place, share uint64, n int) {
	// The first kills hit the backlog, with its long cycles. The others hit cycles of new rows.
	w := newWorld(t, share, time.Duration(n)*40*time.Minute)
	r := newRuns(t, w.environ(p))
	random := rand.New(rand.NewPCG(share, 1))
	hit := tally{}
	for r.ended[killed] < n {
		p.letLeasesExpire()
		args := []string{"run"}
		if random.IntN(3) == 0 {
			args = append(args, "--once", "--wait-lease=0s")
		}
		process := r.start(args...)
		aimed := r.ended[killed]%4 == 3
		switch {
		case !p.awaitKill(process, random, aimed):
			// The run ended before the kill. On S3 it may have met a lease that its dead holder's last request wrote.
			if code := process.wait(); code != 0 && (code != leaseHeld || !p.expires) {
				t.Fatalf("houndtrail %v ended with exit code %d", args, code)
			}
		case process.end(os.Kill) == killed:
			p.moment().count(hit)
		}
	}
	catchUp(t, p, r, 3) // while the clock runs, so that some rows are not yet there when it stops
	w.finish()
	if p.expires && *kills >= 100 {
		leaseRunsOut(t, p, r)
	}
	catchUp(t, p, r, 2)
	var v verdict
	judgeArchive(t, p, w.api, w.server.Rows(), &v)
	w.judgeWebhook(p, &v)
	t.Logf("seed %d: killed %d times, each fourth as soon as an object was seen that is not committed; %s; %d temporary "+
		"files left; runs: %s", *seed, n, hit, p.leftovers(), r)
	t.Log(&v)
}

// awaitKill waits until it is time to kill: a random time, or until an object is in the archive whose window is not committed.
// It is false if the process ends before.
func (p *place) awaitKill(process *process, random *rand.Rand, aimed bool) bool {
	delay := time.Duration(5+random.IntN(400)) * time.Millisecond
	if aimed {
		delay = 2 * time.Second
	}
	deadline := time.After(delay)
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
			if p.moment().written {
				return true
			}
		}
	}
}

// leaseRunsOut waits in real time until a lease expires, which letLeasesExpire spares the other runs: a killed holder keeps
// others away for a minute, and no longer.
func leaseRunsOut(t *testing.T, p *place, r *runs) {
	t.Helper()
	p.letLeasesExpire()
	process := r.start("run", "--once", "--wait-lease=0s")
	if !p.awaitKill(process, rand.New(rand.NewPCG(0, 0)), true) || process.end(os.Kill) != killed {
		t.Fatalf("it ended with exit code %d before it was killed", process.wait())
	}
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for r.start("run", "--once", "--wait-lease=0s").wait() == leaseHeld {
		<-tick.C
	}
	waited := time.Since(began).Round(time.Second)
	if waited < 30*time.Second || waited > patience/3 { // each try takes a while on a busy machine
		t.Errorf("the lease of a killed holder ran out after %s; want about a minute", waited)
	}
	t.Logf("the lease of a killed holder ran out after %s", waited)
}

// catchUp lets houndtrail run in peace, so many times. If the clock stands still, the first run takes all rows, and the second
// run has to leave everything as it is.
func catchUp(t *testing.T, p *place, r *runs, times int) {
	t.Helper()
	for done := 0; done < times; {
		p.letLeasesExpire()
		switch code := r.start("run", "--once", "--wait-lease=0s").wait(); {
		case code == 0:
			done++
		case code != leaseHeld || !p.expires: // a late request of a killed process can have renewed its lease
			t.Fatalf("in peace it ended with exit code %d", code)
		}
	}
}
