package bloodhound

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

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
