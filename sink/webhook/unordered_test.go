package webhook_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// A moody receiver answers in any order and in any way, with two exceptions: it always refuses a batch that is too large, and a
// batch with an unreadable record. It checks the promises of the sink post by post.
type moody struct {
	seed    uint64
	largest int
	limit   int // of posts at a time

	mu      sync.Mutex
	odds    int // of a failure, in a hundred
	bad     map[string]bool
	tries   map[string]uint64 // by batch id
	under   int
	got     map[string]string // the batch in which the receiver acknowledged an event
	came    map[string]string // the batch in which an event came last, if the receiver did not refuse it
	batches map[string]int    // by batch id: how many events an acknowledged batch has
	broken  string            // the first promise that the sink did not keep
}

func (m *moody) breaks(format string, args ...any) {
	if m.broken == "" {
		m.broken = fmt.Sprintf(format, args...)
	}
}

func (m *moody) RoundTrip(r *http.Request) (*http.Response, error) {
	p, err := readPost(r)
	if err != nil {
		return nil, err
	}
	id := p.header.Get("Idempotency-Key")
	takes, status := m.take(id, p.body)
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
		status = 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.under--
	events := eventsOf(p.body)
	switch status {
	case 0: // it may have taken the batch or not, and no answer comes
		return nil, errBroken
	case http.StatusNoContent:
		m.batches[id] = len(events)
		for _, e := range events {
			m.got[e] = id
		}
	case -1:
		return answer(http.StatusServiceUnavailable, "Retry-After: 3600").response(), nil
	}
	return answer(status).response(), nil
}

// take begins a post. It decides the answer, and when the answer comes.
func (m *moody) take(id string, body []byte) (takes time.Duration, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries[id]++
	if m.under++; m.under > m.limit {
		m.breaks("%d posts at a time", m.under)
	}
	number, err := strconv.ParseUint(id[:16], 16, 64)
	if err != nil {
		m.breaks("batch id %s: %v", id, err)
	}
	dice := rand.New(rand.NewPCG(m.seed, number+m.tries[id]))
	status = http.StatusNoContent
	if dice.IntN(100) < m.odds {
		status = []int{0, 0, 500, 503, 429, -1, 401}[dice.IntN(7)]
	}
	refused := len(body) > m.largest && bytes.Count(body, []byte("\n")) > 1
	if refused {
		status = http.StatusRequestEntityTooLarge
	}
	for _, e := range eventsOf(body) {
		if m.bad[e] && !refused {
			status, refused = http.StatusBadRequest, true
		}
	}
	for _, e := range eventsOf(body) {
		if m.got[e] != "" {
			m.breaks("%s comes in batch %s after it was acknowledged in %s", e, id, m.got[e])
		}
		if !refused && m.came[e] != "" && m.came[e] != id {
			m.breaks("%s comes in batch %s after it came in %s, which was not refused", e, id, m.came[e])
		}
		if !refused {
			m.came[e] = id
		}
	}
	return time.Duration(dice.IntN(5000)) * time.Millisecond, status
}

func eventsOf(body []byte) (ids []string) {
	for line := range bytes.Lines(body) {
		id, _, _ := strings.Cut(strings.TrimPrefix(string(line), `{"event_id":"`), `"`)
		ids = append(ids, id)
	}
	return ids
}

// The answers come in any order, and any post may fail, in windows side by side, and in one attempt after another. A receipt has
// only acknowledged records, each once and in order. No record comes again after its acknowledgement. If a record was neither
// refused nor acknowledged, it comes again in the same batch.
func TestUnorderedAnswers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &moody{
			seed: rapid.Uint64().Draw(rt, "seed"), largest: rapid.IntRange(300, 3000).Draw(rt, "receiver's limit"),
			limit: rapid.IntRange(1, 8).Draw(rt, "in flight"), bad: map[string]bool{}, tries: map[string]uint64{},
			got: map[string]string{}, came: map[string]string{}, batches: map[string]int{},
		}
		o := webhook.Options{
			Transport: m, InFlight: m.limit, RetryFor: 20 * time.Second, BatchRecords: rapid.IntRange(1, 9).Draw(rt, "records"),
			BatchBytes: rapid.IntRange(500, 3000).Draw(rt, "bytes"),
		}
		windows := make([][]record.Record, rapid.IntRange(1, 3).Draw(rt, "windows"))
		for i := range windows {
			windows[i] = drawRecords(rt)
			for j := range windows[i] {
				windows[i][j].ID += int64(10_000 * i)
				windows[i][j].Raw = fmt.Sprintf(`{"id":%d,"fields":%s}`, windows[i][j].ID, windows[i][j].Fields)
			}
			if n := len(windows[i]); n > 0 && rapid.IntRange(0, 3).Draw(rt, "unreadable") == 0 {
				m.bad[eventsOf(lines(windows[i][n/2 : n/2+1]))[0]] = true
			}
		}
		m.odds = rapid.IntRange(0, 60).Draw(rt, "odds")
		odds := m.odds
		synctest.Test(t, func(t *testing.T) {
			s := newSink(t, o)
			var all sync.WaitGroup
			for i, rs := range windows {
				all.Go(func() { m.untilDelivered(t.Context(), s, window.Window{Start: start, Pass: uint64(i)}, rs, odds) })
			}
			all.Wait()
		})
		if m.broken != "" {
			rt.Fatal(m.broken)
		}
	})
}

// untilDelivered makes attempts at a window. The receiver's odds get better, and the caller gives up some of the attempts.
func (m *moody) untilDelivered(ctx context.Context, s *webhook.Sink, w window.Window, rs []record.Record, odds int) {
	const attempts = 8
	for attempt := range attempts {
		m.mu.Lock()
		m.odds = min(m.odds, odds*(attempts-1-attempt)/attempts)
		if attempt == attempts-2 { // people have mended the unreadable record, so the receiver no longer refuses a batch with it
			for _, e := range eventsOf(lines(rs)) {
				delete(m.bad, e)
				delete(m.came, e)
			}
		}
		m.mu.Unlock()
		patient, cancel := context.WithCancel(ctx)
		if attempt%3 == 1 && attempt < attempts-1 {
			time.AfterFunc(time.Duration(m.seed%20)*time.Second, cancel)
		}
		receipt, err := sinktest.Write(patient, s, w, rs)
		cancel()
		if m.account(rs, receipt, err); err == nil {
			return
		}
		time.Sleep(time.Minute)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.breaks("not delivered in %d attempts", attempts)
}

// account checks that a receipt has the acknowledged records, each once and in order. If there is an error, the receipt must be
// empty.
func (m *moody) account(rs []record.Record, receipt checkpoint.Receipt, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range receipt.Objects {
		id := strings.TrimPrefix(o.Key, "batch/")
		if n, ok := m.batches[id]; !ok || n != o.Records || n > len(rs) {
			m.breaks("the receipt has %s with %d records; %d were acknowledged, and %d are left", o.Key, o.Records, n, len(rs))
			return
		}
		for _, e := range eventsOf(lines(rs[:o.Records])) {
			if m.got[e] != id {
				m.breaks("%s was acknowledged in batch %q, and the receipt has %s in its place", e, m.got[e], id)
			}
		}
		rs = rs[o.Records:]
	}
	switch {
	case err != nil && len(receipt.Objects) > 0:
		m.breaks("a receipt beside the error %v", err)
	case err == nil && len(rs) > 0:
		m.breaks("%d records are not in the receipt", len(rs))
	}
}
