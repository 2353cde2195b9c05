package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// write sends one batch of two records to the receiver. It returns the error, and how long the delivery took.
func write(ctx context.Context, t *testing.T, rc *receiver, o webhook.Options) (time.Duration, error) {
	t.Helper()
	o.Transport = rc
	rs := records(t, 2)
	began := time.Now()
	receipt, err := sinktest.Write(ctx, newSink(t, o), windowOf(rs), rs)
	if (err == nil) != (len(receipt.Objects) > 0) {
		t.Errorf("error %v with a receipt of %d objects", err, len(receipt.Objects))
	}
	return time.Since(began), err
}

func TestRetries(t *testing.T) {
	t.Parallel()
	const firstLeast, firstMost = 250 * time.Millisecond, 750 * time.Millisecond // half a second, plus or minus a half
	synced := start.Format(http.TimeFormat)
	after := func(d time.Duration) string { return "Retry-After: " + start.Add(d).Format(http.TimeFormat) }
	tests := map[string]struct {
		script   []any
		attempts int
		least    time.Duration // of the waits between the attempts
		most     time.Duration
		fails    bool
	}{
		"at once":                 {script: []any{200}, attempts: 1},
		"created":                 {script: []any{201}, attempts: 1},
		"any other 2xx":           {script: []any{299}, attempts: 1},
		"timeout of the receiver": {script: []any{408, 200}, attempts: 2, least: firstLeast, most: firstMost},
		"too many requests":       {script: []any{429, 200}, attempts: 2, least: firstLeast, most: firstMost},
		"server errors": {
			script: []any{500, 502, 503, 504, 599, 200}, attempts: 6,
			least: 7750 * time.Millisecond, most: 23250 * time.Millisecond,
		},
		"broken connection": {
			script: []any{errBroken, errBroken, 200}, attempts: 3,
			least: 750 * time.Millisecond, most: 2250 * time.Millisecond,
		},
		"Retry-After in seconds": {
			script: []any{answer(429, "Retry-After: 7"), 200}, attempts: 2, least: 7 * time.Second, most: 7 * time.Second,
		},
		"Retry-After as a date, by the receiver's clock": {
			script: []any{answer(503, "Date: "+synced, after(20*time.Second)), 200}, attempts: 2,
			least: 20 * time.Second, most: 20 * time.Second,
		},
		"Retry-After is obeyed within the patience": {
			script: []any{answer(503, "Retry-After: 100"), answer(429, "Date: "+synced, after(2*time.Minute)), 200}, attempts: 3,
			least: 220 * time.Second, most: 220 * time.Second,
		},
		"Retry-After in the past leaves it to the back-off": {
			script: []any{answer(503, "Date: "+synced, after(-time.Hour)), 200}, attempts: 2,
			least: firstLeast, most: firstMost,
		},
		"Retry-After that says nothing": {
			script:   []any{answer(503, "Retry-After: soon"), answer(503, "Retry-After: -5"), answer(503, "Retry-After: 0"), 200},
			attempts: 4, least: 1750 * time.Millisecond, most: 5250 * time.Millisecond,
		},
		"one record is unreadable": {script: []any{400, 400}, attempts: 2, fails: true}, // two records, then one
		"every record is readable": {script: []any{422, 200, 200}, attempts: 3},
		"no credentials is final":  {script: []any{401}, attempts: 1, fails: true},
		"Retry-After changes no final answer": {
			script: []any{answer(403, "Retry-After: 5")}, attempts: 1, fails: true,
		},
		"redirect is final":       {script: []any{307}, attempts: 1, fails: true},
		"not modified is final":   {script: []any{304}, attempts: 1, fails: true},
		"one record is too large": {script: []any{413, 413}, attempts: 2, fails: true}, // two records, then one
		"final after a retry":     {script: []any{503, 404}, attempts: 2, least: firstLeast, most: firstMost, fails: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rc := &receiver{answer: script(test.script...)}
				took, err := write(t.Context(), t, rc, webhook.Options{})
				if (err != nil) != test.fails {
					t.Errorf("error %v", err)
				}
				if len(rc.posts) != test.attempts {
					t.Errorf("%d attempts, want %d", len(rc.posts), test.attempts)
				}
				if took < test.least || took > test.most {
					t.Errorf("waited %s, want %s to %s", took, test.least, test.most)
				}
				for _, p := range rc.posts[1:] {
					if !slices.Contains([]any{400, 413, 422}, test.script[0]) && string(p.body) != string(rc.posts[0].body) {
						t.Error("an attempt sent another body than the first")
					}
				}
			})
		})
	}
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rc := &receiver{answer: script(errBroken, 503)}
		took, err := write(t.Context(), t, rc, webhook.Options{})
		if took > webhook.DefaultRetryFor || took < webhook.DefaultRetryFor-time.Minute {
			t.Errorf("gave up after %s", took)
		}
		if n := len(rc.posts); n < 10 || n > 30 {
			t.Errorf("%d attempts", n)
		}
		var status *webhook.StatusError
		if !errors.As(err, &status) || status.Status != 503 {
			t.Errorf("error %v does not say what the receiver answered", err)
		}
		wants(t, err, fmt.Sprintf("gave up after %d attempts", len(rc.posts)), "503 Service Unavailable",
			"sends the batch again", "https://siem.example/insert/jsonline",
			"window from 2026-03-01T00:00:00Z", "with 0 of 2 records delivered")
		for i := 2; i < len(rc.posts); i++ {
			if wait := rc.posts[i].at.Sub(rc.posts[i-1].at); wait > 45*time.Second {
				t.Errorf("waited %s between two attempts", wait)
			}
		}
	})
}

func TestSingleAttempt(t *testing.T) {
	t.Parallel()
	rc := &receiver{answer: script(errBroken)}
	_, err := write(t.Context(), t, rc, webhook.Options{RetryFor: 1})
	if len(rc.posts) != 1 || !errors.Is(err, errBroken) {
		t.Errorf("%d attempts, error %v", len(rc.posts), err)
	}
}

func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("SIGTERM"))
		defer cancel()
		rc := &receiver{answer: script(answer(503, "Retry-After: 30"))}
		took, err := write(ctx, t, rc, webhook.Options{})
		if took != 10*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended after %s with %v", took, err)
		}
		wants(t, err, "stopped in attempt 1")
	})
}

func TestCancelWhileSending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		s := newSink(t, webhook.Options{Transport: roundTrip(hang)})
		began, rs := time.Now(), records(t, 1)
		_, err := sinktest.Write(ctx, s, windowOf(rs), rs)
		if took := time.Since(began); took != 3*time.Second || !errors.Is(err, context.Canceled) {
			t.Errorf("ended after %s with %v", took, err)
		}
	})
}

// hang never answers.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// If a receiver does not answer, the error says so, and does not look like the caller's deadline.
func TestRequestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		s := newSink(t, webhook.Options{
			Timeout: 4 * time.Second, RetryFor: 20 * time.Second,
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) { attempts++; return hang(r) }),
		})
		began, rs := time.Now(), records(t, 1)
		_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		if took := time.Since(began); took < 16*time.Second || took > 24*time.Second || attempts < 3 {
			t.Errorf("ended after %s and %d attempts", took, attempts)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is taken for the caller's deadline", err)
		}
		wants(t, err, "no answer within 4s")
	})
}

// If a receiver refuses the credentials, it gets newer ones at once, if there are any. This happens once in each attempt.
func TestAuthorizationIsReadAgainAfterARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			answers []any
			posts   int
			fails   bool
		}{
			"accepted then": {[]any{401, 200}, 2, false}, "refused again": {[]any{403, 401, 200}, 2, true},
			"refused after a retry": {[]any{401, 503, 401, 200}, 4, false},
		} {
			rc, n := &receiver{answer: script(test.answers...)}, 0
			began := time.Now()
			_, err := write(t.Context(), t, rc, webhook.Options{Authorization: func() (string, error) {
				n++
				return fmt.Sprintf("Bearer %d", n), nil
			}})
			if (err != nil) != test.fails || len(rc.posts) != test.posts {
				t.Errorf("%s: %d posts, and %v", name, len(rc.posts), err)
			}
			if first, second := rc.posts[0], rc.posts[1]; second.header.Get("Authorization") == first.header.Get("Authorization") ||
				second.at != began || second.header.Get("Idempotency-Key") != first.header.Get("Idempotency-Key") {
				t.Errorf("%s: the second post came at %s with %v", name, second.at.Sub(began), second.header)
			}
		}
		rc := &receiver{answer: script(401, 200)}
		_, err := write(t.Context(), t, rc, webhook.Options{Authorization: func() (string, error) { return "Bearer same", nil }})
		if err == nil || len(rc.posts) != 1 {
			t.Errorf("the same credentials were tried %d times: %v", len(rc.posts), err)
		}
	})
}

func TestObserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []webhook.Attempt
		rc := &receiver{answer: script(503, errBroken, 200)}
		_, err := write(t.Context(), t, rc, webhook.Options{
			Compression: ndjson.None, Observe: func(a webhook.Attempt) { seen = append(seen, a) },
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{503, 0, 200} {
			a := seen[i]
			if a.Number != i+1 || a.Status != want || a.Records != 2 || a.Bytes != len(rc.posts[0].body) ||
				a.Batch != rc.posts[i].header.Get("Idempotency-Key") || (a.Err == nil) != (want == 200) {
				t.Errorf("attempt %+v", a)
			}
		}
		if len(seen) != 3 {
			t.Errorf("%d attempts seen", len(seen))
		}
	})
}

// wants checks that an error has each of the parts.
func wants(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}
