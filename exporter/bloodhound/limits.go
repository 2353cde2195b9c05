package bloodhound

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// Limits bound what one Fetch holds in memory. Zero means no bound.
type Limits struct {
	// Share gives equal short values of the columns that repeat one copy. It is worth its time if they are compared
	// again, as dictionaries do.
	Share bool
	// Since is where counting starts: what is older, the overlap that is read again, is not held against the span,
	// since a shorter span would have it all the same. It may be as much again.
	Since   time.Time
	Records int
	Bytes   int64 // of decoded pages
	// Large allows a record that is larger than a page may be, up to Options.MaxBody.
	Large bool
}

// A TooManyError says that a span holds more than the limits allow, seen early, before it was read to the end.
type TooManyError struct {
	Fill float64 // how many times as much, judged by the part that was read
	// Again tells that it is what is read again before Limits.Since: a shorter span would have it all the same.
	Again bool

	// Crowd is an instant that by itself holds much of what the limits allow: zero if none is known.
	Crowd time.Time
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("the window holds about %.1f times as many records as fit into memory", e.Fill)
}

// A LargeError says that a record of the span is larger than a page may be: Limits.Large reads it all the same.
type LargeError struct {
	Page int64 // bytes of a page at most
}

func (e *LargeError) Error() string {
	return fmt.Sprintf("a record of the window has more than %d bytes", e.Page)
}

// check compares what the whole span will hold, if it goes on as dense as the part that was read, with the limits.
// The less was read, the more a guess may be off, and the cheaper it is to be wrong.
func (l Limits) check(b *Batch, oldest, before time.Time) error {
	if oldest.Before(l.Since) {
		// The rest is overlap, which is held as well.
		if again := l.share(b.rows-b.counted, b.held-b.bytes); again > 1 {
			return &TooManyError{Fill: again, Again: true}
		}
		return nil
	}
	held := l.share(b.counted, b.bytes)
	whole := held
	if read := before.Sub(oldest); read > 0 && !l.Since.IsZero() {
		whole = max(held, held*float64(before.Sub(l.Since))/float64(read))
	}
	slack := 1 + 5/math.Sqrt(float64(max(b.counted, 1))) // five standard deviations of a steady stream
	if b.counted > 1 && held > 1 || whole > slack {      // a single record is as small as it gets
		tooMany := &TooManyError{Fill: whole}
		const much = 0.5
		if l.share(b.crowd.records, b.crowd.bytes) > much {
			tooMany.Crowd = b.crowd.at
		}
		return tooMany
	}
	return nil
}

func (l Limits) share(records int, bytes int64) float64 {
	share := 0.0
	if l.Records > 0 {
		share = float64(records) / float64(l.Records)
	}
	if l.Bytes > 0 {
		share = max(share, float64(bytes)/float64(l.Bytes))
	}
	return share
}

// fill is how much of a full window the batch holds. A window is full at a whole number of pages, since each request
// costs the server a count of its table, and there is to be room for a page that is stretched. The overlap takes its part of
// them.
func (l Limits) fill(b *Batch, page int) float64 {
	share := l.share(b.counted, b.bytes)
	if share == 0 {
		return 0
	}
	full := float64(b.counted) / share
	if pages := math.Floor(full/float64(page) - (stretch - 1)); pages > 0 {
		full = max(pages*float64(page)-float64(b.rows-b.counted), float64(page)/2)
	}
	return float64(b.counted) / full
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
