package bloodhound

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

const (
	// fullPage is what a page is meant to hold, in bytes of the size that the latest records had: half of what it may.
	fullPage = DefaultMaxPage / 2
	// fitGrowth is how much larger than the page before a page may be: records come in all sizes.
	fitGrowth = 8
)

// fit takes in how large the records of a page are: that many are asked for next that a page holds.
func (c *Client) fit(records, size int) {
	if records == 0 {
		return
	}
	n := int64(fullPage) * int64(records) / int64(max(size, 1))
	c.fits.Store(max(1, min(n, fitGrowth*c.fits.Load(), int64(c.options.PageSize))))
}

// most is how many bytes a page of one record may have.
func (r *reader) most() int64 {
	if r.limits.Large {
		return r.c.options.MaxBody
	}
	return r.c.options.MaxPage
}

// tooLarge deals with a single record that is larger than allowed: with the leave to read large ones it is one that cannot
// be kept at all. What is known of it becomes a hole, whatever Options.Quarantine says: repairing it is out of reach for
// most, and one record must not end the archive.
func (r *reader) tooLarge(ctx context.Context, q Query, cause error) (page.Ends, error) {
	if !r.limits.Large {
		return page.Ends{}, &LargeError{Page: r.c.options.MaxPage}
	}
	stub, err := r.c.measure(ctx, q)
	if err != nil {
		return page.Ends{}, err
	}
	if stub.ID == 0 || stub.CreatedAt.IsZero() {
		return page.Ends{}, fmt.Errorf("%w; it is a single record, and its id and created_at do not stand at its beginning, so it cannot "+
			"be told apart and left out", cause)
	}
	if stub.CreatedAt.Before(q.After) || stub.CreatedAt.After(q.Before) {
		return page.Ends{}, strayError(stub.ID, stub.CreatedAt, q.After, q.Before)
	}
	known := slices.ContainsFunc(r.b.unprinted, Hole{ID: stub.ID, CreatedAt: stub.CreatedAt}.is)
	if !known { // the edge of a page is read twice
		r.b.unprinted = append(r.b.unprinted, Hole{
			CreatedAt: stub.CreatedAt, ID: stub.ID,
			Reason: fmt.Sprintf("larger than the %d bytes that a record may have: %d bytes, SHA-256 %x", r.c.options.MaxBody, stub.Size, stub.Sum),
		})
	}
	at := page.Ends{
		Records: 1, Newest: stub.CreatedAt, Oldest: stub.CreatedAt, First: stub.ID, Last: stub.ID, NewestFirst: true, Limit: 1,
	}
	return at, nil
}

// largeEdge is the row that a query for one asks for, if it is larger than a page may be. It is not held.
func (c *Client) largeEdge(ctx context.Context, q Query) (edge, error) {
	found, err := c.measure(ctx, q)
	if err != nil {
		return edge{}, err
	}
	e := edge{ok: true, at: found.CreatedAt, count: found.Count}
	switch {
	case e.at.IsZero():
		e.at, e.dark = q.Before, q.After.Before(q.Before)
	case e.at.Before(q.After) || e.at.After(q.Before):
		return edge{}, strayError(found.ID, e.at, q.After, q.Before)
	}
	return e, nil
}

// measure reads the one record that answers a query without holding it.
func (c *Client) measure(ctx context.Context, q Query) (found page.Stub, err error) {
	err = c.conn.Retry(ctx, func(ctx context.Context) error {
		r, err := c.conn.Get(ctx, q.target(), rest.Through(func(body io.Reader) (kept []byte, err error) {
			found, kept, err = page.Measure(body)
			return kept, err
		}))
		if err == nil {
			r.Body.Release()
		}
		return err
	})
	return found, err
}
