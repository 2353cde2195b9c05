package bloodhound

import (
	"context"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

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
