package bloodhound

import (
	"context"
	"time"
)

const (
	// oldestStep is how exactly search finds the beginning: what is left before it is read as part of a window,
	// which costs a few requests where there are no records.
	oldestStep = 30 * 24 * time.Hour
	// firstYear is before any BloodHound server: PR #3049 dates rows without a time to 2020.
	firstYear = 2000
	// farthestSkip bounds the one query that skips: a server walks the rows that it skips, at some 0.3 µs each.
	farthestSkip = 10_000_000
	// lastRows is the page in which the oldest record is expected in the middle.
	lastRows = 200
)

// An Extent is what a log spans, as far as the server can tell.
type Extent struct {
	// Oldest is an instant that no record is before: the oldest record's own, or somewhat earlier. Where there is no record
	// it is now, to the microsecond.
	Oldest time.Time
	// Page is how long it takes on average until a page is full, or all the time until now where everything fits into one;
	// 0 where the server tells no count.
	Page time.Duration
}

// Extent asks for what there is up to now.
//
// The walk order is newest first, so the oldest record is behind all others: at skip = count - 1, or some rows off, since
// count includes rows without a time, and rows come in between two requests. The oldest of a page around there is
// believed only when nothing turns out to be before it: count belongs to something else on old builds and is missing
// from the published documentation, old builds ignore skip, and a short page proves nothing where the order may be
// another one. Then the oldest is searched for.
func (c *Client) Extent(ctx context.Context, now time.Time) (Extent, error) {
	newest, err := c.upTo(ctx, now, 0, 1)
	if err != nil {
		return Extent{}, err
	}
	known, ok := earliest(newest.Records)
	if !ok {
		return Extent{Oldest: now.UTC().Truncate(time.Microsecond)}, nil
	}
	x := Extent{}
	if x.Oldest, err = c.oldest(ctx, now, known, newest.Count); err != nil {
		return Extent{}, err
	}
	if newest.Count > 0 {
		x.Page = time.Duration(float64(now.Sub(x.Oldest)) * min(float64(c.pageSize())/float64(newest.Count), 1))
	}
	return x, nil
}

// oldest looks behind count records, of which one is known.
func (c *Client) oldest(ctx context.Context, now, known time.Time, count int64) (time.Time, error) {
	oldest := known
	if count > 1 && count <= farthestSkip {
		last, err := c.upTo(ctx, now, max(int(count)-lastRows/2, 0), lastRows)
		if err != nil {
			return time.Time{}, err
		}
		if at, ok := earliest(last.Records); ok {
			oldest = at
		}
	}
	before, err := c.upTo(ctx, oldest.Add(-time.Microsecond), 0, 1)
	if err != nil {
		return time.Time{}, err
	}
	some, ok := earliest(before.Records)
	if !ok {
		return oldest, nil
	}
	return c.search(ctx, some)
}

// search returns an instant that no record is before, and not much more than 30 days earlier than the oldest one. It
// asks "is there any record up to t?" at t = 30, 60, 120… days before one that there is, and then halves the gap. That
// works on every build.
func (c *Client) search(ctx context.Context, some time.Time) (time.Time, error) {
	none := beginning()
	for step := oldestStep; some.Add(-step).After(none); step *= 2 {
		at := some.Add(-step)
		page, err := c.upTo(ctx, at, 0, 1)
		if err != nil {
			return time.Time{}, err
		}
		older, ok := earliest(page.Records)
		if !ok {
			none = at
			break
		}
		some = older
	}
	for some.Sub(none) > oldestStep {
		middle := none.Add(some.Sub(none) / 2).Truncate(time.Microsecond)
		page, err := c.upTo(ctx, middle, 0, 1)
		if err != nil {
			return time.Time{}, err
		}
		if at, ok := earliest(page.Records); ok {
			some = at
		} else {
			none = middle
		}
	}
	return none, nil
}

func beginning() time.Time { return time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC) }

// upTo returns the newest records with created_at <= t, without the skipped ones.
func (c *Client) upTo(ctx context.Context, t time.Time, skip, limit int) (Page, error) {
	return c.Logs(ctx, Query{After: beginning(), Before: t, Skip: skip, Limit: limit, SortBy: []string{"-created_at", "-id"}})
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
