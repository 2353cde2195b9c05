package bloodhound

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// minPage is the smallest page for which the client asks because an answer was slow. If a server cannot answer so few rows in
// time, it has another problem. A page that is too large is another case: the client halves it down to a single record.
const minPage = 50

// growAfter is how many pages have to go well before the client tries a larger one again.
const growAfter = 8

// Fetch reads every record with after <= created_at <= before. It gives up early with a [*TooManyError] if the span holds more
// than limits allow. It returns when all pages have arrived. The batch's Wait tells whether they are sound. The caller releases
// the batch when it no longer needs the records.
//
// If a row is bad, Fetch or Wait returns a [*BadRecordError]. With Options.Quarantine, the row is one of the batch's Holes.
//
// count is a list of instants. The server counts the rows from each of them on, one instant a page. [Batch.Counted] returns
// these counts. No instant may be after the span's beginning, since the filter of the count must not change a page.
func (c *Client) Fetch(ctx context.Context, after, before time.Time, limits Limits, count ...time.Time) (Batch, error) {
	b := c.newBatch(limits.Share)
	r := reader{c: c, b: b, limits: limits, count: count, before: before}
	err := r.span(ctx, after, before)
	close(b.arrived)
	if err != nil {
		b.Release()
		if tooMany := (*TooManyError)(nil); errors.As(err, &tooMany) {
			return nil, err
		}
		return nil, spanError(after, before, err)
	}
	b.fill = limits.fill(b, cmp.Or(r.page, c.pageSize()))
	return b, nil
}

// hand gives a page to the scanner and returns the ends of the page. If the server has shown that one can trust the ends of its
// pages, and the walk moves by time, hand reads the ends itself. If not, it waits for the scan.
func (c *Client) hand(b *batch, p arrival, w *walk) (page.Ends, error) {
	ends, ok := page.Glance(p.Bytes)
	fullSize := int(c.fullRow.Load()) * p.limit
	if ok && ends.Oldest.Sub(w.part.after) < ends.Newest.Sub(ends.Oldest)/4 {
		fullSize = 0 // this may be the span's last page: if the walk takes it for a full one, it only sends one request more
	}
	ends.Records = page.AtMost(p.Bytes, p.limit, fullSize)
	if ends.Records >= p.limit && w.part.after.Before(w.part.before) { // the pages of a crowded instant may be as small as one row
		c.fullRow.Store(int64(len(p.Bytes) / p.limit))
	}
	p.ends, p.glanced = ends, ok
	// AtMost may not count a refused record, and so take a full page for a short one: only the scan can tell.
	whole := ends.Records >= p.limit || !c.options.Quarantine
	if ok && whole && c.trusted.Load() && w.by == newestFirst && w.skip == 0 && ends.Oldest.Before(ends.Newest) {
		p.walked = true
		b.arrived <- p
		return ends, nil
	}
	result := make(chan page.Ends, 1)
	p.result = result
	b.arrived <- p
	found := <-result
	return found, b.err // the scanner writes err before it sends to result, and not again until the next page
}

// trust compares the ends of a page with its records. Once they agree, the client goes on by the ends of the pages. If one page
// differs, it never does so again.
func (c *Client) trust(p arrival, found page.Ends, err error) {
	if err != nil || p.glanced && found.Records > 1 { // a page of less than two records shows nothing about its ends
		c.trusted.Store(err == nil && p.ends.Agrees(found))
	}
}

// page gets one page. If the server takes too long, or the page is too large, it asks for half as many records. When it
// returns, q.Limit is the limit of the last request. A page of one record may have most bytes.
func (c *Client) page(ctx context.Context, q *Query, breakdowns int, most int64) (r rest.Reply, err error) {
	for {
		size := c.options.MaxPage
		if q.Limit == 1 {
			size = most
		}
		r, err = c.ask(ctx, q, breakdowns, size, c.shorter(q))
		if ofPage(err, rest.TooLarge) && c.halve(q, 1, &c.fits) {
			continue
		}
		if err == nil {
			c.grow()
		}
		return r, err
	}
}

// shorter returns a function that halves the query after a try that took too long.
func (c *Client) shorter(q *Query) func(error) {
	return func(err error) {
		if ofPage(err, rest.Timeout) {
			c.halve(q, minPage, &c.limit)
			c.goodPages.Store(0)
		}
	}
}

// halve halves the limit of the query, and the page size of later queries. If the half is smaller than least, it changes
// nothing and returns false.
func (c *Client) halve(q *Query, least int, size *atomic.Int64) bool {
	if q.Limit/2 < least {
		return false
	}
	q.Limit /= 2
	size.Store(int64(q.Limit))
	return true
}

// pageSize is how many records to ask for: so many that the server answers in time, and that they fit into a page.
func (c *Client) pageSize() int { return int(min(c.limit.Load(), c.fits.Load())) }

// grow raises the limit again, up to the configured one, after several pages in a row went well.
func (c *Client) grow() {
	if c.goodPages.Add(1)%growAfter == 0 {
		c.limit.Store(min(c.limit.Load()*2, int64(c.options.PageSize)))
	}
}

// ofPage tells whether the request for a page failed in that way. It is false if the login failed: then a smaller page would
// not help.
func ofPage(err error, k rest.Kind) bool {
	e, ok := errors.AsType[*rest.Error](err)
	return ok && e.Kind == k && strings.Contains(e.Target, AuditPath)
}

const (
	// fullPage is how many bytes a page should have: half of the default limit. The size of the latest records tells how many
	// records that is.
	fullPage = DefaultMaxPage / 2
	// fitGrowth is by which factor a page may have more records than the previous one. The size of records varies, so a page grows
	// step by step.
	fitGrowth = 8
)

// fit notes how large the records of a page are. The next request asks for as many records of that size as fit into a page.
func (c *Client) fit(records, size int) {
	if records == 0 {
		return
	}
	n := int64(fullPage) * int64(records) / int64(max(size, 1))
	c.fits.Store(max(1, min(n, fitGrowth*c.fits.Load(), int64(c.options.PageSize))))
}

// mostMisses is how many suspicions in a row may be wrong. After that, Houndtrail says that the server is at fault, and not a
// row.
const mostMisses = 3

// A reader is the first stage of one Fetch: it asks for pages, and gives them to the scanner. It waits for the scanner only if
// it cannot trust the page's ends.
type reader struct {
	c      *Client
	b      *batch
	limits Limits
	count  []time.Time // instants from which the caller wants a count; no page has brought these counts yet
	before time.Time   // the end of the whole span
	parts  *parts      // takes the span part by part; nil if the batch holds the whole span
	page   int         // the latest page size of the walk

	apart  []time.Time // instants that the reader has read alone
	misses int         // wrong suspicions since the last bad row
}

// span reads from after to before, both included. As a rule, that is one walk. It is more if the server breaks down over a
// page. Then span suspects some instants, reads each of them alone, and walks between them. It reads a suspected instant before
// the rows around it, because that instant may stop the export.
func (r *reader) span(ctx context.Context, after, before time.Time) error {
	for !before.Before(after) {
		at, suspected := r.c.suspects.newest(after, before)
		if suspected && !slices.ContainsFunc(r.apart, at.Equal) {
			if err := r.instant(ctx, at); err != nil {
				return err
			}
			r.apart = append(r.apart, at)
			continue // the server answered all of its rows: it is no suspect any more
		}
		from := after
		if suspected {
			from = at.Add(grain)
		}
		w := newWalk(from, before)
		switch err := r.walk(ctx, &w); {
		case refusal(err) != nil:
			if at, err = r.suspect(ctx, &w, err); err != nil {
				return err
			}
			r.c.suspects.add(at)
			before = w.bound
		case err != nil || !suspected:
			return err
		default:
			before = at.Add(-grain)
		}
	}
	return nil
}

// walk reads a span page by page. When it returns, w says how far it came.
func (r *reader) walk(ctx context.Context, w *walk) error {
	before := r.b.rows
	for !w.part.empty() {
		size := r.c.pageSize()
		q := w.query(w.limit(size, r.b.rows-before))
		at, err := r.take(ctx, w, &q, breakdowns)
		if err != nil {
			return err
		}
		r.page = min(q.Limit, size)
		done, err := w.advance(at, q.Limit)
		if err != nil || done {
			return err
		}
		if err := r.bound(at.Oldest); err != nil {
			return err
		}
	}
	return nil
}

// take asks for a page and gives it to the scanner. If the server breaks down over the page so many times, take suspects a row.
//
// Every page has a filter that limits the server's count. Mostly the filter begins at the beginning of the walk's part, and
// does not change the page. If the caller wants a count from an instant, the filter begins there. Without the filter, the
// server would count its whole table for each page.
func (r *reader) take(ctx context.Context, w *walk, q *Query, tries int) (page.Ends, error) {
	p := arrival{after: w.part.after, before: w.bound}
	q.Filters = countingFrom(w.part.after)
	if len(r.count) > 0 {
		p.counted = true
		q.Filters = countingFrom(r.count[0])
	}
	got, err := r.c.page(ctx, q, tries, r.most())
	if ofPage(err, rest.TooLarge) && q.Limit == 1 {
		return r.tooLarge(ctx, *q, err)
	}
	if err != nil {
		return page.Ends{}, err
	}
	if len(r.count) > 0 {
		r.count = r.count[1:]
	}
	r.b.clock = got.Clock
	r.b.waited += got.Waited
	r.b.answers++
	p.Buffer, p.target, p.limit = got.Body, q.target(), q.Limit
	size := len(got.Body.Bytes)
	r.b.held += int64(size)
	at, err := r.c.hand(r.b, p, w)
	if err == nil {
		r.b.count(at, size, r.limits.Since)
		r.c.fit(at.Records, size)
	}
	return at, err
}

// suspect finds an instant with a row that the server may be unable to print. It is called after the server broke down over a
// page.
func (r *reader) suspect(ctx context.Context, w *walk, cause error) (time.Time, error) {
	if r.misses == mostMisses {
		return time.Time{}, cause
	}
	r.misses++
	r.c.log.Warn("the server breaks down over a page: looking for a row that it cannot print",
		zap.Time("from", w.part.after), zap.Time("until", w.bound), zap.Error(cause))
	q := w.query(r.c.pageSize())
	q.Skip = 0
	return r.c.narrow(ctx, q)
}
