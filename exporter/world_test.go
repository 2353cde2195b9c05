package exporter_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/budget"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

const (
	settle  = 2 * time.Minute
	overlap = 10 * time.Minute
)

// A world is everything outside the exporter: a BloodHound with a clock and faults, and two stores. Each cycle is a process of
// its own, with its own view of the stores. A test can kill it at any call.
type world struct {
	t       *testing.T
	rand    *rand.Rand
	server  *bloodhoundtest.Server
	http    *httptest.Server
	clock   atomic.Int64 // unix seconds
	session string

	positions, objects *checkpointtest.Memory
	lost               struct { // a commit that is still under way
		key  string
		body []byte
	}
	pageSize, records int
	rescan            time.Duration
	quarantine        bool                 // go on without bad rows
	schedule          exporter.Schedule    // of rescans
	destination       string               // that the journal belongs to
	signing           []ed25519.PrivateKey // that sign; the first one if there are none
}

// daily is due 24 hours after the last time.
type daily struct{}

func (daily) Next(after time.Time) time.Time { return after.Add(24 * time.Hour) }

// startWorld is a world at an instant, with the rows of its past and future.
func startWorld(t *testing.T, seed uint64, profile bloodhoundtest.Profile, now time.Time, rows []bloodhoundtest.Row) *world {
	w := &world{t: t, pageSize: 60, records: 150, schedule: daily{}, destination: "memory://archive"}
	w.clock.Store(now.Unix())
	w.positions, w.objects = &checkpointtest.Memory{Now: w.now}, &checkpointtest.Memory{Now: w.now}
	w.server = bloodhoundtest.New(bloodhoundtest.Options{
		Profile: profile, Now: w.now, Seed: seed, Rows: rows, SessionTTL: 10_000 * time.Hour,
	})
	w.session = w.server.Session("houndtrail") // a signature would need the machine's clock to be the world's
	w.http = httptest.NewServer(w.server)
	t.Cleanup(w.http.Close)
	return w
}

func (w *world) now() time.Time { return time.Unix(w.clock.Load(), 0).UTC() }

func (w *world) pass(d time.Duration) { w.clock.Add(int64(d / time.Second)) }

// process builds one run's exporter over its views of the stores.
func (w *world) process(positions, objects bucket.Bucket) *exporter.Exporter {
	w.t.Helper()
	base, err := url.Parse(w.http.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL: base, Auth: rest.Bearer(func() (string, error) { return w.session, nil }), Rate: 1e6,
			Retry: rest.RetryPolicy{Tries: 2, Initial: time.Millisecond, Max: time.Millisecond, Limited: time.Millisecond},
		},
		PageSize: w.pageSize, Quarantine: w.quarantine,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	sink, err := archive.New(objects, "acme", func() archive.Encoder {
		return parquet.NewEncoder(parquet.Metadata{Tenant: "acme", Version: "test"})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var memory *budget.Share
	if w.records%2 == 1 { // for some there is room for one window at a time
		memory = budget.Split(windowBytes, 1)[0]
	}
	return &exporter.Exporter{
		Source: strict{client}, Sink: sink, Memory: memory, Store: w.journal(positions),
		Windows: window.Planner{Max: 30 * 24 * time.Hour},
		Limits:  bloodhound.Limits{Records: w.records, Bytes: windowBytes},
		Settle:  settle, Overlap: overlap, Log: zap.NewNop(),
		Destination: w.asked(objects, sink.Quarantine),
		VerifyCount: true, Rescan: w.rescan, RescanSchedule: w.schedule, Now: w.now,
	}
}

// asked answers the exporter's questions about the archive's files.
func (w *world) asked(objects bucket.Bucket, quarantine func(context.Context, []byte) (string, string, error)) exporter.Destination {
	return exporter.Destination{
		Quarantine: quarantine,
		Attempt: func(ctx context.Context, win window.Window) (keys []string, err error) {
			all, _, err := read.Objects(ctx, objects, "acme")
			for _, o := range all {
				if o.Of(win.Start, win.Pass) {
					keys = append(keys, o.Key())
				}
			}
			return keys, err
		},
		Recall: func(ctx context.Context, key string, add func(int64, time.Time)) error {
			body, _, _, err := objects.Get(ctx, key)
			for _, r := range sinktest.ReadParquet(w.t, body) {
				add(r.ID, r.CreatedAt)
			}
			return err
		},
	}
}

// windowBytes is more than all pages of a window together have.
const windowBytes = 64 << 20

// strict is a source that guesses no time.
type strict struct {
	exporter.Source
}

// Guess has no idea.
func (strict) Guess() bloodhound.Reading { return bloodhound.Reading{} }

// sign is the option of a journal that the world's keys sign.
func (w *world) sign() checkpoint.Option {
	if len(w.signing) == 0 {
		return checkpoint.Sign(checkpointtest.Key(1))
	}
	return checkpoint.Sign(w.signing...)
}

func (w *world) journal(b bucket.Bucket) *checkpoint.Journal {
	return checkpoint.Open(b, checkpoint.Identity{Tenant: "a", Stream: "archive", Source: w.http.URL, Destination: w.destination},
		w.sign())
}

// tally has the numbers that a check has counted.
type tally struct {
	objects, entries, records, late int
}

// checkArchive verifies that every due row is in the archive exactly once, in its own day's partition, that the archive has no
// other record, and that the journal accounts for every object.
func (w *world) checkArchive(objects, positions bucket.Bucket) tally {
	w.t.Helper()
	n, cursor, accounted := w.checkJournal(positions)
	return w.checkObjects(objects, n, cursor, accounted)
}

// checkObjects is checkArchive for the objects in accounted, by their SHA-256. The rows up to the cursor are due.
func (w *world) checkObjects(objects bucket.Bucket, n tally, cursor time.Time, accounted map[string]string) tally {
	w.t.Helper()
	got := map[int64]record.Record{}
	for key, body := range w.bodies(objects) {
		sum := sha256.Sum256(body)
		if accounted[key] != hex.EncodeToString(sum[:]) {
			w.t.Errorf("%s is not what the journal says of it", key)
		}
		n.objects++
		for _, r := range sinktest.ReadParquet(w.t, body) {
			if _, twice := got[r.ID]; twice {
				w.t.Errorf("id %d is there twice, again in %s", r.ID, key)
			}
			if day := "dt=" + r.CreatedAt.Format(time.DateOnly) + "/"; !strings.Contains(key, day) {
				w.t.Errorf("id %d of %s is in %s", r.ID, r.CreatedAt, key)
			}
			got[r.ID] = r
		}
	}
	n.records = len(got)
	if n.objects != len(accounted) {
		w.t.Errorf("%d objects, and %d in the journal", n.objects, len(accounted))
	}
	for _, row := range w.server.Rows() {
		if row.CreatedAt.IsZero() || !row.CreatedAt.Before(cursor) || bad(row) {
			continue
		}
		if r, ok := got[row.ID]; !ok {
			w.t.Errorf("id %d created %s visible %s was lost", row.ID, row.CreatedAt, row.VisibleAt)
		} else if !r.CreatedAt.Equal(row.CreatedAt) || r.Action != row.Action || r.Fields != fieldsOf(row) {
			w.t.Errorf("id %d is archived as %+v, served as %+v", row.ID, r, row)
		}
		delete(got, row.ID)
	}
	if len(got) > 0 {
		w.t.Errorf("%d records are in the archive that were never served", len(got))
	}
	return n
}

// bad tells that the server cannot return the row's record.
func bad(row bloodhoundtest.Row) bool { return row.Unprintable || row.ID < 1 }

func fieldsOf(row bloodhoundtest.Row) string {
	if string(row.Fields) == "null" {
		return "" // NULL
	}
	return string(row.Fields)
}

// archived is every record in the archive.
func (w *world) archived(objects bucket.Bucket) (records []record.Record) {
	w.t.Helper()
	for _, body := range w.bodies(objects) {
		records = append(records, sinktest.ReadParquet(w.t, body)...)
	}
	return records
}

func (w *world) bodies(objects bucket.Bucket) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		w.t.Helper()
		keys, err := objects.List(w.t.Context(), "audit/", "")
		if err != nil {
			w.t.Fatal(err)
		}
		for _, key := range keys {
			body, _, _, err := objects.Get(w.t.Context(), key)
			if err != nil {
				w.t.Fatal(err)
			}
			if !yield(key, body) {
				return
			}
		}
	}
}

// checkJournal verifies that the entries account for all of time without a gap, and returns their end and the newest SHA-256 of
// each object.
func (w *world) checkJournal(positions bucket.Bucket) (sum tally, cursor time.Time, objects map[string]string) {
	w.t.Helper()
	objects = map[string]string{}
	for entry, err := range w.journal(positions).Entries(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		again := entry.Window.Pass > entry.Epoch
		if !cursor.IsZero() && !entry.Window.Start.Equal(cursor) && !again {
			w.t.Errorf("entry %d starts at %s, the one before ended at %s", entry.Serial, entry.Window.Start, cursor)
		}
		if again && !entry.Cursor.Equal(cursor) {
			w.t.Errorf("entry %d moves the cursor from %s to %s", entry.Serial, cursor, entry.Cursor)
		}
		cursor = entry.Cursor
		sum.entries++
		sum.late += entry.Records.Late
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
	return sum, cursor, objects
}

func isLeaseHeld(err error) bool { return errors.Is(err, checkpoint.ErrLeaseHeld) }
