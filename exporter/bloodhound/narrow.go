package bloodhound

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// narrow finds an instant with a row over which the server breaks down, in a span of which a page did so. It asks for one
// half of what is left at a time: a half that is answered is good, and then it is the other one. That takes 37 requests
// for a day and 42 for a month, and some more to see that the server is up: between its breakdowns there has to be an
// answer, else it is the server that is down, and the cause is the error.
//
// The halves are the newer and the older one by turns, so that the row cannot well be in the wrong one each time. The limit
// is that of the page: what is in it is among the first so many rows of any half, too.
func (c *Client) narrow(ctx context.Context, after, before time.Time, limit int, cause error) (time.Time, error) {
	if err := c.alive(ctx, before, cause); err != nil {
		return time.Time{}, err
	}
	for newer, down := true, false; after.Before(before); newer = !newer {
		middle := after.Add(before.Sub(after) / 2).Truncate(grain)
		half := newWalk(after, middle)
		if newer {
			half = newWalk(middle.Add(grain), before)
		}
		good, err := c.answers(ctx, half.query(limit))
		if err != nil {
			return time.Time{}, err
		}
		if good == newer {
			before = middle
		} else {
			after = middle.Add(grain)
		}
		if !good && down {
			if err := c.alive(ctx, before, cause); err != nil {
				return time.Time{}, err
			}
		}
		down = !good && !down
	}
	return after, nil
}

// answers tells whether the server has an answer to the query, or breaks down over it.
func (c *Client) answers(ctx context.Context, q Query) (bool, error) {
	q.Filters = countingFrom(q.After)
	r, err := c.page(ctx, &q, 1, c.options.MaxBody)
	if refusal(err) != nil {
		return false, nil //nolint:nilerr // that is the answer
	}
	if err == nil {
		r.body.release()
	}
	return err == nil, err
}

// alive returns the cause if the server breaks down even over a page that no row is on.
func (c *Client) alive(ctx context.Context, at time.Time, cause error) error {
	nothing := walk{after: at.Add(grain), bound: at}
	up, err := c.answers(ctx, nothing.query(1))
	if err == nil && !up {
		return cause
	}
	return err
}

// instant reads the rows of one instant, as many at a time as the server can print. What it cannot print by itself is bad.
func (r *reader) instant(ctx context.Context, at time.Time) error {
	w := newWalk(at, at)
	first, bad, repeats := int64(0), 0, 0
	for n := 1; ; {
		q := w.query(n)
		found, err := r.take(ctx, &w, &q)
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
		if found.records == 0 || short(found, q.Limit) {
			if bad == 0 { // it was repaired, or the server only had a bad moment
				r.c.suspects.forget(at)
			}
			return nil
		}
		// A row that came in meanwhile moves the others by one, which may well show one of them again.
		if found.first == first {
			if repeats++; repeats > 1 {
				return w.deafError(found.records)
			}
		}
		first = found.first
		w.skip += found.records
		n = min(2*n, r.c.pageSize())
		if err := r.limits.check(r.b, at, r.before); err != nil {
			return err
		}
	}
}

// condemn looks once more at a row over which the server broke down several times: it is bad if the server answers for
// other rows in between.
func (r *reader) condemn(ctx context.Context, q Query, at time.Time, cause error) (bool, error) {
	if err := r.c.alive(ctx, at, cause); err != nil {
		return false, err
	}
	if good, err := r.c.answers(ctx, q); err != nil || good {
		return false, err
	}
	bad := &BadRecordError{
		CreatedAt: at, Cause: cause,
		Position: fmt.Sprintf("row %d of its instant, the highest id first", q.Skip+1),
	}
	switch {
	case !r.c.options.Quarantine:
		return true, bad
	case len(r.b.unprinted) == maxHoles:
		return true, tooManyHoles(bad)
	}
	r.misses = 0
	r.c.options.Log.Warn("a row that the server cannot print is left out",
		zap.Time("created_at", at), zap.String("position", bad.Position), zap.Error(cause))
	said := refusal(cause)
	r.b.unprinted = append(r.b.unprinted, Hole{
		CreatedAt: at, Reason: fmt.Sprintf("the server cannot print %s: %d %s", bad.Position, said.Status, said.Message),
	})
	return true, nil
}
