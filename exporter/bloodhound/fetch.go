package bloodhound

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// minPage is where halving stops: a server that cannot answer this many rows in time has another problem.
const minPage = 50

// Fetch reads every record with after <= created_at <= before. It gives up early with a [*TooManyError] when the span
// holds more than limits allow. Release the batch when its records are no longer needed.
func (c *Client) Fetch(ctx context.Context, after, before time.Time, limits Limits) (*Batch, error) {
	b := newBatch()
	if err := c.read(ctx, b, after, before, limits); err != nil {
		b.Release()
		return nil, err
	}
	b.settle()
	c.grow()
	return b, nil
}

func (c *Client) read(ctx context.Context, b *Batch, after, before time.Time, limits Limits) error {
	w := newWalk(after, before)
	for {
		q := w.query(c.pageSize())
		body, err := c.page(ctx, &q)
		if err != nil {
			return fmt.Errorf("reading the audit log from %s to %s: %w", wireTime(after), wireTime(before), err)
		}
		p, err := b.add(body, AuditPath+"?"+q.Encode())
		if err != nil {
			return err
		}
		done, err := w.advance(p, q.Limit)
		if err != nil || done {
			return err
		}
		if err := limits.check(b, p.oldest, before); err != nil {
			return err
		}
	}
}

// check compares what the whole span will hold, if it goes on as dense as the part that was read, with the limits.
// A guess of a quarter too many is let pass: being wrong costs the pages read so far.
func (l Limits) check(b *Batch, oldest, before time.Time) error {
	if !oldest.After(l.Since) {
		return nil // the rest is overlap
	}
	n := len(b.Records)
	estimate := n
	if read := before.Sub(oldest); read > 0 && !l.Since.IsZero() {
		estimate = max(n, int(float64(n)*float64(before.Sub(l.Since))/float64(read)))
	}
	if l.Records > 0 && (n > l.Records || estimate > l.Records*5/4) {
		return &TooManyError{Estimate: estimate}
	}
	if l.Bytes > 0 && b.bytes > l.Bytes {
		// Said in records, the only measure that windows have: as many as the bytes allowed, in proportion.
		return &TooManyError{Estimate: max(estimate, int(float64(l.Records)*float64(b.bytes)/float64(l.Bytes)))}
	}
	return nil
}

// page gets one page; where the server takes too long, or the page is too large, it asks for half of it. q.Limit
// says afterwards what was asked for in the end.
func (c *Client) page(ctx context.Context, q *Query) (*buffer, error) {
	var r reply
	for {
		err := c.retry(ctx, func(ctx context.Context) (err error) {
			r, err = c.exchange(ctx, "GET", AuditPath+"?"+q.Encode(), nil)
			if isKind(err, Timeout) {
				c.halve(q)
			}
			return err
		})
		if isKind(err, TooLarge) && c.halve(q) {
			continue
		}
		return r.body, err
	}
}

func (c *Client) halve(q *Query) bool {
	if q.Limit/2 < minPage {
		return false
	}
	q.Limit /= 2
	c.limit.Store(int64(q.Limit))
	return true
}

// pageSize is the limit in force; grow brings it back towards the configured one after a span went well.
func (c *Client) pageSize() int { return int(c.limit.Load()) }

func (c *Client) grow() { c.limit.Store(min(c.limit.Load()*2, int64(c.options.PageSize))) }

func isKind(err error, k Kind) bool {
	e := (*Error)(nil)
	return errors.As(err, &e) && e.Kind == k
}

// Logs reads one page as asked, for people who query by hand. Its records are their own: nothing needs releasing.
func (c *Client) Logs(ctx context.Context, q Query) (Page, error) {
	if err := q.Validate(); err != nil {
		return Page{}, err
	}
	target := AuditPath
	if raw := q.Encode(); raw != "" {
		target += "?" + raw
	}
	var page Page
	err := c.retry(ctx, func(ctx context.Context) error {
		r, err := c.exchange(ctx, "GET", target, nil)
		if err != nil {
			return err
		}
		defer r.body.release()
		own := append([]byte(nil), r.body.b...)
		page, err = ParsePage(own, nil)
		return explain(err, target)
	})
	return page, err
}
