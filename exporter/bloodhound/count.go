package bloodhound

import (
	"context"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// Count is how many rows the server counts that were created at from or later; known is false when the build tells no
// count. Rows without a time are not among them.
//
// The envelope's count ignores before and after, but not a filter: created_at=gte:T bounds it on every build, as long
// as it is the only filter. The rows themselves are not wanted, and one of them may be bad: the window ends before it begins,
// and the order is the index's own. By -id, PostgreSQL walks the primary key of the whole table to find that out.
func (c *Client) Count(ctx context.Context, from time.Time) (n int64, known bool, err error) {
	p, err := c.read(ctx, Query{SortBy: NewestFirst(), Filters: countingFrom(from)}.beside(), breakdowns, c.options.MaxPage)
	return p.Count, err == nil && p.Count >= 0, err
}

// Counted is what the server counted from the nth of the instants that the pages of the batch were asked to count from, in the
// order of Fetch's parameter. It is to be called only after Wait. known is false if the build tells no count, or if there
// were not enough pages to ask.
func (b *Batch) Counted(nth int) (n int64, known bool) {
	if nth >= len(b.counts) || b.counts[nth] < 0 {
		return 0, false
	}
	return b.counts[nth], true
}

func countingFrom(t time.Time) []Filter {
	return []Filter{{Column: "created_at", Predicate: "gte", Value: page.FormatTime(t)}}
}

// Has tells whether the server has a record with that id that was created at that instant. Its count is bounded by the
// primary key, and its rows by the index on created_at. It leaves the size of pages alone, and what is known of their order,
// so that it can be asked while a Fetch is under way.
//
// A row that has become bad since is still there: no other row is asked for, so it can only be that one over which the
// server breaks down. A row that is large is not held to be looked at.
func (c *Client) Has(ctx context.Context, id int64, at time.Time) (bool, error) {
	p, err := c.read(ctx, Query{
		Bounded: true, After: at, Before: at, Limit: 1, SortBy: NewestFirst(),
		Filters: []Filter{{Column: "id", Predicate: "eq", Value: strconv.FormatInt(id, 10)}},
	}, breakdowns, c.options.MaxPage)
	if refusal(err) != nil || ofPage(err, rest.TooLarge) {
		return true, nil //nolint:nilerr // that is the answer
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
