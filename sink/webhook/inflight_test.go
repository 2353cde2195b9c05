package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// A barrier holds requests until so many are under way. It counts how many were under way at most.
type barrier struct {
	size int

	mu         sync.Mutex
	opened     chan struct{}
	under, max int
}

func newBarrier(size int) *barrier { return &barrier{size: size, opened: make(chan struct{})} }

func (b *barrier) pass(ctx context.Context) {
	b.mu.Lock()
	opened := b.opened
	b.under++
	b.max = max(b.max, b.under)
	if b.under == b.size {
		close(opened)
		b.opened, b.under = make(chan struct{}), 0
	}
	b.mu.Unlock()
	select {
	case <-opened:
	case <-ctx.Done():
	}
}

// The receiver does not answer until as many requests are under way as the setting allows. The sink still delivers all windows, one
// at a time and side by side.
func TestInFlight(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, webhook.DefaultInFlight} {
		for _, windows := range []int{1, 4} {
			t.Run(fmt.Sprintf("%d in %d windows", limit, windows), func(t *testing.T) {
				t.Parallel()
				gate := newBarrier(limit)
				s := newSink(t, webhook.Options{
					InFlight: limit, BatchRecords: 5, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
						gate.pass(r.Context())
						return answer(http.StatusNoContent).response(), nil
					}),
				})
				rs := records(t, 5*2*webhook.DefaultInFlight)
				var all errgroup.Group
				for i := range windows {
					all.Go(func() error {
						receipt, err := sinktest.Write(t.Context(), s, window.Window{Start: start, Pass: uint64(i)}, rs)
						if len(receipt.Objects) != len(rs)/5 {
							return fmt.Errorf("a receipt of %d batches, error %w", len(receipt.Objects), err)
						}
						return nil
					})
				}
				if err := all.Wait(); err != nil {
					t.Fatal(err)
				}
				if gate.max != limit {
					t.Errorf("%d were under way at once, want %d", gate.max, limit)
				}
			})
		}
	}
}

// A turn is the answer to one try at one record.
type turn struct {
	takes  time.Duration
	answer any // as in script
}

// A scripted receiver has turns for each record, by its number from 1. If a record has no turns left, the receiver acknowledges it.
type scripted struct {
	mu    sync.Mutex
	turns map[int][]turn
	sent  []int // records, in the order of their posts
}

func (sc *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	p, err := readPost(r)
	if err != nil {
		return nil, err
	}
	var n int
	if _, err := fmt.Sscanf(string(p.body), `{"event_id":"acme/%d/`, &n); err != nil {
		return nil, err
	}
	sc.mu.Lock()
	sc.sent = append(sc.sent, n)
	now := turn{answer: http.StatusNoContent}
	if left := sc.turns[n]; len(left) > 0 {
		now, sc.turns[n] = left[0], left[1:]
	}
	sc.mu.Unlock()
	select {
	case <-time.After(now.takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	re, err := script(now.answer)(1, p)
	return re.response(), err
}

// After a failure, the sink begins no batch and tries none again. It waits for the answers to batches under way, and does not send
// a batch again if an answer acknowledges it. The error is the one of the first failed batch. But if a receiver asks for a long
// pause, the error says that, even if other batches failed too.
func TestFailureAmidOthers(t *testing.T) {
	t.Parallel()
	later := answer(503, "Retry-After: 3600")
	for name, test := range map[string]struct {
		turns     map[int][]turn
		sent      []int // in the first attempt
		took      time.Duration
		names     int // the record that the error names
		again     []int
		postponed bool
	}{
		"others are awaited": {
			turns: map[int][]turn{1: {{5 * time.Second, 204}}, 2: {{time.Second, 401}}},
			sent:  []int{1, 2}, took: 5 * time.Second, names: 2, again: []int{2, 3, 4},
		},
		"without another try": {
			turns: map[int][]turn{1: {{0, answer(503, "Retry-After: 9")}}, 2: {{time.Second, 401}}},
			sent:  []int{1, 2}, took: time.Second, names: 2, again: []int{1, 2, 3, 4},
		},
		"a place becomes free": {
			turns: map[int][]turn{1: {{5 * time.Second, 401}}, 2: {{time.Second, 204}}, 3: {{3 * time.Second, 204}}, 4: {{2 * time.Second, 204}}},
			sent:  []int{1, 2, 3, 4}, took: 6 * time.Second, names: 1, again: []int{1},
		},
		"the first of two": {
			turns: map[int][]turn{1: {{5 * time.Second, 401}}, 2: {{time.Second, 403}}},
			sent:  []int{1, 2}, took: 5 * time.Second, names: 1, again: []int{1, 2, 3, 4},
		},
		"a pause is not waited for": {
			turns: map[int][]turn{1: {{0, answer(503, "Retry-After: 90")}}, 2: {{2 * time.Second, later}}},
			sent:  []int{1, 2}, took: 2 * time.Second, names: 2, again: []int{1, 2, 3, 4}, postponed: true,
		},
		"a post is awaited": {
			turns: map[int][]turn{1: {{9 * time.Second, 204}}, 2: {{2 * time.Second, later}}},
			sent:  []int{1, 2}, took: 9 * time.Second, names: 2, again: []int{2, 3, 4}, postponed: true,
		},
		"and not repeated": {
			turns: map[int][]turn{1: {{9 * time.Second, 503}}, 2: {{2 * time.Second, later}}},
			sent:  []int{1, 2}, took: 9 * time.Second, names: 2, again: []int{1, 2, 3, 4}, postponed: true,
		},
		"the pause is what counts": {
			turns: map[int][]turn{1: {{time.Second, 401}}, 2: {{2 * time.Second, later}}},
			sent:  []int{1, 2}, took: 2 * time.Second, names: 2, again: []int{1, 2, 3, 4}, postponed: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rs := records(t, 4)
				sc := &scripted{turns: test.turns}
				s := newSink(t, webhook.Options{Transport: sc, InFlight: 2, BatchRecords: 1})
				began := time.Now()
				_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
				if took := time.Since(began); took != test.took {
					t.Errorf("took %s, want %s", took, test.took)
				}
				wants(t, err, fmt.Sprintf("event acme/%d/", test.names),
					fmt.Sprintf("with %d of 4 records delivered", 4-len(test.again)))
				if _, ok := errors.AsType[*webhook.PostponedError](err); ok != test.postponed {
					t.Errorf("postponed: %v, want %v", ok, test.postponed)
				}
				first := len(sc.sent)
				sc.turns = nil
				receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
				if err != nil {
					t.Fatal(err)
				}
				for i, o := range receipt.Objects {
					if o.MinID != rs[i].ID {
						t.Errorf("batch %d of the receipt has record %d", i, o.MinID)
					}
				}
				// If batches begin at the same moment, they may come in any order.
				sent, again := sc.sent[:first], sc.sent[first:]
				slices.Sort(again)
				slices.Sort(sent[:2])
				if !slices.Equal(sent, test.sent) || !slices.Equal(again, test.again) || len(receipt.Objects) != 4 {
					t.Errorf("sent %v, then %v; want %v, then %v", sent, again, test.sent, test.again)
				}
			})
		})
	}
}

// If the receiver has asked for a pause in the meantime, the sink does not send a refused batch in parts.
func TestNoPartsInAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc := &scripted{turns: map[int][]turn{1: {{2 * time.Second, 400}}, 3: {{time.Second, answer(503, "Retry-After: 3600")}}}}
		rs := records(t, 4)
		_, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{Transport: sc, InFlight: 2, BatchRecords: 2}), windowOf(rs), rs)
		wants(t, err, "asks not to be asked before", "with 0 of 4 records delivered")
		if len(sc.sent) != 2 {
			t.Errorf("sent %v", sc.sent)
		}
	})
}

// If the caller gives up, the sink begins no other batch, not even of a window that waits for its turn.
func TestCancelWhileAnotherWindowIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var posts atomic.Int32
		s := newSink(t, webhook.Options{InFlight: 1, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			posts.Add(1)
			return hang(r)
		})})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		rs := records(t, 3)
		var all errgroup.Group
		errs := make([]error, 2)
		for i := range errs {
			all.Go(func() error {
				_, errs[i] = sinktest.Write(ctx, s, window.Window{Start: start, Pass: uint64(i)}, rs)
				return nil
			})
		}
		_ = all.Wait()
		for _, err := range errs {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			wants(t, err, "attempt 1", "with 0 of 3 records delivered")
		}
		if posts.Load() != 1 {
			t.Errorf("%d posts", posts.Load())
		}
	})
}

// The sink learns the limit with each batch: the answers to one batch do not change the cuts of another. The log says once how much
// this costs.
func TestEachBatchIsCutByItself(t *testing.T) {
	t.Parallel()
	rs := records(t, 120)
	limit := len(lines(rs[:10]))
	var cuts [2][]int
	for i, inFlight := range []int{1, 4} {
		whole := 0
		rc := &receiver{answer: func(_ int, p post) (reply, error) {
			if len(p.body) <= limit {
				return answer(http.StatusOK), nil
			}
			if bytes.Count(p.body, []byte("\n")) == 30 {
				whole++
			}
			return answer(http.StatusRequestEntityTooLarge), nil
		}}
		core, logs := observer.New(zap.WarnLevel)
		s := newSink(t, webhook.Options{Transport: rc, InFlight: inFlight, BatchRecords: 30, Log: zap.New(core)})
		receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		if advice := logs.FilterMessageSnippet("HOUNDTRAIL_WEBHOOK_BATCH_BYTES"); advice.Len() != 1 || logs.Len() != 1 {
			t.Errorf("%d lines of advice among %d", advice.Len(), logs.Len())
		}
		if err != nil || whole != 4 {
			t.Fatalf("%d whole batches, error %v", whole, err)
		}
		for _, o := range receipt.Objects {
			cuts[i] = append(cuts[i], o.Records)
		}
	}
	if !slices.Equal(cuts[0], cuts[1]) {
		t.Errorf("parts of %v records, and of %v", cuts[0], cuts[1])
	}
}
