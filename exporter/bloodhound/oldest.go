package bloodhound

import (
	"context"
	"time"
)

const (
	// oldestStep is how exactly Oldest finds the beginning: what is left before it is read as part of a window,
	// which costs nothing where there are no records.
	oldestStep = 30 * 24 * time.Hour
	// firstYear is before any BloodHound server: PR #3049 dates rows without a time to 2020.
	firstYear = 2000
)

// Oldest returns the start of the UTC day of an instant that no record is before, and not much more than 30 days
// earlier than the oldest one that the server still has.
//
// It asks "is there any record up to t?" at t = 30, 60, 120… days ago and then halves the gap. That works on every build,
// where skip = count - 1 does not: count includes rows without a time, the published documentation has no count, old
// builds ignore skip, and the server walks every row that it skips.
func (c *Client) Oldest(ctx context.Context, now time.Time) (time.Time, error) {
	floor := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	none, some := now.Add(-oldestStep), now
	for step := oldestStep; ; step *= 2 {
		at, ok, err := c.newestUpTo(ctx, none, floor)
		if err != nil {
			return time.Time{}, err
		}
		if !ok {
			break
		}
		if some, none = at, at.Add(-step); none.Before(floor) {
			none = floor
			break
		}
	}
	for some.Sub(none) > oldestStep {
		middle := none.Add(some.Sub(none) / 2)
		at, ok, err := c.newestUpTo(ctx, middle, floor)
		if err != nil {
			return time.Time{}, err
		}
		if ok {
			some = at
		} else {
			none = middle
		}
	}
	return none.UTC().Truncate(24 * time.Hour), nil
}

// newestUpTo returns the time of the newest record with created_at <= t.
func (c *Client) newestUpTo(ctx context.Context, t, floor time.Time) (at time.Time, ok bool, err error) {
	page, err := c.Logs(ctx, Query{After: floor, Before: t, Limit: 1, SortBy: []string{"-created_at", "-id"}})
	if err != nil || len(page.Records) == 0 {
		return time.Time{}, false, err
	}
	return page.Records[0].CreatedAt, true, nil
}
