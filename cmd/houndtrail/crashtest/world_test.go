package crashtest

import (
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

const (
	tenant = "acme"
	settle = 10 * time.Minute
	// overlap is two seconds of ours. The API's Date header, in whole seconds, holds houndtrail back by less. So many late rows
	// appear after houndtrail has already read their time.
	overlap = 4 * time.Hour
	// rescan is four seconds of ours, and the search for even later rows begins every three.
	rescan      = 8 * time.Hour
	rescanEvery = 6 * time.Hour
	// speed is how fast the double's clock runs: two of its hours in a second, so that days pass in a test.
	speed = 2 * 60 * 60
	// rowsPerSecond is how many rows appear in one of our seconds.
	rowsPerSecond = 400
	// lead is how far ahead of the clock the writer adds rows: half a second of ours. If the machine holds the writer up for
	// longer, the clock waits for it.
	lead = time.Hour
)

// A world is a BloodHound whose log grows, and a log store.
type world struct {
	t      *testing.T
	server *bloodhoundtest.Server
	http   *httptest.Server
	siem   servers.Logs
	jwt    string

	api, webhook string // addresses as houndtrail has them

	start, began time.Time                 // the start by the double's clock, and by ours
	end          atomic.Pointer[time.Time] // the time at which that clock stands still; nil while it runs
	newest       atomic.Int64              // created_at of the newest row that the server has, in Unix microseconds

	// Of the writer.
	rand *rand.Rand
	text []bloodhoundtest.Row // the contents of rows
	thin float64              // how many times fewer rows than usual come
	last bloodhoundtest.Row
	stop func()
}

// newWorld is a world with some history, which is the backlog of a first run.
func newWorld(t *testing.T, seed uint64, backlog time.Duration) *world {
	return newThinWorld(t, seed, backlog, 1)
}

// newThinWorld is newWorld with so many times fewer rows in the history, so that it can have many days.
func newThinWorld(t *testing.T, seed uint64, backlog time.Duration, thin float64) *world {
	w := &world{
		t: t, thin: thin, siem: servers.VictoriaLogs(t), rand: rand.New(rand.NewPCG(seed, 0)),
		text:  history.Rows(history.Options{Seed: seed, N: 3000}),
		start: time.Date(2024, 2, 26, 0, 0, 0, 0, time.UTC), began: time.Now(),
	}
	w.last.CreatedAt = w.start.Add(-backlog)
	var rows []bloodhoundtest.Row
	for w.last.CreatedAt.Before(w.start.Add(lead)) {
		rows = append(rows, w.next())
	}
	w.thin = 1
	w.newest.Store(w.last.CreatedAt.UnixMicro())
	w.server = bloodhoundtest.New(bloodhoundtest.Options{Now: w.now, Seed: seed, Rows: rows, SessionTTL: 100_000 * time.Hour})
	w.jwt = w.server.Session("houndtrail") // a signature would need our clock
	w.http = httptest.NewServer(w.server)
	w.api, w.webhook = w.http.URL, w.siem.URL+ingest
	t.Cleanup(func() {
		w.http.CloseClientConnections()
		w.http.Close()
	})
	w.write()
	return w
}

// now is the double's clock. It never reaches a row that the server does not have yet. If the machine held up such a row, the row
// would appear later than houndtrail promises to look for it. Then the test would call it lost.
func (w *world) now() time.Time {
	if end := w.end.Load(); end != nil {
		return *end
	}
	now, written := w.schedule(), time.UnixMicro(w.newest.Load()).UTC()
	if now.Before(written) {
		return now
	}
	return written.Add(-time.Microsecond) // the next row may share the instant of the newest one
}

// schedule is the time that the double's clock should have.
func (w *world) schedule() time.Time { return w.start.Add(time.Since(w.began) * speed) }

// next is one more row of the log. Some share their instant with the previous row. Some become visible late, at the worst at
// the last moment at which houndtrail still promises to find them.
func (w *world) next() bloodhoundtest.Row {
	const gap = float64(speed*time.Second) / rowsPerSecond
	id := w.last.ID + 1
	at := w.last.CreatedAt
	if w.rand.IntN(8) > 0 {
		at = at.Add(time.Duration(gap * w.thin * w.rand.ExpFloat64() * 8 / 7)).Truncate(time.Microsecond)
	}
	w.last = w.text[id%int64(len(w.text))]
	w.last.ID, w.last.CreatedAt, w.last.VisibleAt = id, at, time.Time{}
	switch w.rand.IntN(40) {
	case 0:
		w.last.VisibleAt = at.Add(settle + overlap)
	case 1:
		w.last.VisibleAt = at.Add(settle + rescan)
	case 2, 3, 4:
		w.last.VisibleAt = at.Add(time.Duration(w.rand.Int64N(int64(settle + overlap))))
	case 5:
		w.last.VisibleAt = at.Add(time.Duration(w.rand.Int64N(int64(settle + rescan))))
	}
	return w.last
}

// write adds rows to the log until finish, ahead of the clock: the double serves each when its time has come.
func (w *world) write() {
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			for now := w.schedule(); w.last.CreatedAt.Before(now.Add(lead)); {
				w.server.Add(w.next())
				w.newest.Store(w.last.CreatedAt.UnixMicro())
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	w.stop = sync.OnceFunc(func() { close(done); writer.Wait() })
	w.t.Cleanup(func() { w.stop() })
}

// finish ends the writing and stops the clock at an instant when every row can be read.
func (w *world) finish() {
	w.stop()
	end := w.last.CreatedAt.Add(2 * (settle + rescan))
	w.end.Store(&end)
}

// environ is the configuration of houndtrail in these tests: both streams, with small windows and pages, so that there are many
// moments for a kill.
func (w *world) environ(p *place, more ...string) []string {
	return append([]string{
		"HOUNDTRAIL_BLOODHOUND_URL=" + w.api,
		"HOUNDTRAIL_BLOODHOUND_JWT=" + w.jwt,
		"HOUNDTRAIL_BLOODHOUND_RATE=1000",
		"HOUNDTRAIL_BLOODHOUND_PAGE_SIZE=80",
		"HOUNDTRAIL_TENANT=" + tenant,
		"HOUNDTRAIL_ARCHIVE_URL=" + p.url + "/archive",
		"HOUNDTRAIL_CHECKPOINT_URL=" + p.url + "/positions",
		"HOUNDTRAIL_WEBHOOK_URL=" + w.webhook,
		"HOUNDTRAIL_WEBHOOK_BATCH_RECORDS=30",
		"HOUNDTRAIL_SETTLE=" + settle.String(),
		"HOUNDTRAIL_OVERLAP=" + overlap.String(),
		"HOUNDTRAIL_RESCAN=" + rescan.String(),
		"HOUNDTRAIL_RESCAN_SCHEDULE=@every " + rescanEvery.String(),
		"HOUNDTRAIL_WINDOW_RECORDS=50",
		"HOUNDTRAIL_SCHEDULE=@every 1s",
		"HOUNDTRAIL_LISTEN=off",
		"HOUNDTRAIL_LOG_FORMAT=json",
	}, append(p.environ, more...)...)
}

// ingest is the path at which VictoriaLogs takes records.
const ingest = "/insert/jsonline?_time_field=created_at&_msg_field=action&_stream_fields=tenant"
