package bloodhound

import (
	"context"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// Logs reads one page as the caller asks. Its records have their own memory: the caller releases nothing. If a Warning of the
// query says that the server will answer with an internal error, Logs does not try again. A bad row on the page is a
// [*BadRecordError], even with Options.Quarantine.
func (c *Client) Logs(ctx context.Context, q Query) (page.Page, error) {
	if err := q.Validate(); err != nil {
		return page.Page{}, err
	}
	for misses := 0; ; misses++ {
		p, err := c.read(ctx, q, breakdowns, c.options.MaxBody)
		if refusal(err) != nil && misses < mostMisses {
			if err := c.blame(ctx, q, err); err != nil {
				return page.Page{}, err
			}
			continue // the server only had a bad moment
		}
		if err != nil {
			return page.Page{}, err
		}
		if len(p.Refused) > 0 {
			bad := badRecord(&p.Refused[0], q.target())
			bad.byHand = true
			return page.Page{}, bad
		}
		return p, nil
	}
}

// Span reads every record of after..before, both inclusive, that passes the filters, oldest first and each once. It holds
// all of them in memory: for more than a few pages, use Fetch. A bad row is an error, as in Logs.
func (c *Client) Span(ctx context.Context, after, before time.Time, filters ...Filter) ([]record.Record, error) {
	if len(filters) == 0 { // if the caller has a filter, a second one would be a 500 on builds before 2025
		filters = countingFrom(after)
	}
	var records []record.Record
	w := newWalk(after, before)
	for {
		q := w.query(c.pageSize())
		q.Bounded, q.Filters = true, filters
		p, err := c.Logs(ctx, q)
		if err != nil {
			return nil, err
		}
		records = append(records, p.Records...)
		done, err := w.advance(p.Ends(), q.Limit)
		if err != nil {
			return nil, err
		}
		if done {
			return page.Sort(records), nil
		}
	}
}

// foreseen makes an internal error final if a warning of the query predicted it, since the next try would fail in the same way.
// The error then contains the warning.
func (q Query) foreseen(err error) error {
	e := breakdown(err)
	if e == nil {
		return err
	}
	for _, d := range q.doubts() {
		if d.fails {
			e.Final, e.Advice = true, d.text
			break
		}
	}
	return err
}
