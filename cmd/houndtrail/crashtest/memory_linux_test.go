//go:build !race

// The race detector multiplies memory: with it, the figures would say nothing.

package crashtest

import (
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// podMemory is the limit of the manifests, and memLimit the GOMEMLIMIT in them.
const (
	podMemory = 256 << 20
	memLimit  = "220MiB"
)

// TestMemory exports logs that do not fit into memory, in a real cgroup of the shipped size, on few and on many processors. It
// takes minutes, so it leaves most of that out unless the flag asks for cgroups.
func TestMemory(t *testing.T) {
	crowd := 30_000 // the double's time grows with the square of it
	if *cgroups {
		crowd = 300_000
	}
	logs := []struct {
		name    string
		records int
		size    int
		apart   time.Duration
	}{
		{"24 records of 10 MiB", 24, 10 << 20, time.Second},
		{"1 record of 60 MiB", 1, 60 << 20, time.Second},
		{"20,000 records of 20 KB", 20_000, 20_000, time.Second},
		{fmt.Sprint(crowd, " records of one instant"), crowd, 600, 0},
	}
	for _, log := range logs {
		rows := largeRows(log.records, log.size, log.apart)
		for _, store := range []string{"directory", "s3"} {
			for _, processors := range []string{"2", "64"} {
				if !*cgroups && (store == "s3" || processors == "64") {
					continue
				}
				t.Run(log.name+"/"+store+"/"+processors+" processors", func(t *testing.T) {
					p := directory(t)
					if store == "s3" {
						p, _ = onS3(t)
					}
					exportWithin(t, rows, p, "GOMAXPROCS="+processors)
				})
			}
		}
	}
}

func exportWithin(t *testing.T, rows []bloodhoundtest.Row, p *place, more ...string) {
	t.Helper()
	group := newCgroup(t, podMemory)
	source := bloodhoundtest.New(bloodhoundtest.Options{Seed: *seed, Rows: rows, SessionTTL: 1000 * time.Hour})
	server := httptest.NewServer(source)
	t.Cleanup(server.Close)
	receiver := newCounter(t)
	r := newRuns(t, append([]string{
		"HOUNDTRAIL_BLOODHOUND_URL=" + server.URL,
		"HOUNDTRAIL_BLOODHOUND_JWT=" + source.Session("houndtrail"),
		"HOUNDTRAIL_BLOODHOUND_RATE=1000",
		"HOUNDTRAIL_TENANT=" + tenant,
		"HOUNDTRAIL_ARCHIVE_URL=" + p.url + "/archive",
		"HOUNDTRAIL_CHECKPOINT_URL=" + p.url + "/positions",
		"HOUNDTRAIL_WEBHOOK_URL=" + receiver.URL,
		"HOUNDTRAIL_LOG_FORMAT=json",
		"GOMEMLIMIT=" + memLimit,
	}, append(p.environ, more...)...))
	r.within = group.procs
	process := r.start("run", "--once")
	resident := process.resident()
	if code := process.wait(); code != 0 {
		t.Fatalf("exit code %d; at most %d MiB were used of %d", code, group.peak()>>20, podMemory>>20)
	}
	if got := receiver.total(); got != len(rows) {
		t.Errorf("the webhook got %d records of %d", got, len(rows))
	}
	var v verdict
	judgeArchive(t, p, server.URL, rows, &v)
	if v.archived != len(rows) {
		t.Errorf("%d records are archived of %d", v.archived, len(rows))
	}
	t.Logf("at most %d MiB of %d, and %d of the process; %d requests",
		group.peak()>>20, podMemory>>20, <-resident>>20, source.Stats().Requests)
}

// largeRows have fields that a compressor makes half as large: a text that repeats would become too small.
func largeRows(n, size int, apart time.Duration) []bloodhoundtest.Row {
	start := time.Now().UTC().Add(-24 * time.Hour).Truncate(time.Second)
	return largeRowsSince(start, n, size, apart)
}

func largeRowsSince(start time.Time, n, size int, apart time.Duration) []bloodhoundtest.Row {
	random := rand.NewChaCha8([32]byte{1})
	rows := make([]bloodhoundtest.Row, n)
	for i := range rows {
		noise := make([]byte, size/2*3/4)
		_, _ = random.Read(noise)
		text := base64.StdEncoding.EncodeToString(noise)
		fields, _ := json.Marshal(map[string]string{"query": text, "once more": text[:min(len(text), size-len(text)-40)]})
		rows[i] = bloodhoundtest.Row{
			ID: int64(i + 1), CreatedAt: start.Add(time.Duration(i) * apart), Action: "MutateGraph", Status: "success",
			Fields: fields, ActorName: "admin", CommitID: "6f0f2a1e-0000-4000-9000-000000000001",
		}
	}
	return rows
}

// A counter is a webhook receiver, written by hand since VictoriaLogs drops lines of this size.
type counter struct {
	*httptest.Server
	lines chan int
}

func newCounter(t *testing.T) *counter {
	c := &counter{lines: make(chan int, 1)}
	c.lines <- 0
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, err := countLines(r.Body)
		if err != nil {
			t.Error(err)
		}
		c.lines <- <-c.lines + n
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *counter) total() int {
	n := <-c.lines
	c.lines <- n
	return n
}

func countLines(body io.Reader) (n int, err error) {
	z, err := gzip.NewReader(body)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewReader(z); ; {
		switch _, err := lines.ReadSlice('\n'); {
		case err == nil:
			n++
		case errors.Is(err, io.EOF):
			return n, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return n, err
		}
	}
}
