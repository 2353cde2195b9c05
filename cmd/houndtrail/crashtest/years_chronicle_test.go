package crashtest

import (
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// oneDay is in hours and not in a calendar's days: all days are in UTC.
const oneDay = 24 * time.Hour

// A chronicle is the BloodHound of a tenant, whose days pass when the test says so, and the runs that export its log.
type chronicle struct {
	t      *testing.T
	tenant string
	*runs

	server *bloodhoundtest.Server
	http   *httptest.Server
	clock  atomic.Pointer[time.Time]
	served []bloodhoundtest.Row // all rows so far, also those that a restored database has lost
	rand   *rand.Rand
}

// newChronicle is a BloodHound with an empty log.
func newChronicle(t *testing.T, p *place, tenant, positions, key string, at time.Time) *chronicle {
	t.Helper()
	c := &chronicle{t: t, tenant: tenant, rand: rand.New(rand.NewPCG(*seed, 5))}
	c.clock.Store(&at)
	c.server = bloodhoundtest.New(bloodhoundtest.Options{
		Now: func() time.Time { return *c.clock.Load() }, Seed: *seed, SessionTTL: 100_000 * time.Hour,
	})
	c.runs = newRuns(t, append([]string{
		"HOUNDTRAIL_BLOODHOUND_JWT=" + c.server.Session("houndtrail"),
		"HOUNDTRAIL_BLOODHOUND_RATE=1000",
		"HOUNDTRAIL_TENANT=" + tenant,
		"HOUNDTRAIL_ARCHIVE_URL=" + p.url + "/archive",
		"HOUNDTRAIL_CHECKPOINT_URL=" + p.url + "/" + positions,
		"HOUNDTRAIL_SIGNING_KEY_FILE=" + key,
		"HOUNDTRAIL_LOG_FORMAT=json",
	}, p.environ...))
	c.moveServer()
	return c
}

// with are runs with further settings, which have the last word.
func (c *chronicle) with(more ...string) *runs {
	r := *c.runs
	r.environ = append(append([]string{}, c.environ...), more...)
	return &r
}

// moveServer gives BloodHound another address.
func (c *chronicle) moveServer() {
	if c.http != nil {
		c.http.CloseClientConnections()
		c.http.Close()
	}
	c.http = httptest.NewServer(c.server)
	c.t.Cleanup(c.http.Close)
	c.environ = append(c.environ, "HOUNDTRAIL_BLOODHOUND_URL="+c.http.URL)
}

// write adds n rows of the time from start to before end to the log. Some become visible late, at the worst at the last moment at
// which houndtrail still promises to find them.
func (c *chronicle) write(n int, start, end time.Time, firstID int64) {
	const settle, overlap, rescan = 2 * time.Minute, 10 * time.Minute, 24 * time.Hour // houndtrail's defaults
	rows := history.Rows(history.Options{
		Seed: c.rand.Uint64(), N: n, Start: start, End: end.Add(-time.Microsecond), FirstID: firstID,
	})
	for i := range rows {
		row := &rows[i]
		switch at := row.CreatedAt; c.rand.IntN(50) {
		case 0:
			row.VisibleAt = at.Add(time.Duration(c.rand.Int64N(int64(settle + overlap))))
		case 1:
			row.VisibleAt = at.Add(time.Duration(c.rand.Int64N(int64(settle + rescan))))
		}
	}
	c.server.Add(rows...)
	c.served = append(c.served, rows...)
}

// steady adds a row each 30 seconds.
func (c *chronicle) steady(start, end time.Time, firstID int64) {
	const every = 30 * time.Second
	rows := history.Rows(history.Options{
		Seed: c.rand.Uint64(), N: int(end.Sub(start) / every), Start: start, End: end, FirstID: firstID,
	})
	for i := range rows {
		rows[i].CreatedAt, rows[i].VisibleAt = start.Add(time.Duration(i)*every), time.Time{}
	}
	c.server.Add(rows...)
	c.served = append(c.served, rows...)
}

// restore takes the log back to an instant, as a backup does. It returns the id that the log gives out next. The last run was at the
// time read: what it did not see of the rows that are lost, no run can see.
func (c *chronicle) restore(to, read time.Time) (next int64) {
	var kept, seen []bloodhoundtest.Row
	for _, row := range c.served {
		if row.CreatedAt.Before(to) {
			kept = append(kept, row)
			next = max(next, row.ID+1)
		} else if row.VisibleAt.After(read) {
			continue
		}
		seen = append(seen, row)
	}
	c.served = seen
	c.server.Restore(kept...)
	return next
}

// nextID is the id that a log which was never restored gives out next.
func (c *chronicle) nextID() (next int64) {
	for _, row := range c.server.Rows() {
		next = max(next, row.ID+1)
	}
	return next
}

// readsAfter is how long after a midnight a run reads the day before: houndtrail waits so long for rows that are late.
const readsAfter = 2 * time.Minute

// untilMidnight lets the time pass to a midnight, and a little more, by which houndtrail takes in all of the day before.
func (c *chronicle) untilMidnight(at time.Time) {
	at = at.Add(readsAfter)
	c.clock.Store(&at)
}

// records are the records that the archive has to have.
func (c *chronicle) records() []record.Record {
	all := make([]record.Record, len(c.served))
	for i := range c.served {
		all[i] = recordOf(&c.served[i])
	}
	return all
}

// partitions is the folder of the tenant's objects.
func (c *chronicle) partitions(p *place) string {
	return filepath.Join(p.root, "archive", "audit", "tenant="+c.tenant)
}
