package exporter_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"houndtrail/checkpoint"
	"houndtrail/checkpoint/checkpointtest"
	"houndtrail/exporter"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/bloodhound/bloodhoundtest"
	"houndtrail/exporter/window"
	"houndtrail/sink/archive"
	"houndtrail/sink/parquet"
	"houndtrail/sink/sinktest"
)

const (
	settle  = 2 * time.Minute
	overlap = 10 * time.Minute
)

// A world is everything outside the exporter: a BloodHound with a clock and faults, and two stores. Each cycle is a
// process of its own, with its own view of the stores, that can be killed at any call.
type world struct {
	t       *testing.T
	rand    *rand.Rand
	server  *bloodhoundtest.Server
	http    *httptest.Server
	clock   atomic.Int64 // unix seconds
	start   time.Time
	session string

	positions, objects *checkpointtest.Memory
	pageSize, records  int
}

func newWorld(t *testing.T, seed uint64, profile bloodhoundtest.Profile) *world {
	w := &world{
		t: t, rand: rand.New(rand.NewPCG(seed, 11)),
		start:    time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC),
		pageSize: 60, records: 150,
	}
	w.clock.Store(w.start.Add(20 * time.Hour).Unix())
	w.positions = &checkpointtest.Memory{Now: w.now, Locks: seed%2 == 0}
	w.objects = &checkpointtest.Memory{Now: w.now}
	w.server = bloodhoundtest.New(bloodhoundtest.Options{
		Profile: profile, Now: w.now, Seed: seed, Rows: w.history(seed),
		SessionTTL: 1000 * time.Hour,
	})
	w.session = w.server.Session("houndtrail") // a signature would need the machine's clock to be the world's
	w.http = httptest.NewServer(w.server)
	t.Cleanup(w.http.Close)
	return w
}

// history is three days of rows that are hard to keep: late ones up to the last moment that is promised, many at one
// instant, ids in disorder.
func (w *world) history(seed uint64) []bloodhoundtest.Row {
	rows := bloodhoundtest.History(bloodhoundtest.HistoryOptions{
		Seed: seed, N: 700, Start: w.start.Add(time.Hour), End: w.start.Add(72 * time.Hour),
	})
	tie := rows[w.rand.IntN(len(rows)-200)].CreatedAt
	for i := range rows {
		switch w.rand.IntN(10) {
		case 0:
			late := time.Duration(w.rand.Int64N(int64(settle + overlap - time.Second)))
			rows[i].VisibleAt = rows[i].CreatedAt.Add(late)
		case 1, 2:
			rows[i].CreatedAt, rows[i].VisibleAt = tie, time.Time{}
		}
	}
	return rows
}

func (w *world) now() time.Time { return time.Unix(w.clock.Load(), 0).UTC() }

func (w *world) pass(d time.Duration) { w.clock.Add(int64(d / time.Second)) }

// process builds one run's exporter over its views of the stores.
func (w *world) process(positions, objects checkpoint.Bucket) *exporter.Exporter {
	w.t.Helper()
	base, err := url.Parse(w.http.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := bloodhound.New(bloodhound.Options{
		URL: base, Auth: bloodhound.Bearer(func() (string, error) { return w.session, nil }),
		PageSize: w.pageSize, Rate: 1e6,
		Retry: bloodhound.RetryPolicy{Tries: 2, Initial: time.Millisecond, Max: time.Millisecond, Limited: time.Millisecond},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	sink, err := archive.New(objects, "acme", parquet.NewEncoder(parquet.Metadata{Tenant: "acme", Version: "test"}))
	if err != nil {
		w.t.Fatal(err)
	}
	return &exporter.Exporter{
		Source: client, Sink: sink, Store: w.journal(positions),
		Windows: window.Planner{Max: 30 * 24 * time.Hour, Records: w.records},
		Limits:  bloodhound.Limits{Records: w.records},
		Settle:  settle, Overlap: overlap, Log: zap.NewNop(),
	}
}

func (w *world) journal(b checkpoint.Bucket) *checkpoint.Journal {
	return checkpoint.Open(b, checkpoint.Identity{Stream: "archive", Source: w.http.URL, Destination: "memory://archive"})
}

// faults of the API, of which one may strike a cycle.
func (w *world) fault() bloodhoundtest.Fault {
	all := []bloodhoundtest.Fault{
		bloodhoundtest.TimedOut(), bloodhoundtest.InternalError(), bloodhoundtest.SessionExpired(), bloodhoundtest.Forbidden(),
		bloodhoundtest.RateLimited(bloodhoundtest.LimitHeaders{}), bloodhoundtest.Empty(), bloodhoundtest.NotJSON(),
		bloodhoundtest.Proxy(502), bloodhoundtest.Redirect("https://elsewhere.example/"), bloodhoundtest.TruncatedGzip(),
		bloodhoundtest.Cut(), bloodhoundtest.TruncatedJSON(), bloodhoundtest.Malformed(`{"id":"x"}`), bloodhoundtest.OldestFirst(),
	}
	return all[w.rand.IntN(len(all))]
}

var errStorm = errors.New("storm")

// storm fails a random call of a store, before or after its effect, or kills the process there.
func (w *world) storm(f *checkpointtest.Faulty) {
	at, kind := int64(1+w.rand.IntN(12)), w.rand.IntN(3)
	var calls atomic.Int64
	f.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op == checkpointtest.Lock || calls.Add(1) != at {
			return checkpointtest.Fault{}
		}
		switch kind {
		case 0:
			return checkpointtest.Fault{Before: errStorm}
		case 1:
			return checkpointtest.Fault{After: errStorm}
		default:
			go func() { _ = f.Kill() }() // it may be dead before this call's effect or after it
			return checkpointtest.Fault{}
		}
	})
}

// TestSimulation is the central test. A faulty world goes on for days; in the end every row that the API showed in
// time is in the archive exactly once, in the partition of its own day, nothing else is there, and the journal accounts
// for every object.
func TestSimulation(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		profile := bloodhoundtest.Profiles[seed%uint64(len(bloodhoundtest.Profiles))]
		t.Run(fmt.Sprintf("%s/%d", profile, seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed, profile)
			failures := 0
			for range 14 {
				failures += w.cycle()
				w.pass(time.Duration(w.rand.IntN(6*3600)) * time.Second)
			}
			w.calm()
			w.check()
			t.Logf("%d of 14 cycles failed", failures)
		})
	}
}

// cycle runs one process through whatever the world has for it, and returns 1 if it failed.
func (w *world) cycle() int {
	positions := &checkpointtest.Faulty{Bucket: w.positions}
	objects := &checkpointtest.Faulty{Bucket: w.objects}
	if w.rand.IntN(3) == 0 {
		w.server.Fault(bloodhoundtest.Sequence(append(make([]bloodhoundtest.Fault, w.rand.IntN(6)), w.fault(), w.fault())...))
	}
	if w.rand.IntN(3) == 0 {
		w.storm(positions)
	}
	if w.rand.IntN(3) == 0 {
		w.storm(objects)
	}
	err := w.process(positions, objects).RunOnce(w.t.Context())
	_, _ = positions.Kill(), objects.Kill() // whatever was still under way has no effect any more
	w.server.ClearFaults()
	if err == nil {
		return 0
	}
	if !errors.As(err, new(*exporter.Error)) {
		w.t.Errorf("an error without a stage: %v", err)
	}
	return 1
}

// calm lets the last rows become visible and the last leases run out, and runs until nothing is left.
func (w *world) calm() {
	w.clock.Store(w.start.Add(80 * time.Hour).Unix())
	for range 3 {
		w.pass(5 * time.Minute)
		if err := w.process(w.positions, w.objects).RunOnce(w.t.Context()); err != nil {
			w.t.Fatalf("in calm weather: %v", err)
		}
	}
}

func (w *world) check() {
	w.t.Helper()
	cursor, accounted := w.checkJournal()
	got := map[int64]bloodhound.Record{}
	keys, err := w.objects.List(w.t.Context(), "", "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range keys {
		body, _, _, err := w.objects.Get(w.t.Context(), k)
		if err != nil {
			w.t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		if accounted[k] != hex.EncodeToString(sum[:]) {
			w.t.Errorf("%s is not what the journal says of it", k)
		}
		for _, r := range sinktest.ReadParquet(w.t, body) {
			if _, twice := got[r.ID]; twice {
				w.t.Errorf("id %d is there twice, again in %s", r.ID, k)
			}
			if day := "dt=" + r.CreatedAt.Format(time.DateOnly) + "/"; !strings.Contains(k, day) {
				w.t.Errorf("id %d of %s is in %s", r.ID, r.CreatedAt, k)
			}
			got[r.ID] = r
		}
	}
	for _, row := range w.server.Rows() {
		if row.CreatedAt.IsZero() || !row.CreatedAt.Before(cursor) {
			continue
		}
		if r, ok := got[row.ID]; !ok {
			w.t.Errorf("id %d created %s visible %s was lost", row.ID, row.CreatedAt, row.VisibleAt)
		} else if !r.CreatedAt.Equal(row.CreatedAt) || r.Action != row.Action || r.Fields != string(row.Fields) {
			w.t.Errorf("id %d is archived as %+v, served as %+v", row.ID, r, row)
		}
		delete(got, row.ID)
	}
	if len(got) > 0 {
		w.t.Errorf("%d records are in the archive that were never served", len(got))
	}
}

// checkJournal verifies that the entries account for all of time without a gap, and returns where they end and the
// newest SHA-256 of each object.
func (w *world) checkJournal() (cursor time.Time, objects map[string]string) {
	objects = map[string]string{}
	for entry, err := range w.journal(w.positions).Entries(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		if !cursor.IsZero() && !entry.Window.Start.Equal(cursor) {
			w.t.Errorf("entry %d starts at %s, the one before ended at %s", entry.Serial, entry.Window.Start, cursor)
		}
		cursor = entry.Cursor
		n := 0
		for _, o := range entry.Objects {
			if _, twice := objects[o.Key]; twice {
				w.t.Errorf("%s is in two entries", o.Key)
			}
			objects[o.Key] = o.SHA256
			n += o.Records
		}
		if n != entry.Records.Fresh || entry.Records.Fresh+entry.Records.Duplicate != entry.Records.Read {
			w.t.Errorf("entry %d: %d records in objects, counts %+v", entry.Serial, n, entry.Records)
		}
	}
	return cursor, objects
}
