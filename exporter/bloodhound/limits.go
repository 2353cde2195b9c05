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

// Limits are the most that one Fetch holds in memory. Zero means no limit.
type Limits struct {
	// With Share, equal short values of the columns that repeat use the same memory. Sharing takes time. It is worth this if the
	// values are compared again, as dictionaries do.
	Share bool
	// Fetch counts records from Since on. Older records are the overlap, which Fetch reads again. They do not count against the
	// span, because a shorter span would have them too. The overlap may have as much as the limits once more.
	Since   time.Time
	Records int
	Bytes   int64 // bytes of decoded pages
	// Large allows a record that is larger than the limit of a page, up to Options.MaxBody.
	Large bool
}

// A TooManyError says that a span holds more than the limits allow. Fetch returns it early, before it has read the span to its
// end.
type TooManyError struct {
	Fill float64 // how many times the limits the span holds, judged by the part that Fetch has read
	// Again tells that the overlap before Limits.Since is too much: a shorter span would have it too.
	Again bool

	// Crowd is a single instant that fills more than half of the limits; zero if Fetch knows of none.
	Crowd time.Time
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("the window holds about %.1f times as many records as fit into memory", e.Fill)
}

// A LargeError says that a record of the span is larger than the limit of a page. With Limits.Large, Fetch reads it.
type LargeError struct {
	Page int64 // the most bytes of a page
}

func (e *LargeError) Error() string {
	return fmt.Sprintf("a record of the window has more than %d bytes", e.Page)
}

// check compares the size of the whole span with the limits. It assumes that the rest of the span is as dense as the part that
// it has read. If that part is small, check allows more: the estimate is less exact, and an error costs less.
func (l Limits) check(b *batch, oldest, before time.Time) error {
	if oldest.Before(l.Since) {
		// The rest is overlap, which takes memory too.
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
	if b.counted > 1 && held > 1 || whole > slack {      // a single record is the smallest page
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

// fill is the part of a full window that the batch holds. A window is full at a whole number of pages, because each request
// makes the server count its table. There is room for a page that is a little longer, and the pages of the overlap do not
// count.
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

// tooLarge handles a single record that is larger than allowed. Without Limits.Large, it returns a LargeError. With
// Limits.Large, the record is too large to keep at all. It becomes a hole with its known facts, even without
// Options.Quarantine: most users cannot repair the record, and one record must not stop the archive.
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

// largeEdge is like edge, for a row that is larger than the limit of a page. It does not hold the row in memory.
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

// measure reads the one record that answers a query. It does not hold the record in memory.
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
