package bloodhound

import (
	"context"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
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
