package exporter_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
	"github.com/houndtrail/houndtrail/sink/webhook/taken"
)

// eventIDs finds the event ids in a body of any format.
var eventIDs = regexp.MustCompile(`acme/\d+/\d+`)

// A siem is a receiver of one format that takes each batch whole, and answers as that receiver does when it has the batch. Packages
// receivers and sinktest/servers have stricter ones.
type siem struct {
	format string
	before func(r *http.Request) error // an error stands for a receiver that is down; nil for none
	after  func() error                // an error loses the answer to a batch that it has; nil for none
	taken  *taken.Memory               // of the next sink; nil for none
	flight int                         // batches in flight of the next sink; 0 for the default

	mu    sync.Mutex
	times map[string]int // how often each event came
}

func (s *siem) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.before != nil {
		if err := s.before(r); err != nil {
			return nil, err
		}
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, id := range eventIDs.FindAllString(string(body), -1) {
		ids[id] = true
	}
	s.mu.Lock()
	for id := range ids {
		s.times[id]++
	}
	s.mu.Unlock()
	if s.after != nil {
		if err := s.after(); err != nil {
			return nil, err
		}
	}
	return s.takes(len(ids)), nil
}

// takes is the receiver's answer to a batch that it has.
func (s *siem) takes(records int) *http.Response {
	status, text := http.StatusOK, ""
	switch s.format {
	case format.SplunkHEC:
		text = `{"text":"Success","code":0}`
	case format.ElasticBulk:
		text = `{"errors":false,"items":[` + strings.TrimSuffix(strings.Repeat(`{"create":{"status":201}},`, records), ",") + `]}`
	case format.Datadog:
		status, text = http.StatusAccepted, `{}`
	case format.Sentinel, format.Loki:
		status = http.StatusNoContent
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, ProtoMajor: 1, Body: io.NopCloser(strings.NewReader(text))}
}

func (s *siem) sink(t *testing.T) *webhook.Sink {
	t.Helper()
	sink, err := webhook.New(webhook.Options{
		URL: "https://siem.example/in", Tenant: "acme", Format: s.format, Transport: s, BatchRecords: 20, AllowStale: true, Taken: s.taken,
		InFlight: s.flight,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func newSIEM(name string) *siem { return &siem{format: name, times: map[string]int{}} }

// has checks that the receiver has every row, and nothing else. It returns how many events came again.
func (s *siem) has(t *testing.T, q *quiet, until time.Time) (repeats int) {
	t.Helper()
	rows := 0
	for _, row := range q.server.Rows() {
		if !row.CreatedAt.Before(until) {
			continue
		}
		rows++
		times := s.times[fmt.Sprintf("acme/%d/%d", row.ID, row.CreatedAt.UnixMicro())]
		if times == 0 {
			t.Errorf("the row of %s did not arrive", row.CreatedAt)
		}
		repeats += max(times-1, 0)
	}
	if len(s.times) < rows {
		t.Errorf("%d events arrived, of %d rows", len(s.times), rows)
	}
	return repeats
}

// A receiver that is down for an hour costs lag only, in every format. Meanwhile it refuses connections, answers 503, or does not
// answer. Afterwards it gets each record once. The archive never waits for it.
func TestReceiverDownForAnHour(t *testing.T) {
	t.Parallel()
	const every = 5 * time.Minute
	for _, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := startQuiet(t, bloodhoundtest.Profiles[0])
				began := time.Now()
				down, up, end := began.Add(time.Hour), began.Add(2*time.Hour), began.Add(3*time.Hour)
				for at := began; at.Before(end); at = at.Add(20 * time.Second) {
					q.server.Add(bloodhoundtest.Row{CreatedAt: at, VisibleAt: at, Action: "CreateUser"})
				}
				s, tries := newSIEM(name), 0
				s.before = func(r *http.Request) error {
					if now := time.Now(); now.Before(down) || !now.Before(up) {
						return nil
					}
					s.mu.Lock()
					tries++
					n := tries
					s.mu.Unlock()
					if n%2 == 0 {
						<-r.Context().Done()
						return r.Context().Err()
					}
					return errors.New("connection refused")
				}
				archive, posts := q.stream("archive", whole{newReceiver()}), q.stream("webhook", s.sink(t))
				var both sync.WaitGroup
				both.Go(func() {
					for time.Now().Before(end) {
						at := time.Now()
						archive.cycle(t)
						if took := time.Since(at); took > time.Second {
							t.Errorf("a cycle of the archive took %s", took)
						}
						time.Sleep(every)
					}
				})
				failures, recovered := 0, time.Time{}
				both.Go(func() {
					for time.Now().Before(end) {
						tick := time.Now().Add(every)
						if err := posts.RunOnce(t.Context()); err != nil {
							failures++
							if now := time.Now(); now.Before(down) || now.After(up.Add(every)) {
								t.Error(err)
							}
						} else if recovered.IsZero() && time.Now().After(up) {
							recovered = time.Now()
						}
						time.Sleep(max(0, time.Until(tick)))
					}
				})
				both.Wait()
				if lag := recovered.Sub(up); failures == 0 || recovered.IsZero() || lag > 2*every {
					t.Errorf("%d cycles failed, and the stream was back %s after the receiver", failures, lag)
				}
				entries := posts.entries(t)
				if repeats := s.has(t, q, entries[len(entries)-1].Cursor); repeats > 0 {
					t.Errorf("%d events came twice", repeats)
				}
				if lag := end.Sub(entries[len(entries)-1].Cursor); lag > every+settle {
					t.Errorf("at the end, the stream is %s behind", lag)
				}
			})
		})
	}
}
