package bloodhound

import (
	"context"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// Count returns how many rows the server counts that were created at from or later. known is false if the build tells no count.
// Rows without a time are not counted.
//
// The envelope's count ignores before and after, but it obeys a filter: created_at=gte:T limits it on every build, if it is the
// only filter. Count needs no rows, and it must not fail over a bad row. So it asks for a window that ends before it begins, in
// the order of the server's index. If it asked for the order by -id, PostgreSQL would read the primary key of the whole table,
// and find no row.
func (c *Client) Count(ctx context.Context, from time.Time) (n int64, known bool, err error) {
	return c.count(ctx, countingFrom(from))
}

// CountBefore is Count for the rows that were created before t. Rows that the server adds meanwhile do not change it, unless they
// appear late.
func (c *Client) CountBefore(ctx context.Context, t time.Time) (n int64, known bool, err error) {
	return c.count(ctx, []Filter{{Column: "created_at", Predicate: "lt", Value: page.FormatTime(t)}})
}

func (c *Client) count(ctx context.Context, of []Filter) (n int64, known bool, err error) {
	p, err := c.read(ctx, Query{SortBy: NewestFirst(), Filters: of}.beside(), breakdowns, c.options.MaxPage)
	return p.Count, err == nil && p.Count >= 0, err
}

// Counted has no count if the build tells none, or if the batch had too few pages: one page asks for one count.
func (b *batch) Counted(nth int) (n int64, known bool) {
	if nth >= len(b.counts) || b.counts[nth] < 0 {
		return 0, false
	}
	return b.counts[nth], true
}

func countingFrom(t time.Time) []Filter {
	return []Filter{{Column: "created_at", Predicate: "gte", Value: page.FormatTime(t)}}
}

// Has tells whether the server has a record with that id that was created at that instant. The primary key limits the work for
// its count, and the index on created_at limits the work for its rows. It changes neither the size of pages nor the knowledge
// about their order, so a caller can use it during a Fetch.
//
// If the row has become bad, it is still there. Has asks for no other row, so the server can break down only over this one. A
// row that is too large for a page is still there too. Has does not hold it in memory.
func (c *Client) Has(ctx context.Context, id int64, at time.Time) (bool, error) {
	p, err := c.read(ctx, Query{
		Bounded: true, After: at, Before: at, Limit: 1, SortBy: NewestFirst(),
		Filters: []Filter{{Column: "id", Predicate: "eq", Value: strconv.FormatInt(id, 10)}},
	}, breakdowns, c.options.MaxPage)
	if refusal(err) != nil || ofPage(err, rest.TooLarge) {
		return true, nil //nolint:nilerr // a refusal is an answer too: the row is there
	}
	if err != nil {
		return false, err
	}
	for i := range p.Refused {
		if r := &p.Refused[i]; (r.Fault.ID == 0 || r.Fault.ID == id) && (r.CreatedAt.IsZero() || r.CreatedAt.Equal(at)) {
			return true, nil
		}
	}
	for i := range p.Records {
		if r := &p.Records[i]; r.ID == id && r.CreatedAt.Equal(at) {
			return true, nil
		}
	}
	return false, nil
}
