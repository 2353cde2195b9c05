package rest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// pausesOf runs the operation under the policy and returns the pauses between its calls.
func pausesOf(t *testing.T, policy RetryPolicy, op func(try int) error) (pauses []time.Duration, seen *audience, err error) {
	t.Helper()
	seen = &audience{}
	c := newClient(t, Options{Retry: policy, Observer: seen, Transport: resttest.Tripper(nil)})
	var last time.Time
	tries := 0
	err = c.Retry(t.Context(), func(context.Context) error {
		if tries++; tries > 1 {
			pauses = append(pauses, time.Since(last))
		}
		last = time.Now()
		return op(tries)
	})
	return pauses, seen, err
}

func TestRetryBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pauses, seen, err := pausesOf(t, RetryPolicy{}, func(int) error { return &Error{Kind: Server, Status: 502} })
		resttest.WantText(t, err, "502 Bad Gateway", "gave up after 8 tries in ")
		if e := asError(t, err); e.Kind != Server {
			t.Error(e.Kind)
		}
		want := 500 * time.Millisecond
		for i, p := range pauses {
			if p < want/2 || p > want*3/2 {
				t.Errorf("pause %d is %s, want about %s", i, p, want)
			}
			want = min(2*want, 30*time.Second)
		}
		if len(pauses) != 7 || len(seen.retries) != 7 || seen.retries[0] != "server" {
			t.Errorf("%v %v", pauses, seen.retries)
		}
	})
}

func TestRetryHasJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first []time.Duration
		for range 10 {
			pauses, _, _ := pausesOf(t, RetryPolicy{}, func(int) error {
				return &Error{Kind: RateLimited, RetryAfter: 3 * time.Second}
			})
			first = append(first, pauses[0])
		}
		slices.Sort(first)
		if first[0] < 3*time.Second || len(slices.Compact(first)) < 5 {
			t.Errorf("%v", first)
		}
	})
}

func TestRetryWaitsAsLongAsAsked(t *testing.T) {
	for name, test := range map[string]struct {
		err  *Error
		want time.Duration
	}{
		"429 without a word":  {&Error{Kind: RateLimited}, time.Second},
		"429, less than that": {&Error{Kind: RateLimited, RetryAfter: time.Millisecond}, time.Second},
		"429, more than that": {&Error{Kind: RateLimited, RetryAfter: time.Minute}, time.Minute},
		"503":                 {&Error{Kind: Server, RetryAfter: 20 * time.Second}, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pauses, _, err := pausesOf(t, RetryPolicy{}, func(try int) error {
					if try == 1 {
						return fmt.Errorf("page 3: %w", test.err)
					}
					return nil
				})
				if err != nil || len(pauses) != 1 || pauses[0] < test.want || pauses[0] > test.want+time.Second {
					t.Errorf("%v, want at least %s: %v", pauses, test.want, err)
				}
			})
		})
	}
}

// If a server asks for a longer pause than the policy has left, the client does not come back in this cycle.
func TestRetryDoesNotComeBackEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		pauses, _, err := pausesOf(t, RetryPolicy{}, func(int) error {
			return &Error{Kind: RateLimited, Status: 429, RetryAfter: time.Hour}
		})
		resttest.WantText(t, err, "429", "asks to wait 1h0m0s")
		if len(pauses) != 0 || time.Since(start) != 0 {
			t.Errorf("%v after %s", pauses, time.Since(start))
		}
	})
}

func TestRetryEnds(t *testing.T) {
	odd := errors.New("odd")
	refused := &Error{Kind: Transport, Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}
	for name, test := range map[string]struct {
		policy RetryPolicy
		op     func(try int) error
		tries  int
		ok     bool
	}{
		"at once": {RetryPolicy{}, func(int) error { return nil }, 1, true},
		"after a while": {
			RetryPolicy{},
			func(try int) error { return []error{&Error{Kind: Timeout}, &Error{Kind: Transport}, nil}[try-1] },
			3, true,
		},
		"final": {RetryPolicy{}, func(int) error { return &Error{Kind: Unauthorized} }, 1, false},
		"final after a while": {
			RetryPolicy{},
			func(try int) error { return []error{&Error{Kind: Timeout}, &Error{Kind: Forbidden}}[try-1] },
			2, false,
		},
		"too large":            {RetryPolicy{}, func(int) error { return &Error{Kind: TooLarge} }, 1, false},
		"certificate":          {RetryPolicy{}, func(int) error { return &Error{Kind: Transport, Final: true} }, 1, false},
		"stubborn":             {RetryPolicy{}, func(int) error { return &Error{Kind: NotJSON, stubborn: true} }, 3, false},
		"not an error of ours": {RetryPolicy{}, func(int) error { return odd }, 1, false},
		"another's Retryable": {
			RetryPolicy{Tries: 2}, func(int) error { return fmt.Errorf("x: %w", willing{}) }, 2, false,
		},
		"a server that is down":    {RetryPolicy{}, func(int) error { return refused }, 8, false},
		"down, and a person waits": {RetryPolicy{Interactive: true}, func(int) error { return refused }, 1, false},
		"no such host, and a person waits": {
			RetryPolicy{Interactive: true},
			func(int) error { return &Error{Kind: Transport, stubborn: true, Err: &net.DNSError{IsNotFound: true}} },
			1, false,
		},
		"DNS is slow, and a person waits": {
			RetryPolicy{Interactive: true, Tries: 4},
			func(int) error { return &Error{Kind: Transport, Err: &net.DNSError{IsTimeout: true}} },
			4, false,
		},
		"busy, and a person waits": {RetryPolicy{Interactive: true}, func(int) error { return &Error{Kind: Server} }, 8, false},
		"only once":                {RetryPolicy{Tries: 1}, func(int) error { return &Error{Kind: Server} }, 1, false},
		"out of time": {
			RetryPolicy{Elapsed: time.Minute},
			func(int) error { time.Sleep(25 * time.Second); return &Error{Kind: Timeout} }, 3, false,
		},
		"fast, for simulations": {
			RetryPolicy{Initial: 1, Max: 1, Limited: 1, Tries: 50},
			func(int) error { return &Error{Kind: RateLimited} }, 50, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pauses, seen, err := pausesOf(t, test.policy, test.op)
				if len(pauses)+1 != test.tries || len(seen.retries) != len(pauses) || (err == nil) != test.ok {
					t.Errorf("%d tries, told %v, want %d: %v", len(pauses)+1, seen.retries, test.tries, err)
				}
			})
		})
	}
}

type willing struct{}

func (willing) Error() string   { return "a page that does not add up" }
func (willing) Retryable() bool { return true }

// If a user stops the program during a pause, the error says why it stopped, and has the failure before the pause.
func TestRetryStopsInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		c := newClient(t, Options{Log: zap.New(core), Transport: resttest.Tripper(nil)})
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer cancel()
		err := c.Retry(ctx, func(context.Context) error { return &Error{Kind: RateLimited, Status: 429} })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		resttest.WantText(t, err, "stopped before try 2", "429")
		if n := logs.FilterMessage("request failed, trying again").Len(); n != 1 {
			t.Errorf("%d warnings", n)
		}
	})
}

// Every request passes the limiter, those of retries included.
func TestRateHoldsForEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		c := newClient(t, Options{
			Rate: 2, Retry: RetryPolicy{Initial: 1, Max: 1},
			Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
				times = append(times, time.Now())
				return resttest.Respond(500, ""), nil
			}),
		})
		_ = c.Retry(t.Context(), func(ctx context.Context) error {
			_, err := get(ctx, c, "/api/v2/audit")
			return err
		})
		for i := 1; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap < 499*time.Millisecond {
				t.Errorf("request %d came %s after the one before", i, gap)
			}
		}
		if len(times) != 8 {
			t.Errorf("%d requests", len(times))
		}
	})
}
