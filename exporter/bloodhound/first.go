package bloodhound

import (
	"context"
	"time"
)

// searchStep is how exactly a first record is searched for: what is left before it is read as part of a window, which costs few
// requests when it holds no records.
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
// record of from..to is before. ok is false when there is none. A bad row counts as a record, or is a [*BadRecordError].
func (c *Client) First(ctx context.Context, from, to time.Time) (at time.Time, ok bool, err error) {
	// Records have whole microseconds, and both bounds of a request are inclusive.
	from, to = from.Add(time.Microsecond-1).Truncate(time.Microsecond), to.Add(-1).Truncate(time.Microsecond)
	if to.Before(from) {
		return time.Time{}, false, nil
	}
	found, err := c.first(ctx, from, to)
	return found.at, found.ok, err
}

// foremost is the first row of a span, and what the server counted when it was asked for it.
type foremost struct {
	at    time.Time
	ok    bool
	count int64 // -1 when the server tells none
}

// first asks for the oldest row of from..to, both inclusive. The answer is believed only when nothing turns out to be
// before it: builds before March 2024 always answer newest first. Then the row is searched for.
func (c *Client) first(ctx context.Context, from, to time.Time) (foremost, error) {
	e, err := c.edge(ctx, from, to, oldestFirst())
	if err != nil {
		return foremost{}, err
	}
	found := foremost{at: e.at, ok: e.ok, count: e.count}
	if e.dark {
		return c.firstOfDark(ctx, from, to, found)
	}
	if !e.ok || e.at.Equal(from) {
		return found, c.stopAt(e.bad)
	}
	before, err := c.edge(ctx, from, e.at.Add(-grain), NewestFirst())
	if err != nil {
		return foremost{}, err
	}
	if before.ok {
		found.at, err = c.search(ctx, from, before.at, searchStep)
		return found, err
	}
	return found, c.stopAt(e.bad)
}

// firstOfDark searches for the first row if the server does not show when it was created. It is found to a few days, which is
// all that is needed to go on without it, and exactly if it is to be named.
func (c *Client) firstOfDark(ctx context.Context, from, to time.Time, found foremost) (foremost, error) {
	if found.count < 0 { // a breakdown has no count
		var filters []Filter
		if from.After(firstInstant()) {
			filters = countingFrom(from)
		}
		beside, err := c.read(ctx, Query{SortBy: oldestFirst(), Filters: filters}.beside(), breakdowns, c.options.MaxPage)
		if err != nil {
			return foremost{}, err
		}
		found.count = beside.Count
	}
	some := to
	if now := c.Guess().Server.Truncate(grain); now.After(from) && now.Before(to) { // and hardly any row is later
		e, err := c.glimpse(ctx, from, now, NewestFirst(), 1)
		if err != nil {
			return foremost{}, err
		}
		if e.ok {
			some = e.at
		}
	}
	var err error
	if found.at, err = c.search(ctx, from, some, searchStep); err != nil || c.passes() {
		return found, err
	}
	if end := found.at.Add(searchStep); end.Before(some) {
		some = end
	}
	if found.at, err = c.search(ctx, found.at, some, grain); err != nil {
		return foremost{}, err
	}
	e, err := c.edge(ctx, found.at, found.at, NewestFirst())
	if err != nil {
		return foremost{}, err
	}
	return found, c.stopAt(e.bad)
}

// A search closes in on the first row of a span, step by step of a grid that is the same for every search, so that each finds
// the same. It asks "is there any row up to t?", which works on every build, and also for a row that the server cannot print.
// It counts in steps of microseconds, since a Duration ends at 292 years.
type search struct {
	c    *Client
	from time.Time
	step int64 // microseconds

	none, known int64 // no row is in the steps before none, and there is one that is in known, or before
}

// search returns the beginning of the step that the first row of from..some is in, or from, if that is later. One row has to
// be there. It looks 30, 60, 120... days before one that there is, and then halves the gap.
func (c *Client) search(ctx context.Context, from, some time.Time, step time.Duration) (time.Time, error) {
	s := search{c: c, from: from, step: step.Microseconds()}
	s.none, s.known = s.of(from), s.of(some)
	for start, back := s.none, int64(searchStep/step); s.none == start && s.known-back > start; back *= 2 {
		if err := s.look(ctx, s.known-back); err != nil {
			return time.Time{}, err
		}
	}
	for s.none < s.known {
		if err := s.look(ctx, s.none+(s.known-s.none)/2); err != nil {
			return time.Time{}, err
		}
	}
	// A row may have come in before none meanwhile.
	if first := time.UnixMicro(s.known * s.step).UTC(); first.After(from) {
		return first, nil
	}
	return from, nil
}

// of is the step that an instant is in.
func (s *search) of(t time.Time) int64 {
	at := t.UnixMicro()
	n := at / s.step
	if at%s.step < 0 {
		n--
	}
	return n
}

// look asks whether there is a row up to the end of a step.
func (s *search) look(ctx context.Context, step int64) error {
	e, err := s.c.glimpse(ctx, s.from, time.UnixMicro((step+1)*s.step-1).UTC(), NewestFirst(), 1)
	if e.ok {
		s.known = s.of(e.at)
	} else {
		s.none = step + 1
	}
	return err
}
