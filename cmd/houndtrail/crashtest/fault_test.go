package crashtest

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestNetworkFaults breaks the connections to the API, to S3 and to the webhook at random, all three at once, while a daemon
// works and rows keep appearing. At the end it compares the records.
func TestNetworkFaults(t *testing.T) {
	t.Parallel()
	toxiproxy := servers.Toxiproxy(t)
	p, store := onS3(t)
	w := newWorld(t, *seed+100, time.Duration(*faults)*10*time.Minute)
	links := []*proxy{
		in(t, toxiproxy, "api", w.http.URL),
		in(t, toxiproxy, "s3", store.Endpoint),
		in(t, toxiproxy, "webhook", w.siem.URL),
	}
	w.api, w.webhook = links[0].address, links[2].address+ingest
	p.environ = append(p.environ, "HOUNDTRAIL_S3_ENDPOINT="+links[1].address)

	// The windows are larger than in other tests: the daemon has to catch up between the faults, or no row would be late for
	// it.
	r := newRuns(t, w.environ(p, "HOUNDTRAIL_LISTEN=127.0.0.1:0", "HOUNDTRAIL_WINDOW_RECORDS=1500", "HOUNDTRAIL_BLOODHOUND_PAGE_SIZE=500"))
	daemon := r.start("run")
	suffered := trouble(links, p, *seed, *faults)
	w.comeToRest(p, daemon)
	figures := scrape(t, daemon)
	if code := daemon.end(syscall.SIGTERM); code != 0 {
		t.Errorf("the daemon ended with exit code %d", code)
	}
	catchUp(t, p, r, 2)
	var v verdict
	judgeArchive(t, p, w.api, w.server.Rows(), &v)
	w.judgeWebhook(p, &v)
	t.Logf("seed %d: %d faults: %s", *seed, *faults, suffered)
	t.Logf("connections made: %d to api, %d to s3, %d to webhook; attempts: %s; %d cycles failed; runs: %s",
		links[0].connections.Load(), links[1].connections.Load(), links[2].connections.Load(), figures,
		r.lines("cycle failed"), r)
	t.Log(&v)
}

// A tally counts by name.
type tally map[string]int

func (y tally) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(y)) {
		parts = append(parts, fmt.Sprintf("%d %s", y[name], name))
	}
	return strings.Join(parts, ", ")
}

// trouble puts n faults on the links, one after another on each link, and takes each off again. Between two faults the affected
// stream recovers: a fault while the client waits to try again would test nothing.
func trouble(links []*proxy, p *place, seed uint64, n int) tally {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		seen = tally{}
	)
	for i, link := range links {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		stream := archiveStream
		if link.name == "webhook" {
			stream = webhookStream
		}
		all.Go(func() {
			for k := range (n + i) / len(links) {
				f, length := anyFault(random), time.Duration(300+random.IntN(1000))*time.Millisecond
				if k%15 == 14 { // longer than a client tries again: the cycle fails
					f, length = refused("outage"), 12*time.Second
				}
				f.begin(link)
				time.Sleep(length)
				f.end(link)
				awaitProgress(p, stream)
				mu.Lock()
				seen[f.kind+" at "+link.name]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return seen
}

// awaitProgress waits until the stream commits, or for a while.
func awaitProgress(p *place, stream string) {
	const enough = 3 * time.Second
	deadline := time.After(enough)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for before := p.cursor(stream); p.cursor(stream).Equal(before); {
		select {
		case <-deadline:
			return
		case <-tick.C:
		}
	}
}

// awaitCursor waits until both streams have committed everything up to an instant.
func awaitCursor(t *testing.T, p *place, daemon *process, until time.Time) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !p.cursor(archiveStream).After(until) || !p.cursor(webhookStream).After(until) {
		select {
		case <-daemon.done:
			t.Fatalf("the daemon has ended with exit code %d", daemon.code)
		case <-deadline:
			t.Fatalf("after %s the archive is at %s, the webhook at %s; want %s",
				patience, p.cursor(archiveStream), p.cursor(webhookStream), until)
		case <-tick.C:
		}
	}
}

// comeToRest lets the daemon catch up while the clock runs, so that some rows are not yet there when the clock stops. Then it
// lets the daemon take those.
func (w *world) comeToRest(p *place, daemon *process) {
	w.t.Helper()
	awaitCursor(w.t, p, daemon, w.now())
	w.finish()
	awaitCursor(w.t, p, daemon, w.last.CreatedAt)
}

var (
	statusAddress = regexp.MustCompile(`"address":"([^"]+)"`)
	attempts      = regexp.MustCompile(`(?m)^houndtrail_(requests|webhook_posts)_total\{status="([^"]+)"\} (\d+)$`)
)

// scrape is the part of the daemon's metrics that is about attempts.
func scrape(t *testing.T, daemon *process) string {
	t.Helper()
	match := statusAddress.FindStringSubmatch(daemon.said())
	if match == nil {
		t.Fatal("the daemon does not say where its metrics are")
	}
	answer, err := http.Get("http://" + match[1] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, m := range attempts.FindAllStringSubmatch(string(body), -1) {
		parts = append(parts, fmt.Sprintf("%s %s %s", m[3], m[1], m[2]))
	}
	return strings.Join(parts, ", ")
}
