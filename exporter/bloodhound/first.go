package bloodhound

import (
	"context"
	"fmt"
	"time"
)

// searchStep is how exactly search finds the first record: what is left before it is read as part of a window, which
// costs few requests when it holds no records.
const searchStep = 30 * 24 * time.Hour

// The first and the last instant that the API can write.
func firstInstant() time.Time { return time.Time{} }

func lastInstant() time.Time {
	return time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
}

// NewestFirst is the order that is total, the same on every build, and backed by the server's index on created_at.
func NewestFirst() []string { return []string{"-created_at", "-id"} }

// oldestFirst is the order of builds since March 2024; earlier ones answer newest first all the same.
func oldestFirst() []string { return []string{"created_at", "id"} }

// First is when the first record at or after from and before to was created, or an instant up to 30 days earlier that no
// record of from..to is before. ok is false when there is none.
func (c *Client) First(ctx context.Context, from, to time.Time) (at time.Time, ok bool, err error) {
	// Records have whole microseconds, and both bounds of a request are inclusive.
	from, to = from.Add(time.Microsecond-1).Truncate(time.Microsecond), to.Add(-1).Truncate(time.Microsecond)
	if to.Before(from) {
		return time.Time{}, false, nil
	}
	found, err := c.first(ctx, from, to)
	return found.at, found.ok, err
}

// foremost is the first record of a span, and what the server counted when it was asked for it.
type foremost struct {
	at    time.Time
	ok    bool
	count int64 // -1 when the server tells none
}

// first asks for the oldest record of from..to, both inclusive. The answer is believed only when nothing turns out to be
// before it: builds before March 2024 always answer newest first. Then the record is searched for.
func (c *Client) first(ctx context.Context, from, to time.Time) (foremost, error) {
	page, err := c.edge(ctx, from, to, oldestFirst())
	if err != nil {
		return foremost{}, err
	}
	found := foremost{count: page.Count}
	if found.at, found.ok = earliest(page.Records); !found.ok || found.at.Equal(from) {
		return found, nil
	}
	before, err := c.edge(ctx, from, found.at.Add(-time.Microsecond), NewestFirst())
	if err != nil {
		return foremost{}, err
	}
	if some, ok := earliest(before.Records); ok {
		found.at, err = c.search(ctx, from, some)
	}
	return found, err
}

// search returns an instant that no record of from..some is before, at most 30 days earlier than the first of them. It
// asks "is there any record up to t?" at t = 30, 60, 120… days before one that there is, and then halves the gap. That
// works on every build. It counts in microseconds, since a Duration ends at 292 years.
func (c *Client) search(ctx context.Context, from, some time.Time) (time.Time, error) {
	start, step := from.UnixMicro(), searchStep.Microseconds()
	none, known := start, some.UnixMicro() // no record is in start..none, and one is at known
	look := func(at int64) error {
		page, err := c.edge(ctx, from, time.UnixMicro(at).UTC(), NewestFirst())
		if older, ok := earliest(page.Records); ok {
			known = older.UnixMicro()
		} else {
			none = at + 1
		}
		return err
	}
	for back := step; none == start && known-back > start; back *= 2 {
		if err := look(known - back); err != nil {
			return time.Time{}, err
		}
	}
	for known-none > step {
		if err := look(none + (known-none)/2); err != nil {
			return time.Time{}, err
		}
	}
	return time.UnixMicro(min(none, known)).UTC(), nil // a record may have come in before none meanwhile
}

// edge returns the record at one end of from..to, both inclusive.
func (c *Client) edge(ctx context.Context, from, to time.Time, order []string) (Page, error) {
	page, err := c.Logs(ctx, Query{
		Bounded: true, After: from, Before: to, Limit: 1, SortBy: order, Filters: boundCount(from, to),
	})
	if err != nil {
		return Page{}, err
	}
	for i := range page.Records {
		if at := page.Records[i].CreatedAt; at.Before(from) || at.After(to) {
			return Page{}, fmt.Errorf("the server answered with a record of %s when asked for %s to %s: it ignores before and after, "+
				"so none of its answers can be trusted to be complete; is there a proxy in between that drops the query?",
				wireTime(at), wireTime(from), wireTime(to))
		}
	}
	return page, nil
}

// boundCount keeps the server's count(*), which ignores the window, from reading the whole table: it counts from the span's
// beginning on, or up to its end when it has no beginning. A second filter would be a 500 on builds before 2025.
func boundCount(from, to time.Time) []Filter {
	switch {
	case !from.Equal(firstInstant()):
		return countingFrom(from)
	case !to.Equal(lastInstant()):
		return []Filter{{Column: "created_at", Predicate: "lte", Value: wireTime(to)}}
	default:
		return nil
	}
}

// earliest is when the oldest of the records was created; ok is false without records.
func earliest(records []Record) (t time.Time, ok bool) {
	for i := range records {
		if at := records[i].CreatedAt; i == 0 || at.Before(t) {
			t = at
		}
	}
	return t, len(records) > 0
}
