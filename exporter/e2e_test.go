package exporter_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

const backlog = 100_000

// month is a world with a month of history, as a first run meets it.
func month(t *testing.T, profile bloodhoundtest.Profile, n int) *world {
	start := time.Date(2026, 9, 10, 0, 0, 0, 0, time.UTC)
	rows := history.Rows(history.Options{
		Seed: 3, N: n, Start: start, End: start.AddDate(0, 0, 30),
	})
	rows = append(rows, placed(history.Corner(), start.AddDate(0, 0, 15), rows[len(rows)-1].ID+1)...)
	w := startWorld(t, 3, profile, start.AddDate(0, 0, 30).Add(time.Hour), rows)
	w.pageSize, w.records = 5000, 50_000
	return w
}

// placed gives rows times and ids of their own, so that they do not clash with a history: only their content matters.
func placed(rows []bloodhoundtest.Row, at time.Time, id int64) []bloodhoundtest.Row {
	rows = slices.DeleteFunc(rows, func(r bloodhoundtest.Row) bool { return r.CreatedAt.IsZero() })
	for i := range rows {
		fraction := time.Duration(rows[i].CreatedAt.Nanosecond()) // the test also covers 0 to 6 digits
		rows[i].ID, rows[i].CreatedAt = id+int64(i), at.Add(time.Duration(i)*time.Second+fraction)
		rows[i].VisibleAt = time.Time{}
	}
	return rows
}

func s3Bucket(t *testing.T, s servers.S3, name, prefix string) *s3.Bucket {
	t.Helper()
	b, err := s3.Open(t.Context(), s3.Options{
		Bucket: name, Prefix: prefix, Endpoint: s.Endpoint, Region: s.Region, PathStyle: true,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A backlog of a month goes to S3 once. Then no row is new. Then new and late rows come in.
func TestBacklogToS3(t *testing.T) {
	s := servers.VersityGW(t)
	servers.CreateBucket(t, s, "audit", false)
	objects, positions := s3Bucket(t, s, "audit", "trail"), s3Bucket(t, s, "audit", "trail/checkpoints")
	w := month(t, bloodhoundtest.V84, backlog)

	run := func() {
		t.Helper()
		if err := w.process(positions, objects).RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run()
	first := w.checkArchive(objects, positions)
	if first.late > 0 {
		t.Errorf("%d records of a complete history are late: windows leave a gap between them", first.late)
	}
	if stats := w.server.Stats(); stats.RowsServed < backlog {
		t.Fatalf("the server served %d rows", stats.RowsServed)
	}
	run()
	again := w.checkArchive(objects, positions)
	if again.objects != first.objects || again.entries > first.entries+1 {
		t.Errorf("a run with nothing new made %d objects of %d and %d entries of %d",
			again.objects, first.objects, again.entries, first.entries)
	}
	w.later()
	run()
	last := w.checkArchive(objects, positions)
	if last.records != first.records+300 || last.late != 50 {
		t.Errorf("%d records after %d, %d of them late; want 300 more, 50 late", last.records, first.records, last.late)
	}
}

// later is an hour in which 250 rows appear. Another 50 rows appear with times shortly before the rows that the stream has
// already read.
func (w *world) later() {
	now, id := w.now(), int64(10_000_000)
	for i := range 250 {
		w.server.Add(bloodhoundtest.Row{
			ID: id + int64(i), CreatedAt: now.Add(time.Duration(i) * 10 * time.Second), Action: "New", Status: "success",
		})
	}
	for i := range 50 {
		w.server.Add(bloodhoundtest.Row{
			ID: id - 100 + int64(i), CreatedAt: now.Add(-settle - time.Duration(i+1)*time.Second),
			VisibleAt: now.Add(time.Minute), Action: "Late", Status: "success",
		})
	}
	w.pass(time.Hour)
}

// The same month by webhook into a real log store: every event id is there once.
func TestBacklogToVictoriaLogs(t *testing.T) {
	siem := servers.VictoriaLogs(t)
	w := month(t, bloodhoundtest.V84, backlog)
	sink, err := webhook.New(webhook.Options{
		URL: siem.URL + "/insert/jsonline?_time_field=created_at&_msg_field=action&_stream_fields=tenant", Tenant: "acme",
	})
	if err != nil {
		t.Fatal(err)
	}
	positions := &checkpointtest.Memory{Now: w.now}
	e := w.process(positions, positions)
	e.Sink = sink
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.later()
	e = w.process(positions, positions)
	e.Sink = sink
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, row := range w.server.Rows() {
		if !row.CreatedAt.IsZero() && len(row.Fields) < 200<<10 { // that receiver drops longer lines, and says 200
			want++
		}
	}
	get(t, siem.URL+"/internal/force_flush")
	answer := get(t, siem.URL+"/select/logsql/query?query="+url.QueryEscape("* | stats count() n, count_uniq(event_id) u"))
	var got struct {
		N string `json:"n"`
		U string `json:"u"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	if fmt.Sprint(want) != got.N || got.N != got.U {
		t.Errorf("%s events, %s ids; want %d of each", got.N, got.U, want)
	}
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(bufio.NewReader(res.Body))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v %s", address, res.Status, err, body)
	}
	return body
}

// Every generation of servers gives the same rows, and so does a server that follows the documentation to the letter.
func TestProfilesGiveTheSameArchive(t *testing.T) {
	var want map[int64]record.Record
	for _, profile := range bloodhoundtest.Profiles {
		w := month(t, profile, 5000)
		w.pageSize, w.records = 400, 2000
		if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
			t.Fatalf("%s: %v", profile, err)
		}
		got := map[int64]record.Record{}
		for _, r := range w.archived(w.objects) {
			if !strings.HasPrefix(r.Action, "GET/api") && r.Action != "GET/health" { // pr3049 audits our own requests
				got[r.ID] = r
			}
		}
		if want == nil {
			want = got
		}
		if len(got) < 5000 {
			t.Errorf("%s: %d records", profile, len(got))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs from %s:\n%.2000s", profile, bloodhoundtest.Profiles[0], diff)
		}
	}
}

// If two runners start at the same time, one of them works. The other one names it.
func TestTwoRunners(t *testing.T) {
	stores := map[string]func(t *testing.T) bucket.Bucket{
		"directory": func(t *testing.T) bucket.Bucket {
			b, err := dir.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		"s3": func(t *testing.T) bucket.Bucket {
			s := servers.VersityGW(t)
			servers.CreateBucket(t, s, "audit", false)
			return s3Bucket(t, s, "audit", "")
		},
	}
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		t.Run(name, func(t *testing.T) {
			w := month(t, bloodhoundtest.V84, 500)
			positions := stores[name](t)
			reached, proceed := make(chan struct{}), make(chan struct{})
			w.server.Fault(faults.Next(1, faults.Before(func() { close(reached); <-proceed })))
			first := make(chan error, 1)
			go func() { first <- w.process(positions, w.objects).RunOnce(context.WithoutCancel(t.Context())) }()
			<-reached
			err := w.process(positions, w.objects).RunOnce(t.Context())
			if !isLeaseHeld(err) || !strings.Contains(fmt.Sprint(err), "pid") {
				t.Errorf("the second runner says %v", err)
			}
			close(proceed)
			if err := <-first; err != nil {
				t.Errorf("the first runner says %v", err)
			}
			w.checkArchive(w.objects, positions)
		})
	}
}

// A new stream knows from the server's count how long its first window should be: about a page. It does not guess: to cut or to
// grow a wrong window costs requests.
func TestFirstWindow(t *testing.T) {
	for name, test := range map[string]struct {
		profile  bloodhoundtest.Profile
		page     int
		from, to int // records of the first window
	}{
		"all in a page":            {bloodhoundtest.V84, 5000, 3000, 4000},
		"a page of many":           {bloodhoundtest.V84, 500, 250, 750},
		"a server without a count": {bloodhoundtest.Documented, 5000, 0, 250}, // a day, or none yet
	} {
		t.Run(name, func(t *testing.T) {
			w := month(t, test.profile, 3000)
			w.pageSize = test.page
			w.run()
			if read := w.entries()[0].Records.Read; read < test.from || read > test.to {
				t.Errorf("the first window has %d records, want %d to %d", read, test.from, test.to)
			}
		})
	}
}
