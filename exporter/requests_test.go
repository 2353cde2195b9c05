package exporter_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// calls counts the requests to stores.
type calls struct {
	mu sync.Mutex
	of map[checkpointtest.Op]int
}

func (c *calls) add(op checkpointtest.Op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[checkpointtest.Op]int{}
	}
	c.of[op]++
}

// take returns the counts since its last call.
func (c *calls) take() map[checkpointtest.Op]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counted := c.of
	c.of = nil
	return counted
}

// count returns a view of a store, and counts its calls.
func (c *calls) count(b bucket.Bucket) *checkpointtest.Faulty {
	view := checkpointtest.NewFaulty(b)
	view.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op != checkpointtest.Lock {
			c.add(op)
		}
		return checkpointtest.Fault{}
	})
	return view
}

// punctual is a source that knows the server's time. The client would carry on the time that it heard before the world's clock
// moved.
type punctual struct {
	strict
	now func() time.Time
}

func (p punctual) Clock(context.Context) (bloodhound.Reading, error) {
	return bloodhound.Reading{Server: p.now(), Local: time.Now()}, nil
}

func (p punctual) Guess() bloodhound.Reading {
	return bloodhound.Reading{Server: p.now().Add(-2 * time.Second), Local: time.Now()}
}

// steadyRows are rows at even times.
func steadyRows(begin time.Time, n int, gap time.Duration) []bloodhoundtest.Row {
	rows := history.Rows(history.Options{Seed: 1, N: n, Start: begin, End: begin.Add(time.Duration(n) * gap)})
	for i := range rows {
		rows[i].CreatedAt, rows[i].VisibleAt = begin.Add(time.Duration(i)*gap), time.Time{}
	}
	return rows
}

func (w *world) promptly(e *exporter.Exporter) *exporter.Exporter {
	w.t.Helper()
	source, ok := e.Source.(strict)
	if !ok {
		w.t.Fatalf("the source is %T", e.Source)
	}
	e.Source = punctual{source, w.now}
	return e
}

// The second idle cycle of a process asks the API once and the store three times, and writes nothing. This is so for each
// store. For S3 the test counts the real requests.
func TestIdleRequests(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *calls) (positions, objects bucket.Bucket){
		"directory": countedDirs, "S3": countedS3,
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
			w := startWorld(t, 1, bloodhoundtest.V84, begin.Add(11*time.Hour), steadyRows(begin, 600, time.Minute))
			var store calls
			positions, objects := open(t, &store)
			e := w.promptly(w.process(positions, objects))
			for cycle := range 4 {
				before := w.server.Stats().Requests
				if err := e.RunOnce(t.Context()); err != nil {
					t.Fatal(err)
				}
				asked, of := w.server.Stats().Requests-before, store.take()
				if cycle == 0 && (of[checkpointtest.Put] == 0 || of[checkpointtest.Get] == 0 || of[checkpointtest.List] == 0) {
					t.Fatalf("the first cycle takes %v", of)
				}
				if cycle > 0 && (asked != 1 || of[checkpointtest.Get] > 2 || of[checkpointtest.List] > 1 || of[checkpointtest.Put] > 0) {
					t.Errorf("idle cycle %d asks the API %d times, and of the store %v", cycle, asked, of)
				}
				w.pass(5 * time.Minute)
			}
			w.checkArchive(objects, positions)
		})
	}
}

func countedDirs(t *testing.T, c *calls) (positions, objects bucket.Bucket) {
	t.Helper()
	for _, b := range []*bucket.Bucket{&positions, &objects} {
		store, err := dir.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		*b = c.count(store)
	}
	return positions, objects
}

func countedS3(t *testing.T, c *calls) (positions, objects bucket.Bucket) {
	t.Helper()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "audit", false)
	upstream, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(upstream) // the host stays as it was sent, since it is signed
	counting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Has("list-type"):
			c.add(checkpointtest.List)
		case r.Method == http.MethodGet:
			c.add(checkpointtest.Get)
		default:
			c.add(checkpointtest.Put)
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(counting.Close)
	for prefix, b := range map[string]*bucket.Bucket{"checkpoints": &positions, "archive": &objects} {
		store, err := s3.Open(t.Context(), s3.Options{
			Bucket: "audit", Prefix: prefix, Endpoint: counting.URL, Region: server.Region, PathStyle: true,
			AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		})
		if err != nil {
			t.Fatal(err)
		}
		*b = store
	}
	return positions, objects
}
