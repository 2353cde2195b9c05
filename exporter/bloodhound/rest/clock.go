package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// freshClock is how long the client trusts a Date. Clocks drift only a little. But if an operator sets the server's clock back,
// an earlier reading is ahead of it.
const freshClock = time.Minute

// guessMargin is how far an estimate stays behind the expected time: Date is cut to the second, and two clocks do not run
// alike.
const guessMargin = 2 * time.Second

// A Reading is the server's clock and our own, at one moment.
type Reading struct {
	Server time.Time // by the Date header of a reply, in UTC; zero if it had none
	Local  time.Time // our clock
}

// A clock keeps the latest reading.
//
// The server cut Date to the second, and wrote it before the reply arrived. A cache can only have made it older. So the clock
// is never ahead of the server's time. Between replies, it runs on with the local monotonic clock. It believes any Date: the
// caller judges whether the server's clock is right.
type clock struct {
	mu   sync.Mutex
	last Reading
}

// learn reads the Date header.
func (k *clock) learn(h http.Header) Reading {
	at := time.Now()
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return Reading{Local: at}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = Reading{date.UTC(), at}
	return k.last
}

// carry returns the latest reading plus the time that has passed since then, and also that time. heard is false before the
// first reply.
func (k *clock) carry() (now Reading, age time.Duration, heard bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now.Local = time.Now()
	if k.last.Local.IsZero() {
		return now, 0, false
	}
	age = now.Local.Sub(k.last.Local)
	now.Server = k.last.Server.Add(age)
	return now, age, true
}

var errNoDate = errors.New("the reply has no Date header, and without the server's clock no window can be cut: " +
	"let the proxy in front of it pass the header on")

// Clock reads the server's clock and our own. The server's is at most a second or two late, and never early. If no reply is
// recent enough, it asks GET /health, which needs no credentials. It takes the Date of any reply, even of an error.
func (c *Client) Clock(ctx context.Context) (Reading, error) {
	if r, age, heard := c.clock.carry(); heard && age >= 0 && age <= freshClock {
		return r, nil
	}
	var told Reading
	err := c.Retry(ctx, func(ctx context.Context) error {
		r, err := c.newRequest(ctx, http.MethodGet, "/health", nil)
		if err != nil {
			return err
		}
		a, err := c.roundTrip(r, c.UpTo(OrdinaryBody))
		if err != nil {
			return err
		}
		defer a.body.Release()
		if told = a.clock; told.Server.IsZero() {
			return fmt.Errorf("GET /health on %s: %w", r.URL.Host, errNoDate)
		}
		return nil
	})
	if err != nil {
		return Reading{}, fmt.Errorf("ask for the server's time: %w", err)
	}
	return told, nil
}

// Guess estimates the answer of Clock without a request: it adds the time that has passed to the latest reading, even if that
// is old. Before the first reply, it uses this machine's clock for the server's. Its Server should be a little late. Only a
// reply can confirm that.
func (c *Client) Guess() Reading {
	r, _, heard := c.clock.carry()
	if !heard {
		r.Server = r.Local.UTC()
	}
	r.Server = r.Server.Add(-guessMargin)
	return r
}
