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

// minPage is where halving for time stops: a server that cannot answer this many rows in time has another problem.
// A page that is too large is halved down to a single record.
const minPage = 50

// growAfter is how many pages have to go well before a larger one is tried again.
const growAfter = 8

// Fetch reads every record with after <= created_at <= before. It gives up early with a [*TooManyError] when the span
// holds more than limits allow. It returns when all pages have arrived: the batch's Wait tells whether they are sound.
// Release the batch when its records are no longer needed.
//
// A row that is bad is a [*BadRecordError], of Fetch or of Wait; with Options.Quarantine it is one of the batch's Holes.
//
// The pages bring along how many rows the server counts from some instants on, one instant a page, for [Batch.Counted].
// None of them may be after the span's beginning, so that no page is any different for it.
func (c *Client) Fetch(ctx context.Context, after, before time.Time, limits Limits, count ...time.Time) (*Batch, error) {
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

// hand gives a page to the scanner and returns what it says: by its ends if the server has shown that they can be
// trusted and the walk moves by time, else by what the scan finds.
func (c *Client) hand(b *Batch, p arrival, w *walk) (page.Ends, error) {
	ends, ok := page.Glance(p.Bytes)
	fullSize := int(c.fullRow.Load()) * p.limit
	if ok && ends.Oldest.Sub(w.part.after) < ends.Newest.Sub(ends.Oldest)/4 {
		fullSize = 0 // it may be the span's last: to take it for full would be a request for nothing
	}
	ends.Records = page.AtMost(p.Bytes, p.limit, fullSize)
	if ends.Records >= p.limit && w.part.after.Before(w.part.before) { // the rows of one instant are asked for a few at a time
		c.fullRow.Store(int64(len(p.Bytes) / p.limit))
	}
	p.ends, p.glanced = ends, ok
	// A record that is refused may go uncounted, and its page is then no short one: only the scan can tell.
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
	return found, b.err // written before result, and not again until the next page
}

// trust takes in whether a page's ends told the truth about it. A server has to prove it before its pages are walked
// by their ends, and one lie ends it.
func (c *Client) trust(p arrival, found page.Ends, err error) {
	if err != nil || p.glanced && found.Records > 1 { // the ends of less than two records prove nothing
		c.trusted.Store(err == nil && p.ends.Agrees(found))
	}
}

// page gets one page; if the server takes too long, or the page is too large, it asks for half of it. q.Limit says
// afterwards what was asked for in the end. A single record may be as large as most says.
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

// shorter has less asked for after a try that took too long.
func (c *Client) shorter(q *Query) func(error) {
	return func(err error) {
		if ofPage(err, rest.Timeout) {
			c.halve(q, minPage, &c.limit)
			c.goodPages.Store(0)
		}
	}
}

// halve asks for half as many, now and later, unless that is less than so many.
func (c *Client) halve(q *Query, least int, size *atomic.Int64) bool {
	if q.Limit/2 < least {
		return false
	}
	q.Limit /= 2
	size.Store(int64(q.Limit))
	return true
}

// pageSize is how many records to ask for: what the server answers in time, and what fits into a page.
func (c *Client) pageSize() int { return int(min(c.limit.Load(), c.fits.Load())) }

// grow brings the limit back towards the configured one after some pages went well in a row.
func (c *Client) grow() {
	if c.goodPages.Add(1)%growAfter == 0 {
		c.limit.Store(min(c.limit.Load()*2, int64(c.options.PageSize)))
	}
}

// ofPage tells whether a page failed in that way, and not the login for it: of that a smaller page is no cure.
func ofPage(err error, k rest.Kind) bool {
	e, ok := errors.AsType[*rest.Error](err)
	return ok && e.Kind == k && strings.Contains(e.Target, AuditPath)
}

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

// mostMisses is how many suspicions in a row may turn out wrong before it is the server that is wrong.
const mostMisses = 3

// A reader is the first stage of one Fetch: it asks for pages, and leaves them to the scanner. It only waits for what that
// finds if the page's ends do not say where to go on.
type reader struct {
	c      *Client
	b      *Batch
	limits Limits
	count  []time.Time // where the counts are to begin that no page has brought yet
	before time.Time   // the end of the whole span
	parts  *parts      // what becomes of what was read, part by part; nil for a span that is held as a whole
	page   int         // the page size that the latest walk came to

	apart  []time.Time // instants that were read by themselves
	misses int         // how often a row was suspected since one was bad
}

// span reads from after to before, both included. It is one walk, unless the server breaks down over one of its pages: then
// it is the walks between the instants that are suspected of it, which are read by themselves, and ahead of what is around
// them, since they may stop the export.
func (r *reader) span(ctx context.Context, after, before time.Time) error {
	for !before.Before(after) {
		at, suspected := r.c.suspects.newest(after, before)
		if suspected && !slices.ContainsFunc(r.apart, at.Equal) {
			if err := r.instant(ctx, at); err != nil {
				return err
			}
			r.apart = append(r.apart, at)
			continue // it is no suspect any more if all of its rows were answered
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

// walk reads a span page by page. The walk says afterwards how far it came.
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

// take asks for a page, as often as a server may break down over it, and gives it to the scanner.
//
// Every page carries a filter that bounds what the server counts for it: by the walk's own beginning, which leaves the page
// as it is, or by the instant from which a count is wanted. Without one it would count its whole table each time.
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

// suspect finds an instant of which the server may not be able to print a row, after a page broke it down.
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
