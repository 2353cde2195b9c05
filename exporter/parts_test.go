package exporter_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

const (
	crowdPage    = 40
	crowdRecords = 100 // the most that a window may hold
)

// crowded is a log with one instant of very many rows, and some before and after it, as a first run meets it.
func crowded(t *testing.T, n int) (w *world, instant time.Time) {
	t.Helper()
	start := time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC)
	instant = start.Add(time.Hour)
	var rows []bloodhoundtest.Row
	add := func(n int, at time.Time, step time.Duration) {
		for range n {
			rows = append(rows, bloodhoundtest.Row{ID: int64(3 * (len(rows) + 1)), CreatedAt: at, Action: "Import", Status: "success"})
			at = at.Add(step)
		}
	}
	add(60, start, time.Minute)
	add(n, instant, 0)
	add(60, instant.Add(time.Microsecond), time.Second)
	w = startWorld(t, 1, bloodhoundtest.V84, instant.Add(5*time.Minute), rows)
	w.pageSize, w.records = crowdPage, crowdRecords
	return w, instant
}

// archiving is a process of the world that asks the archive for the objects that an attempt has left, as the program does.
func (w *world) archiving(positions, objects bucket.Bucket) *exporter.Exporter {
	e := w.process(positions, objects)
	e.Destination.Attempt = func(ctx context.Context, of window.Window) (keys []string, err error) {
		all, _, err := read.Objects(ctx, objects, "acme")
		for _, o := range all {
			if o.Of(of.Start, of.Pass) {
				keys = append(keys, o.Key())
			}
		}
		return keys, err
	}
	return e
}

// A meter is a source that says how many records the exporter held at a time.
type meter struct {
	exporter.Source
	most atomic.Int64
}

func (m *meter) held(n int) {
	for most := m.most.Load(); int64(n) > most && !m.most.CompareAndSwap(most, int64(n)); most = m.most.Load() {
	}
}

func (m *meter) Fetch(
	ctx context.Context, after, before time.Time, limits bloodhound.Limits, count ...time.Time,
) (bloodhound.Batch, error) {
	b, err := m.Source.Fetch(ctx, after, before, limits, count...)
	if err == nil && b.Wait() == nil {
		m.held(len(b.Records()))
	}
	return b, err
}

func (m *meter) FetchParts(
	ctx context.Context, after, before time.Time, limits bloodhound.Limits, use func([]record.Record) error, count ...time.Time,
) (bloodhound.Batch, error) {
	return m.Source.FetchParts(ctx, after, before, limits, func(records []record.Record) error {
		m.held(len(records))
		return use(records)
	}, count...)
}

// If one instant has more rows, the exporter still never holds more records at a time. This is so when the rows are new, and
// when it reads them again. One entry commits the window.
func TestCrowdedInstantIsTakenInParts(t *testing.T) {
	w, instant := crowded(t, 50*crowdRecords)
	var m *meter
	for cycle := range 3 {
		e := w.archiving(w.positions, w.objects)
		m = &meter{Source: e.Source}
		e.Source = m
		if err := e.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.checkArchive(w.objects, w.positions)
		// The window, as many records from before it, and the pages at both ends.
		if most := m.most.Load(); most > 2*crowdRecords+2*crowdPage {
			t.Errorf("cycle %d: %d records are held at a time, of %d that a window may have", cycle, most, crowdRecords)
		}
		w.server.Add(bloodhoundtest.Row{ID: int64(1_000_000 + cycle), CreatedAt: w.now().Add(-time.Minute), Action: "New"})
		w.server.Add(bloodhoundtest.Row{ID: int64(2_000_000 + cycle), CreatedAt: instant, Action: "Late"})
		w.pass(3 * time.Minute)
	}
	entries := 0
	for _, entry := range w.entries() {
		if entry.Window.Start.Equal(instant) && entry.Window.End.Equal(instant.Add(time.Microsecond)) {
			entries++
			if n := len(entry.Objects); n < 35 || entry.Records.Fresh != 50*crowdRecords || entry.ServerCount.Status != checkpoint.CountExact {
				t.Errorf("the entry of the instant has %d objects, counts %+v and %+v", n, entry.Records, entry.ServerCount)
			}
		}
	}
	if entries != 1 {
		t.Errorf("%d entries are of the instant", entries)
	}
}

// If an attempt ends between two parts, it leaves the parts before. The next attempt may cut elsewhere, since rows may have
// come in or memory may have grown meanwhile. Then each record is in one object, and each object is in the entry.
func TestPartsAreGoneOnFrom(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world, instant time.Time){
		"the same":      func(*world, time.Time) {},
		"other pages":   func(w *world, _ time.Time) { w.pageSize, w.records = 17, 60 },
		"larger memory": func(w *world, _ time.Time) { w.records = 5000 },
		"late rows": func(w *world, instant time.Time) {
			for i := range 150 {
				w.server.Add(bloodhoundtest.Row{ID: int64(6*i + 1), CreatedAt: instant, Action: "Late"})
			}
		},
	} {
		for _, at := range []int64{2, 9} {
			for _, fault := range []checkpointtest.Fault{{Before: errStorm}, {After: errStorm}} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					w, instant := crowded(t, 12*crowdRecords)
					objects := checkpointtest.NewFaulty(w.objects)
					var puts atomic.Int64
					objects.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
						if op == checkpointtest.Put && strings.Contains(key, ".part") && puts.Add(1) == at {
							return fault
						}
						return checkpointtest.Fault{}
					})
					if err := w.archiving(w.positions, objects).RunOnce(t.Context()); !errors.Is(err, errStorm) {
						t.Fatalf("the first attempt says %v", err)
					}
					meanwhile(w, instant)
					if err := w.archiving(w.positions, w.objects).RunOnce(t.Context()); err != nil {
						t.Fatal(err)
					}
					w.checkArchive(w.objects, w.positions)
				})
			}
		}
	}
}

// When an attempt dies, its objects that are under way may arrive at any later time. They never lie beside the objects of the
// next attempt. This is also true if the memory has changed, and only one of the two attempts takes the window in parts.
func TestPartThatArrivesLate(t *testing.T) {
	const much, ofInstant = 5000, "20261012T010000.000000Z"
	twin, instant := crowded(t, 12*crowdRecords)
	twin.records = much
	twin.run()
	var whole string // the object of the instant if it fits
	for _, o := range twin.entries() {
		if w := o.Window; w.Start.Before(instant) && w.End.After(instant) {
			whole = o.Objects[0].Key
		}
	}
	for name, test := range map[string]struct {
		before, after int    // the most that a window may hold
		lost          string // the end of the object's key
	}{
		"the first part":                      {crowdRecords, crowdRecords, ofInstant + ".parquet"},
		"the second part":                     {crowdRecords, crowdRecords, ofInstant + ".part2.parquet"},
		"the first part, then it fits":        {crowdRecords, much, ofInstant + ".parquet"},
		"the second part, then it fits":       {crowdRecords, much, ofInstant + ".part2.parquet"},
		"the ninth part, then it fits":        {crowdRecords, much, ofInstant + ".part9.parquet"},
		"all of it, and then it does not fit": {much, crowdRecords, strings.TrimPrefix(whole, "audit/")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := crowded(t, 12*crowdRecords)
			w.records = test.before
			if err := w.archiving(w.positions, losing{w.objects, w, test.lost}).RunOnce(t.Context()); !errors.Is(err, errStorm) {
				t.Fatalf("the first attempt says %v", err)
			}
			w.records = test.after
			if err := w.archiving(w.positions, w.objects).RunOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.objects.Put(t.Context(), w.lost.key, w.lost.body, ""); err == nil {
				t.Errorf("%s of the first attempt lies in the archive now", w.lost.key)
			}
			w.checkArchive(w.objects, w.positions)
		})
	}
}

// If an attempt has written a record that the server no longer returns, the next attempt commits nothing.
func TestPartsThatDoNotComeAgain(t *testing.T) {
	w, instant := crowded(t, 8*crowdRecords)
	objects := checkpointtest.NewFaulty(w.objects)
	objects.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		if op == checkpointtest.Put && strings.Contains(key, ".part5") {
			return checkpointtest.Fault{Before: errStorm}
		}
		return checkpointtest.Fault{}
	})
	if err := w.archiving(w.positions, objects).RunOnce(t.Context()); !errors.Is(err, errStorm) {
		t.Fatal(err)
	}
	rows := w.server.Rows()
	var highest bloodhoundtest.Row // of the instant: the first part has it
	for _, row := range rows {
		if row.CreatedAt.Equal(instant) && row.ID > highest.ID {
			highest = row
		}
	}
	w.server.Delete(highest.ID)
	err := w.archiving(w.positions, w.objects).RunOnce(t.Context())
	if err == nil || !strings.Contains(err.Error(), "did not come again") {
		t.Errorf("the second attempt says %v", err)
	}
	w.server.Restore(rows...)
	if err := w.archiving(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.checkArchive(w.objects, w.positions)
}

// The receiver gets a window in batches of its parts. After a failure it gets only the batches that it has not acknowledged.
func TestCrowdedInstantToWebhook(t *testing.T) {
	w, instant := crowded(t, 20*crowdRecords)
	got, posts, down := map[int64]int{}, 0, true
	siem := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if posts++; down && posts > 40 {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		for lines := json.NewDecoder(r.Body); ; {
			var line struct {
				ID int64 `json:"id"`
			}
			if lines.Decode(&line) != nil {
				return
			}
			got[line.ID]++
		}
	}))
	t.Cleanup(siem.Close)
	sink, err := webhook.New(webhook.Options{
		URL: siem.URL, Tenant: "acme", BatchRecords: 30, InFlight: 1, RetryFor: 1, Compression: ndjson.None,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := w.process(w.positions, w.objects)
	m := &meter{Source: e.Source}
	e.Sink, e.Source, e.Destination = sink, m, exporter.Destination{}
	if err := e.RunOnce(t.Context()); err == nil {
		t.Fatal("nothing failed")
	}
	down = false
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, cursor, _ := w.checkJournal(w.positions)
	for _, row := range w.server.Rows() {
		// Some records were written behind a window in parts, but not committed with it. These records come again.
		if times := got[row.ID]; row.CreatedAt.Before(cursor) && times != 1 && (times == 0 || !row.CreatedAt.After(instant)) {
			t.Errorf("id %d of %s was received %d times", row.ID, row.CreatedAt, times)
		}
	}
	if most := m.most.Load(); most > 2*crowdRecords+2*crowdPage {
		t.Errorf("%d records are held at a time, of %d that a window may have", most, crowdRecords)
	}
}

// A log changes between the two readings of a window. If a record has gone by then, no entry counts it. If a record has come
// in, the next look back finds it.
func TestLogThatChangesBetweenTheReadings(t *testing.T) {
	w, instant := crowded(t, 8*crowdRecords)
	rows := w.server.Rows()
	var gone bloodhoundtest.Row
	for _, row := range rows {
		if row.CreatedAt.Equal(instant) {
			gone = row
		}
	}
	e := w.archiving(w.positions, w.objects)
	e.Source = &changing{Source: e.Source, between: func() { w.server.Delete(gone.ID) }}
	if err := e.RunOnce(t.Context()); err != nil { // this reads the window once more
		t.Fatal(err)
	}
	w.checkArchive(w.objects, w.positions)
	w.server.Restore(rows...)
	e = w.archiving(w.positions, w.objects)
	e.Source = &changing{Source: e.Source, between: func() {
		for i := range 150 {
			w.server.Add(bloodhoundtest.Row{ID: int64(6*i + 1), CreatedAt: instant, Action: "Late"})
		}
	}}
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.archiving(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	if err := w.archiving(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.checkArchive(w.objects, w.positions)
}

// A changing source changes before the exporter reads a span in parts for the second time.
type changing struct {
	exporter.Source
	reads   int
	between func()
}

func (c *changing) FetchParts(
	ctx context.Context, after, before time.Time, limits bloodhound.Limits, use func([]record.Record) error, count ...time.Time,
) (bloodhound.Batch, error) {
	if c.reads++; c.reads == 2 {
		c.between()
	}
	return c.Source.FetchParts(ctx, after, before, limits, use, count...)
}
