package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/receivers"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// everyFive is one request in 5 seconds.
func everyFive() *rate.Limiter { return rate.NewLimiter(rate.Every(5*time.Second), 1) }

// A pace notes when requests come.
type pace struct {
	serve roundTrip

	mu    sync.Mutex
	times []time.Time
}

func (p *pace) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.times = append(p.times, time.Now())
	p.mu.Unlock()
	return p.serve(r)
}

// always answers each request with these statuses, one after the other, and then with the last one.
func always(statuses ...int) roundTrip {
	var mu sync.Mutex
	return func(*http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		status := statuses[0]
		statuses = statuses[min(1, len(statuses)-1):]
		return answer(status).response(), nil
	}
}

// keeps checks that so many requests came, and none earlier than the limit allows.
func (p *pace) keeps(t *testing.T, requests int) {
	t.Helper()
	if len(p.times) != requests {
		t.Errorf("%d requests came, want %d", len(p.times), requests)
	}
	slices.SortFunc(p.times, time.Time.Compare)
	for i := 1; i < len(p.times); i++ {
		if gap := p.times[i].Sub(p.times[i-1]); gap < 5*time.Second-time.Millisecond {
			t.Errorf("request %d came %s after the previous one, want 5s", i+1, gap)
		}
	}
}

// Batches side by side, further attempts, events, and the posts of another sink of the process all keep one limit.
func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, limit := &pace{serve: always(503, 503, 204)}, everyFive()
		o := webhook.Options{Transport: p, Limiter: limit, InFlight: 4, BatchRecords: 1}
		rs := records(t, 8)
		var all sync.WaitGroup
		for range 2 {
			s := newSink(t, o)
			all.Go(func() {
				if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
					t.Error(err)
				}
				if err := s.Tell(t.Context(), []byte(`{"type":"x"}`)); err != nil {
					t.Error(err)
				}
			})
		}
		began := time.Now()
		all.Wait()
		p.keeps(t, 2*8+2+2)
		if took := time.Since(began); took > 100*time.Second {
			t.Errorf("20 requests took %s: the limit allows 95s", took)
		}
	})
}

// A question for an acknowledgement is a request like a post.
func TestRateOfAcknowledgements(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := receivers.NewHEC(receivers.HECOptions{Token: hecToken, Acks: true})
		p := &pace{serve: receivers.Direct(h).RoundTrip}
		s := newSink(t, webhook.Options{
			URL: "https://hec.example:8088", Format: format.SplunkHEC, Transport: p, Limiter: everyFive(), BatchRecords: 1,
			HEC:           format.HECOptions{Sourcetype: "bloodhound:audit", Ack: true},
			Authorization: func() (string, error) { return "Splunk " + hecToken, nil },
		})
		rs := records(t, 3)
		if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		p.keeps(t, max(6, len(p.times)))
	})
}

// The patience for a batch begins with its first post, however long it has waited for its turn.
func TestRateLeavesPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pace{serve: always(204, 503, 204)}
		s := newSink(t, webhook.Options{Transport: p, Limiter: everyFive(), InFlight: 1, BatchRecords: 1, RetryFor: 2 * time.Second})
		rs := records(t, 2)
		if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		p.keeps(t, 3)
	})
}

// A batch that waits for its turn stops at once: when the run is told to stop, and when another batch has failed for good.
func TestRateStops(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"told to stop": 204, "another batch has failed": 404} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &pace{serve: func(*http.Request) (*http.Response, error) {
					time.Sleep(time.Second)
					return answer(status).response(), nil
				}}
				s := newSink(t, webhook.Options{Transport: p, Limiter: everyFive(), InFlight: 8, BatchRecords: 1})
				rs := records(t, 8)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if status == 204 {
					time.AfterFunc(time.Second+time.Millisecond, cancel)
				}
				began := time.Now()
				_, err := sinktest.Write(ctx, s, windowOf(rs), rs)
				if took := time.Since(began); err == nil || took > 2*time.Second {
					t.Errorf("the write took %s and returned %v", took, err)
				}
				if stopped := errors.Is(err, context.Canceled); stopped != (status == 204) {
					t.Errorf("error %v", err)
				}
				p.keeps(t, 1)
			})
		})
	}
}
