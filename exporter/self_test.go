package exporter_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A quiet is a server that only our own requests use. It runs in a bubble of time: days pass in an instant, and both sides have
// the same clock.
type quiet struct {
	t       *testing.T
	server  *bloodhoundtest.Server
	client  *bloodhound.Client
	skew    time.Duration // of the server's clock, from now on
	undated bool          // replies come without a Date

	pageSize int           // 0 for the default
	latency  time.Duration // of each request
	last     int           // the number of requests at the last call of requests
}

const quietToken = "0a6d3f2e-5b1c-4e8f-9a7d-1c2b3d4e5f60"

func startQuiet(t *testing.T, profile bloodhoundtest.Profile) *quiet {
	t.Helper()
	start := time.Date(2026, 10, 12, 9, 0, 0, 0, time.UTC)
	time.Sleep(time.Until(start)) // a bubble's clock starts in the year 2000
	q := &quiet{t: t}
	q.server = bloodhoundtest.New(bloodhoundtest.Options{
		Profile: profile, Now: func() time.Time { return time.Now().Add(q.skew) }, Seed: 5, Tokens: map[string]string{quietToken: "key"},
		Rows: history.Rows(history.Options{Seed: 5, N: 50, Start: start.AddDate(0, 0, -3), End: start.Add(-time.Hour)}),
	})
	q.client = q.newClient()
	return q
}

func (q *quiet) newClient() *bloodhound.Client {
	q.t.Helper()
	client, err := bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL:  &url.URL{Scheme: "https", Host: "tenant.example"},
			Auth: rest.Token(quietToken, func() (string, error) { return "key", nil }), Transport: q, Rate: 100,
		},
		PageSize: q.pageSize,
	})
	if err != nil {
		q.t.Fatal(err)
	}
	return client
}

// RoundTrip serves a request without a network, since a bubble cannot wait for a network.
func (q *quiet) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(q.latency)
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.RemoteAddr = "192.0.2.1:1234"
	answer := httptest.NewRecorder()
	q.server.ServeHTTP(answer, r)
	res := answer.Result()
	if q.undated {
		res.Header.Del("Date")
	}
	return res, nil
}

func (q *quiet) stream(name string, sink exporter.Sink) *quietStream {
	store := checkpoint.Open(&checkpointtest.Memory{Now: time.Now, Locks: true},
		checkpoint.Identity{Tenant: "a", Stream: name, Source: "https://tenant.example", Destination: "test://" + name})
	return &quietStream{store, &exporter.Exporter{
		Source: q.client, Sink: sink, Store: store,
		Windows: window.Planner{Max: 30 * 24 * time.Hour}, Limits: bloodhound.Limits{Records: 1000},
		Settle: settle, Overlap: overlap, Log: zap.NewNop(),
	}}
}

// requests returns the targets since its last call, without their queries.
func (q *quiet) requests() (paths []string) {
	all := q.server.Requests()
	for _, r := range all[q.last:] {
		path, _, _ := strings.Cut(r.Target, "?")
		paths = append(paths, path)
	}
	q.last = len(all)
	return paths
}

type quietStream struct {
	journal *checkpoint.Journal
	*exporter.Exporter
}

// entries is the journal.
func (s *quietStream) entries(t *testing.T) (all []checkpoint.Stored) {
	t.Helper()
	for entry, err := range s.journal.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry)
	}
	return all
}

func (s *quietStream) cycle(t *testing.T) {
	t.Helper()
	if err := s.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A receiver keeps the records that it got.
type receiver struct {
	mu      sync.Mutex
	actions map[int64]string // by id
}

func newReceiver() *receiver { return &receiver{actions: map[int64]string{}} }

func (r *receiver) take(records []record.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range records {
		r.actions[records[i].ID] = records[i].Action
	}
	return nil
}

// All day no user does anything. Each cycle needs one request, on every generation of servers. If the server audits that
// request, its record is nothing new: there is one entry an hour, as on every server. In the end the archive has every row.
func TestIdleDay(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		t.Run(string(profile), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := startQuiet(t, profile)
				got := newReceiver()
				s := q.stream("archive", whole{got})
				for range 14 { // the history; then the first of our own rows, and an hour to commit those of the start
					s.cycle(t)
					time.Sleep(5 * time.Minute)
				}
				warm := len(s.entries(t))
				q.requests()
				looks := 0
				for range day / (5 * time.Minute) {
					s.cycle(t)
					paths := q.requests()
					if profile == bloodhoundtest.Documented && len(paths) == 2 {
						paths = paths[1:] // its envelope does not tell a page with one record from a cut one
					}
					if len(paths) != 1 || paths[0] != bloodhound.AuditPath {
						if looks++; looks > 4 { // less and less often, the stream looks for both ends of the log
							t.Fatalf("an idle cycle asked for %v", paths)
						}
					}
					time.Sleep(5 * time.Minute)
				}
				entries := s.entries(t)
				if n := len(entries) - warm; n < 22 || n > 24 {
					t.Errorf("%d journal entries in an idle day", n)
				}
				q.account(entries[warm:], profile == bloodhoundtest.PR3049)
				// A user does something: the next cycle commits it, with our own rows around it.
				q.server.Add(bloodhoundtest.Row{CreatedAt: time.Now(), Action: "CreateUser"})
				time.Sleep(5 * time.Minute)
				s.cycle(t)
				after := s.entries(t)
				if last := after[len(after)-1]; len(after) != len(entries)+1 || last.Records.News() != 1 {
					t.Errorf("%d entries after %d, the last with %+v", len(after), len(entries), last.Records)
				}
				q.complete(got, after[len(after)-1].Cursor, false)
			})
		})
	}
}

// account holds the counts of idle entries.
func (q *quiet) account(entries []checkpoint.Stored, audited bool) {
	q.t.Helper()
	for _, e := range entries {
		n := e.Records
		if n.Fresh+n.Duplicate+n.Excluded != n.Read || n.News() != 0 || (n.Self > 0) != audited {
			q.t.Errorf("entry %d of an idle hour counts %+v", e.Serial, n)
		}
		if audited && (n.Self < 20 || n.Self > 32) { // two rows for each of twelve requests, and for the looks for the oldest record
			q.t.Errorf("entry %d has %d rows of our own", e.Serial, n.Self)
		}
	}
}

// complete verifies that the stream delivered each row up to the cursor. If the stream excludes our own rows, those are
// missing.
func (q *quiet) complete(got *receiver, cursor time.Time, excluded bool) {
	q.t.Helper()
	want := 0
	for _, row := range q.server.Rows() {
		if !row.CreatedAt.Before(cursor) || excluded && strings.HasPrefix(row.Action, "GET/api/v2/") && row.ActorName == "houndtrail" {
			continue
		}
		want++
		if action, ok := got.actions[row.ID]; !ok || action != row.Action {
			q.t.Errorf("row %d %s was delivered as %q", row.ID, row.Action, action)
		}
	}
	if len(got.actions) != want {
		q.t.Errorf("%d rows were delivered, want %d", len(got.actions), want)
	}
}

// If one stream leaves out our own rows, it still counts them, and the other stream has them.
func TestExcludeSelf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuiet(t, bloodhoundtest.PR3049)
		everything, news := newReceiver(), newReceiver()
		archive, siem := q.stream("archive", whole{everything}), q.stream("webhook", whole{news})
		siem.ExcludeSelf = true
		stranger := bloodhoundtest.Row{ActorID: "another", ActorName: "user", Action: "GET/api/v2/audit"}
		for i := range 30 {
			archive.cycle(t)
			siem.cycle(t)
			if i%10 == 0 {
				stranger.CreatedAt = time.Now()
				q.server.Add(stranger, bloodhoundtest.Row{CreatedAt: time.Now(), VisibleAt: time.Now().Add(3 * time.Minute), Action: "Late"})
			}
			time.Sleep(5 * time.Minute)
		}
		var total checkpoint.Counts
		entries := siem.entries(t)
		for _, e := range entries {
			n := e.Records
			if n.Fresh+n.Duplicate+n.Excluded != n.Read || n.Excluded != n.Self {
				t.Errorf("entry %d counts %+v", e.Serial, n)
			}
			total.Fresh += n.Fresh
			total.Excluded += n.Excluded
		}
		if total.Fresh != len(news.actions) || total.Excluded < 50 {
			t.Errorf("the entries count %+v, %d were delivered", total, len(news.actions))
		}
		q.complete(news, entries[len(entries)-1].Cursor, true)
		entries = archive.entries(t)
		q.complete(everything, entries[len(entries)-1].Cursor, false)
		selves := 0
		for _, path := range q.requests() {
			if path == "/api/v2/self" {
				selves++
			}
		}
		if selves != 1 {
			t.Errorf("asked %d times who we are", selves)
		}
	})
}
