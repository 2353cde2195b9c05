package bloodhound

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// narrow finds an instant with a row over which the server breaks down. The server broke down over the page of q, which skips
// nothing. narrow halves the time again and again, and asks for one of the halves. If the server answers a half, the row is in
// the other half. That takes 37 requests for a day, and 42 for a month. Each breakdown needs one request more, which shows that
// the server is up.
//
// It asks for the newer half and the older half by turns, so it does not meet the bad row each time. The limit is that of the
// page: a row of the page is also among the first so many rows of its half.
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

// between is the instant in the middle, to the microsecond. It uses no Duration, which ends at 292 years.
func between(after, before time.Time) time.Time {
	from := after.UnixMicro()
	return time.UnixMicro(from + (before.UnixMicro()-from)/2).UTC()
}

// answers tells whether the server can answer the query. If it cannot, it breaks down over a row of it.
func (c *Client) answers(ctx context.Context, q Query) (bool, error) {
	if len(q.Filters) == 0 {
		q.Filters = countingFrom(q.After)
	}
	r, err := c.ask(ctx, &q, 1, c.options.MaxPage, c.shorter(&q))
	if refusal(err) != nil {
		return false, nil //nolint:nilerr // a refusal is the answer "no"
	}
	if ofPage(err, rest.TooLarge) {
		return true, nil // the server could print the page
	}
	if err == nil {
		r.Body.Release()
	}
	return err == nil, err
}

const (
	// serverLimit is how many records a server returns if the query has no limit.
	serverLimit = 1000
	// serverSpan is how far back a server looks if the query has no after, and one day more.
	serverSpan = 366 * 24 * time.Hour
)

// blame returns the error that names a row over which the server breaks down for this page. It returns nil if the server no
// longer breaks down.
func (c *Client) blame(ctx context.Context, q Query, cause error) error {
	c.log.Warn("the server breaks down over the page: looking for a row that it cannot print", zap.Error(cause))
	if !q.Bounded {
		q.Before = cmp.Or(q.Before, c.Guess().Server.Add(time.Minute))
		q.After = cmp.Or(q.After, q.Before.Add(-serverSpan))
	}
	if len(q.SortBy) == 0 {
		q.SortBy = NewestFirst()
	}
	// The halves skip nothing, so the limit has to include the rows that the query skips.
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

// ordinal is the number, from 1, of the first row of the query over which the server breaks down. It is 0 if the server answers
// all of them.
func (c *Client) ordinal(ctx context.Context, q Query) (int, error) {
	first, beyond := 1, q.Limit+1 // the number is from first to beyond; q.Limit+1 stands for none
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

// instant reads the rows of one instant. It asks for as many at a time as the server can print. A row is bad if the server
// cannot print it even when it is the only row.
func (r *reader) instant(ctx context.Context, at time.Time) error {
	w := newWalk(at, at)
	first, bad, repeats := int64(0), 0, 0
	for n := 1; ; {
		q, tries := w.query(n), breakdowns
		if n > 1 {
			tries = 1 // try fewer rows
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
			if bad == 0 { // a user repaired the row, or the server only had a bad moment
				r.c.suspects.forget(at)
			}
			return nil
		}
		// If a row came in meanwhile, the others moved by one place, so the server may show one of them again.
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

// condemn asks once more for a row over which the server broke down several times. The server is up. condemn returns whether
// the row is bad.
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
