package rest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// firstRate is how many requests a second a client begins with if Options.Rate is 0.
	firstRate = rate.Limit(5)
	// mostRate is the largest rate that it tries: the server allows 55, and others ask it too.
	mostRate = rate.Limit(40)
	// If an answer takes slowAnswer or longer, the client takes the server for busy.
	slowAnswer = time.Second
)

// A throttle limits the requests a second. If the user gives no rate, the rate rises while answers come fast. If an answer is
// slow or fails, the rate falls at once. So the client reads a backlog fast, and does not load a busy server.
type throttle struct {
	limiter *rate.Limiter
	fixed   bool

	mu   sync.Mutex
	most rate.Limit // lower than the rate that the server refused
}

func newThrottle(given float64) *throttle {
	if given > 0 {
		return &throttle{limiter: rate.NewLimiter(rate.Limit(given), 1), fixed: true}
	}
	return &throttle{limiter: rate.NewLimiter(firstRate, 1), most: mostRate}
}

func (t *throttle) wait(ctx context.Context) error { return t.limiter.Wait(ctx) }

// learn changes the rate after a request.
func (t *throttle) learn(status int, err error, took time.Duration) {
	if t.fixed || errors.Is(err, context.Canceled) { // a request that the caller gave up shows nothing
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.limiter.Limit()
	switch {
	case status == http.StatusTooManyRequests:
		t.most = max(firstRate, now*3/4)
		t.limiter.SetLimit(firstRate)
	case err != nil || status >= http.StatusInternalServerError || took > slowAnswer:
		t.limiter.SetLimit(firstRate)
	default:
		t.limiter.SetLimit(min(now*3/2, t.most))
	}
}
