package bloodhound

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// narrow finds an instant with a row over which the server breaks down, given a query over whose page it did so, that skips
// nothing. It asks for one half of what is left at a time: a half that is answered is good, and then it is the other one. That
// takes 37 requests for a day and 42 for a month, and one more for each breakdown, to see that the server is up.
//
// The halves are the newer and the older one by turns, so that the row cannot well be in the wrong one each time. The limit
// is that of the page: what is in it is among the first so many rows of any half, too.
func (c *Client) narrow(ctx context.Context, q Query) (time.Time, error) {
	after, before := q.After, q.Before
	for newer := true; after.Before(before); newer = !newer {
		middle := between(after, before)
		half := q
		half.After, half.Before = after, middle
		if newer {
			half.After, half.Before = middle.Add(grain), before
		}
		good, err := c.answers(ctx, half)
		if err != nil {
			return time.Time{}, err
		}
		if good == newer {
			before = middle
		} else {
			after = middle.Add(grain)
		}
	}
	return after, nil
}

// between is the instant in the middle, to the microsecond: a Duration ends at 292 years.
func between(after, before time.Time) time.Time {
	from := after.UnixMicro()
	return time.UnixMicro(from + (before.UnixMicro()-from)/2).UTC()
}

// answers tells whether the server has an answer to the query, or breaks down over a row of it.
func (c *Client) answers(ctx context.Context, q Query) (bool, error) {
	if len(q.Filters) == 0 {
		q.Filters = countingFrom(q.After)
	}
	r, err := c.ask(ctx, &q, 1, c.options.MaxPage, c.shorter(&q))
	if refusal(err) != nil {
		return false, nil //nolint:nilerr // that is the answer
	}
	if ofPage(err, rest.TooLarge) {
		return true, nil // it has printed more than is wanted
	}
	if err == nil {
		r.Body.Release()
	}
	return err == nil, err
}

const (
	// serverLimit is how many records a server takes that is not told a limit.
	serverLimit = 1000
	// serverSpan is how far back a server looks that is not told from when on, and a day.
	serverSpan = 366 * 24 * time.Hour
)

// blame is the error that names a row over which the server breaks down when it is asked for the page; nil if it breaks down
// over none of its rows any more.
func (c *Client) blame(ctx context.Context, q Query, cause error) error {
	c.log.Warn("the server breaks down over the page: looking for a row that it cannot print", zap.Error(cause))
	if !q.Bounded {
		q.Before = cmp.Or(q.Before, c.Guess().Server.Add(time.Minute))
		q.After = cmp.Or(q.After, q.Before.Add(-serverSpan))
	}
	if len(q.SortBy) == 0 {
		q.SortBy = NewestFirst()
	}
	// What is skipped may move on to the page when less is asked for.
	q.Bounded, q.Skip, q.Limit = true, 0, q.Skip+cmp.Or(q.Limit, serverLimit)
	at, err := c.narrow(ctx, q)
	if err != nil {
		return err
	}
	q.After, q.Before = at, at
	n, err := c.ordinal(ctx, q)
	if err != nil || n == 0 {
		return err
	}
	return &BadRecordError{CreatedAt: at, Cause: cause, Position: position(n, q.SortBy), byHand: true}
}

// ordinal is how many rows of the query it takes until the server breaks down; 0 if it answers for all of them.
func (c *Client) ordinal(ctx context.Context, q Query) (int, error) {
	first, beyond := 1, q.Limit+1 // it is one of these, but for the last, which stands for none
	for n := q.Limit; first < beyond; n = first + (beyond-first)/2 {
		less := q
		less.Limit = n
		good, err := c.answers(ctx, less)
		switch {
		case err != nil:
			return 0, err
		case good:
			first = n + 1
		default:
			beyond = n
		}
	}
	if first > q.Limit {
		return 0, nil
	}
	return first, nil
}

// instant reads the rows of one instant, as many at a time as the server can print. What it cannot print by itself is bad.
func (r *reader) instant(ctx context.Context, at time.Time) error {
	w := newWalk(at, at)
	first, bad, repeats := int64(0), 0, 0
	for n := 1; ; {
		q, tries := w.query(n), breakdowns
		if n > 1 {
			tries = 1 // fewer rows are next
		}
		found, err := r.take(ctx, &w, &q, tries)
		switch {
		case refusal(err) != nil && q.Limit > 1:
			n = q.Limit / 2
			continue
		case refusal(err) != nil:
			isBad, err := r.condemn(ctx, q, at, err)
			if err != nil {
				return err
			}
			if isBad {
				bad++
				w.skip++
			}
			continue
		case err != nil:
			return err
		}
		if found.Records == 0 || short(found, q.Limit) {
			if bad == 0 { // it was repaired, or the server only had a bad moment
				r.c.suspects.forget(at)
			}
			return nil
		}
		// A row that came in meanwhile moves the others by one, which may well show one of them again.
		if found.First == first {
			if repeats++; repeats > 1 {
				return w.deafError(found.Records)
			}
		}
		first = found.First
		w.skip += found.Records
		n = min(2*n, r.c.pageSize())
		if err := r.bound(at); err != nil {
			return err
		}
	}
}

// condemn looks once more at a row over which the server broke down several times, and answered beside it.
func (r *reader) condemn(ctx context.Context, q Query, at time.Time, cause error) (bool, error) {
	if good, err := r.c.answers(ctx, q); err != nil || good {
		return false, err
	}
	bad := &BadRecordError{
		CreatedAt: at, Cause: cause,
		Position: position(q.Skip+1, q.SortBy),
	}
	switch {
	case !r.c.options.Quarantine:
		return true, bad
	case len(r.b.unprinted) == maxHoles:
		return true, tooManyHoles(bad)
	}
	r.misses = 0
	r.c.log.Warn("a row that the server cannot print is left out",
		zap.Time("created_at", at), zap.String("position", bad.Position), zap.Error(cause))
	said := refusal(cause)
	r.b.unprinted = append(r.b.unprinted, Hole{
		CreatedAt: at, Reason: fmt.Sprintf("the server cannot print %s: %d %s", bad.Position, said.Status, said.Message),
	})
	return true, nil
}
