package crashtest

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	apifaults "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

// TestMillion reads a long history, in a single run, from a server that fails at random one request in ten.
func TestMillion(t *testing.T) {
	t.Parallel()
	const id, key = "0a6d3f2e-5b1c-4e8f-9a7d-1c2b3d4e5f60", "the-key-of-the-token-of-the-test"
	rows := history.Rows(history.Options{
		Seed: *seed, N: *records, End: time.Now().UTC().Add(-4 * time.Hour).Truncate(time.Second),
	})
	server := bloodhoundtest.New(bloodhoundtest.Options{Seed: *seed, Rows: rows, Tokens: map[string]string{id: key}})
	failures := &unreliable{random: rand.New(rand.NewPCG(*seed, 7)), seen: tally{}}
	server.Fault(failures.oneInTen)
	source := httptest.NewServer(server)
	t.Cleanup(source.Close)
	p := directory(t)
	r := newRuns(t, []string{
		"HOUNDTRAIL_BLOODHOUND_URL=" + source.URL,
		"HOUNDTRAIL_BLOODHOUND_TOKEN_ID=" + id,
		"HOUNDTRAIL_BLOODHOUND_TOKEN_KEY=" + key,
		"HOUNDTRAIL_BLOODHOUND_RATE=1000",
		"HOUNDTRAIL_TENANT=" + tenant,
		"HOUNDTRAIL_ARCHIVE_URL=" + p.url + "/archive",
		"HOUNDTRAIL_CHECKPOINT_URL=" + p.url + "/positions",
		"HOUNDTRAIL_LOG_FORMAT=json",
	})
	began := time.Now()
	process := r.start("run", "--once")
	if code := process.wait(); code != 0 {
		t.Fatalf("it ended with exit code %d", code)
	}
	took := time.Since(began)
	failed, requests := failures.total(), int(server.Stats().Requests)
	if failed < requests/50 {
		t.Errorf("only %d of %d requests failed", failed, requests)
	}
	var v verdict
	judgeArchive(t, p, source.URL, rows, &v)
	if v.archived != *records {
		t.Errorf("%d records, want %d", v.archived, *records)
	}
	t.Logf("seed %d: %d of %d requests failed: %s; %d tried again; one run of %s",
		*seed, failed, requests, failures.seen, r.lines("trying again"), took.Round(time.Millisecond))
	t.Log(&v)
}

// unreliable makes a server fail.
type unreliable struct {
	mu     sync.Mutex
	random *rand.Rand
	seen   tally
}

// ways are the failures of a server, or of a proxy in front of it.
func ways() map[string]bloodhoundtest.Fault {
	return map[string]bloodhoundtest.Fault{
		"500 internal error":   apifaults.InternalError(),
		"502 of a proxy":       apifaults.Proxy(http.StatusBadGateway),
		"429 in plain text":    apifaults.RateLimited(apifaults.LimitHeaders{}),
		"200 without a body":   apifaults.Empty(),
		"body cut":             apifaults.Cut(),
		"half a gzip stream":   apifaults.TruncatedGzip(),
		"half a JSON document": apifaults.TruncatedJSON(),
	}
}

// oneInTen answers a tenth of the requests with one of these failures.
func (u *unreliable) oneInTen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := u.choose(); fault != nil {
			fault(next).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (u *unreliable) choose() bloodhoundtest.Fault {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.random.IntN(10) > 0 {
		return nil
	}
	all := ways()
	name := slices.Sorted(maps.Keys(all))[u.random.IntN(len(all))]
	u.seen[name]++
	return all[name]
}

func (u *unreliable) total() (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, k := range u.seen {
		n += k
	}
	return n
}
