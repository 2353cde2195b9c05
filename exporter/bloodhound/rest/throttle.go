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
	// firstRate is how many requests a second a client begins with that has to find out what the server bears.
	firstRate = rate.Limit(5)
	// mostRate is where it stops: the server allows 55, and others ask it too.
	mostRate = rate.Limit(40)
	// slowAnswer is from when on an answer says that the server has enough to do.
	slowAnswer = time.Second
)

// A throttle is how many requests a second there may be. If that is not given it rises while the answers come fast, and falls
// back at once if one is slow or fails: a backlog is read fast, and a busy server is left alone.
type throttle struct {
	limiter *rate.Limiter
	fixed   bool

	mu   sync.Mutex
	most rate.Limit // below the one that the server refused
}

func newThrottle(given float64) *throttle {
	if given > 0 {
		return &throttle{limiter: rate.NewLimiter(rate.Limit(given), 1), fixed: true}
	}
	return &throttle{limiter: rate.NewLimiter(firstRate, 1), most: mostRate}
}

func (t *throttle) wait(ctx context.Context) error { return t.limiter.Wait(ctx) }

// learn takes in what became of a request.
func (t *throttle) learn(status int, err error, took time.Duration) {
	if t.fixed || errors.Is(err, context.Canceled) { // a request that is not needed any more tells nothing
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
