package bloodhound

import (
	"context"
	"time"
)

// Count is how many rows the server counts that were created at from or later; known is false where the build tells no
// count. Rows without a time are not among them.
//
// The envelope's count ignores before and after, but not a filter: created_at=gte:T bounds it on every build, as long
// as it is the only filter.
func (c *Client) Count(ctx context.Context, from time.Time) (n int64, known bool, err error) {
	nothing := beginning() // the rows themselves are not wanted
	page, err := c.Logs(ctx, Query{After: nothing, Before: nothing, Limit: 1, SortBy: []string{"-id"}, Filters: countingFrom(from)})
	return page.Count, page.Count >= 0, err
}

// Count is what the server counted from an instant that the pages of the batch were asked to count from. It is to be
// called only after Wait. known is false where the build tells no count, or there were not enough pages to ask.
func (b *Batch) Count(from time.Time) (n int64, known bool) {
	n, known = b.counts[from]
	return n, known
}

func countingFrom(t time.Time) []Filter {
	return []Filter{{Column: "created_at", Predicate: "gte", Value: wireTime(t)}}
}
