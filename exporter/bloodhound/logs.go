package bloodhound

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Logs reads one page as asked. Its records are their own: nothing needs releasing. What is likely to fail for good, by
// the query's own Warnings, is not tried again.
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
		r, err := c.exchange(ctx, target, c.shelf.upTo(c.options.MaxBody))
		if err != nil {
			return q.foreseen(err)
		}
		defer r.body.release()
		own := append([]byte(nil), r.body.b...)
		page, err = ParsePage(own, nil)
		return explain(err, target)
	})
	return page, err
}

// Span reads every record of after..before, both inclusive, that passes the filters, oldest first and each once. It holds
// them all: for more than a few pages there is Fetch.
func (c *Client) Span(ctx context.Context, after, before time.Time, filters ...Filter) ([]Record, error) {
	if len(filters) == 0 { // else a second one would be a 500 on builds before 2025
		filters = countingFrom(after)
	}
	var records []Record
	w := newWalk(after, before)
	for {
		q := w.query(c.pageSize())
		q.Bounded, q.Filters = true, filters
		page, err := c.Logs(ctx, q)
		if err != nil {
			return nil, err
		}
		records = append(records, page.Records...)
		done, err := w.advance(look(page.Records, page.Limit), q.Limit)
		if err != nil {
			return nil, err
		}
		if done {
			return Sort(records), nil
		}
	}
}

// foreseen makes the internal error that a warning foretold final, and says what it comes from: the next try would fail
// the same way.
func (q Query) foreseen(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != Server || e.Status != http.StatusInternalServerError {
		return err
	}
	for _, d := range q.doubts() {
		if d.fails {
			e.final, e.Advice = true, d.text
			break
		}
	}
	return err
}
