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
	// Since is the instant from which Fetch counts. Older records are the overlap that Fetch reads again: they do not count
	// against the span, since a shorter span would have them too. They may be as much again.
	Since   time.Time
	Records int
	Bytes   int64 // of decoded pages
	// Large allows a record that is larger than the bound of a page, up to Options.MaxBody.
	Large bool
}

// A TooManyError says that a span holds more than the limits allow, seen early, before it was read to the end.
type TooManyError struct {
	Fill float64 // how many times the limits the span holds, judged by the part that was read
	// Again tells that the overlap before Limits.Since alone is too much: a shorter span would have it too.
	Again bool

	// Crowd is an instant that by itself fills more than half of the limits; zero if none is known.
	Crowd time.Time
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("the window holds about %.1f times as many records as fit into memory", e.Fill)
}

// A LargeError says that a record of the span is larger than the bound of a page. With Limits.Large, Fetch reads it.
type LargeError struct {
	Page int64 // bytes of a page at most
}

func (e *LargeError) Error() string {
	return fmt.Sprintf("a record of the window has more than %d bytes", e.Page)
}

// check compares the size of the whole span with the limits. It takes the rest of the span to be as dense as the part that was
// read. The smaller that part, the more slack check gives: a guess may be further off, and an error costs less.
func (l Limits) check(b *batch, oldest, before time.Time) error {
	if oldest.Before(l.Since) {
		// The rest is overlap, which takes memory as well.
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

// fill is the share of a full window that the batch holds. A window is full at a whole number of pages, since each request
// costs the server a count of its table. fill leaves room for a stretched page, and subtracts the overlap from the pages.
func (l Limits) fill(b *batch, page int) float64 {
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

// tooLarge deals with a single record that is larger than allowed. Without Limits.Large that is a LargeError. With it, the record
// is too large to keep at all, and becomes a hole with its known facts, whatever Options.Quarantine says: most users cannot
// repair it, and one record must not end the archive.
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
	if !known { // two pages may have the same row at their edge
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

// largeEdge is edge for a row that is larger than the bound of a page. It does not hold the row in memory.
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

// measure reads the one record that answers a query, and does not hold it in memory.
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
