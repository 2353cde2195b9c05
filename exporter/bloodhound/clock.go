package bloodhound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// freshClock is how long a Date is trusted. Clocks drift little, but a server's clock may be set back, and then what
// was learnt before would be ahead of it.
const freshClock = time.Minute

// guessMargin is how far an estimate stays behind: Date is cut to the second, and clocks are not all alike.
const guessMargin = 2 * time.Second

// A Reading is the server's clock as one reply told it.
type Reading struct {
	Server time.Time // the Date header, in UTC; zero where there was none
	Local  time.Time // our clock when it arrived
}

// A clock knows the server's time from the Date header of its latest reply.
//
// Date is cut to the second and was written before the reply arrived, and a cache can only have made it older: what
// comes out is at most the server's time, never ahead of it. Between replies it runs on the local monotonic clock.
type clock struct {
	mu   sync.Mutex
	date time.Time // what the server said
	at   time.Time // when it was heard
}

// learn takes the Date header in.
func (k *clock) learn(h http.Header) Reading {
	at := time.Now()
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return Reading{Local: at}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.date, k.at = date.UTC(), at
	return Reading{k.date, at}
}

// guess carries on what was heard, however long ago; before anything was, it is the local clock.
func (k *clock) guess() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at.IsZero() {
		return time.Now().UTC()
	}
	return k.date.Add(time.Since(k.at))
}

// now is false where nothing was heard for a while.
func (k *clock) now() (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := time.Since(k.at)
	if k.at.IsZero() || age < 0 || age > freshClock {
		return time.Time{}, false
	}
	return k.date.Add(age), true
}

var errNoDate = errors.New("the reply has no Date header, and without the server's clock no window can be cut: " +
	"let the proxy in front of it pass the header on")

// Now is the server's time in UTC: at most a second or two behind, never ahead. Where no reply is recent enough to
// tell, it asks GET /health, which needs no credentials; any reply will do, even an error, if it has a Date.
func (c *Client) Now(ctx context.Context) (time.Time, error) {
	if now, ok := c.clock.now(); ok {
		return now, nil
	}
	var now time.Time
	err := c.retry(ctx, func(ctx context.Context) error {
		r, err := c.newRequest(ctx, http.MethodGet, "/health", nil)
		if err != nil {
			return err
		}
		a, err := c.roundTrip(r)
		if err != nil {
			return err
		}
		defer a.body.release()
		if now = a.clock.Server; now.IsZero() {
			return fmt.Errorf("GET /health on %s: %w", r.URL.Host, errNoDate)
		}
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the server's time: %w", err)
	}
	return now, nil
}

// Estimate is about the server's time, and asks nobody: what was heard last is carried on, and before anything was heard
// this machine's clock is taken for the server's. It is meant to be a little behind, but nothing is certain before a
// reply has confirmed it: see [Batch.Clock].
func (c *Client) Estimate() time.Time { return c.clock.guess().Add(-guessMargin) }
