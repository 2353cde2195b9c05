//go:build !race

package exporter_test

import (
	"bytes"
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// A steadyServer serves prepared records from memory, so that the test measures the exporter and not the double. It knows no
// more of the API than a walk over a window needs.
type steadyServer struct {
	records           []record.Record // oldest first
	now               atomic.Int64    // unix seconds
	requests, skipped atomic.Int64

	mu   sync.Mutex
	body bytes.Buffer // used again, since the test counts the client's allocations
}

func (s *steadyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	q := r.URL.Query()
	skip, _ := strconv.Atoi(q.Get("skip"))
	limit, _ := strconv.Atoi(q.Get("limit"))
	s.skipped.Add(int64(skip))
	from := s.first(q.Get("after"), 0)
	to := max(s.first(q.Get("before"), time.Microsecond)-skip, from)
	page := s.records[max(from, to-limit):to]
	if q.Get("sort_by") == "created_at" { // for one record, the oldest
		page = s.records[from:min(from+limit, to)]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body := &s.body
	body.Reset()
	body.WriteString(`{"count":1,"limit":` + strconv.Itoa(limit) + `,"skip":` + strconv.Itoa(skip) + `,"data":{"logs":[`)
	for i := range slices.Backward(page) {
		body.WriteString(page[i].Raw)
		if i > 0 {
			body.WriteByte(',')
		}
	}
	body.WriteString("]}}\n")
	w.Header().Set("Date", time.Unix(s.now.Load(), 0).UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	_, _ = w.Write(body.Bytes())
}

// first is the index of the first record that is not before text's time with plus added.
func (s *steadyServer) first(text string, plus time.Duration) int {
	t, _ := time.Parse(time.RFC3339Nano, text)
	t = t.Add(plus)
	return sort.Search(len(s.records), func(i int) bool { return !s.records[i].CreatedAt.Before(t) })
}

const steadyGap = 2 * time.Second // 43,000 records a day

// steady is a server with n records and an exporter into a directory.
func steady(tb testing.TB, n int) (*steadyServer, *exporter.Exporter) {
	tb.Helper()
	start := time.Date(2026, 9, 10, 0, 0, 0, 0, time.UTC)
	s := &steadyServer{records: sinktest.Generate(tb, 1, n, start, steadyGap)}
	for i := range s.records { // of the usual size
		r := &s.records[i]
		if short := 500 - len(r.Raw); short > 0 && !r.Absent.Has(record.Of("fields")) {
			r.Raw = strings.Replace(r.Raw, r.Fields, `{"note":"`+strings.Repeat("x", short)+`"}`, 1)
		}
	}
	listener := httptest.NewServer(s)
	tb.Cleanup(listener.Close)
	base, _ := url.Parse(listener.URL)
	client, err := bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL: base, Auth: rest.Bearer(func() (string, error) { return "x", nil }), Rate: 1e6,
		},
		PageSize: 5000,
	})
	if err != nil {
		tb.Fatal(err)
	}
	store, err := dir.Open(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	sink, err := archive.New(store, "acme", func() archive.Encoder {
		return parquet.NewEncoder(parquet.Metadata{Tenant: "acme", Version: "test"})
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s, &exporter.Exporter{
		Source: clocked{client, s}, Sink: sink,
		Store:   checkpoint.Open(&checkpointtest.Memory{Locks: true}, checkpoint.Identity{Tenant: "a", Stream: "archive", Source: "x", Destination: "y"}),
		Windows: window.Planner{Max: 720 * time.Hour}, Limits: bloodhound.Limits{Records: 50_000, Bytes: 8 << 20, Share: true},
		Start: start, Settle: settle, Overlap: overlap, Log: zap.NewNop(),
		Retention: exporter.Retention{Off: true}, // a cycle looks for the oldest record once a day, and these are minutes
	}
}

// clocked takes the server's time as it is. The client would carry on the time that it heard before.
type clocked struct {
	exporter.Source
	server *steadyServer
}

func (c clocked) Clock(context.Context) (bloodhound.Reading, error) {
	return bloodhound.Reading{Server: time.Unix(c.server.now.Load(), 0), Local: time.Now()}, nil
}

func (c clocked) Guess() bloodhound.Reading {
	told, _ := c.Clock(context.Background())
	told.Server = told.Server.Add(-2 * time.Second) // as the client does: a guess may be behind, and never ahead
	return told
}

// through lets the server's clock pass the first n records and exports them.
func (s *steadyServer) through(ctx context.Context, tb testing.TB, e *exporter.Exporter, n int) {
	tb.Helper()
	s.now.Store(s.records[n-1].CreatedAt.Add(settle + 2*time.Second).Unix())
	if err := e.RunOnce(ctx); err != nil {
		tb.Fatal(err)
	}
}

// This test checks the costs that do not depend on the machine's load: the bytes allocated for a record once the buffers are
// there, the requests, and the rows that the server has to skip.
func TestCosts(t *testing.T) {
	const warm, n = 100_000, 400_000
	s, e := steady(t, n)
	s.through(t.Context(), t, e, warm)
	s.requests.Store(0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.through(t.Context(), t, e, n)
	runtime.ReadMemStats(&after)
	perRecord := float64(after.TotalAlloc-before.TotalAlloc) / (n - warm)
	requests := float64(s.requests.Load()) / math.Ceil((n-warm)/5000.0)
	t.Logf("%.0f bytes allocated per record, %.3f requests per page, %d rows skipped", perRecord, requests, s.skipped.Load())
	if perRecord > 400 {
		t.Errorf("%.0f bytes are allocated for a record, 400 at most", perRecord)
	}
	if requests > 1.12 {
		t.Errorf("%.3f requests for a page's worth of records, 1.12 at most", requests)
	}
	if s.skipped.Load() > 0 {
		t.Errorf("the server had to skip %d rows", s.skipped.Load())
	}
	s.requests.Store(0)
	s.now.Add(60)
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.requests.Load(); got != 1 {
		t.Errorf("an idle cycle took %d requests", got)
	}
}

// BenchmarkCycle exports records from a local server into a directory.
func BenchmarkCycle(b *testing.B) {
	const n = 200_000
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		s, e := steady(b, n)
		b.StartTimer()
		s.through(b.Context(), b, e, n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
