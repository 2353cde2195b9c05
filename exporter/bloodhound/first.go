package bloodhound

import (
	"context"
	"time"
)

// searchStep is how exactly Houndtrail searches for a first record. The time from the found instant to that record then becomes
// part of a window. It has no records, so it costs few requests.
const searchStep = 30 * 24 * time.Hour

// The first and the last instant that the API can write.
func firstInstant() time.Time { return time.Time{} }

func lastInstant() time.Time {
	return time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
}

// NewestFirst is a total order. It is the same on every build, and the server has an index on created_at for it.
func NewestFirst() []string { return []string{"-created_at", "-id"} }

// oldestFirst is the order that builds since March 2024 obey. Earlier builds ignore it and answer newest first.
func oldestFirst() []string { return []string{"created_at", "id"} }

// First returns when the first record at or after from and before to was created. It may also return an instant up to 30 days
// earlier, if no record of from..to is before that instant. ok is false if there is no record. With Options.Quarantine or
// Retry.Interactive, a bad row counts as a record. Without them, it is a [*BadRecordError].
func (c *Client) First(ctx context.Context, from, to time.Time) (at time.Time, ok bool, err error) {
	// Records have whole microseconds, and both bounds of a request are inclusive.
	from, to = from.Add(time.Microsecond-1).Truncate(time.Microsecond), to.Add(-1).Truncate(time.Microsecond)
	if to.Before(from) {
		return time.Time{}, false, nil
	}
	found, err := c.first(ctx, from, to)
	return found.at, found.ok, err
}

// foremost is the first row of a span, with the server's count that came with it.
type foremost struct {
	at    time.Time
	ok    bool
	count int64 // -1 if the server tells none
}

// first asks for the oldest row of from..to, both inclusive. It believes the answer only if a second request finds no row before
// it: builds before March 2024 always answer newest first. If there is an earlier row, first searches for the oldest one.
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

// firstOfDark searches for the first row if the server does not show when that row was created. If the export goes on without
// the row, 30 days are exact enough. If Houndtrail has to name the row, firstOfDark finds its exact instant.
func (c *Client) firstOfDark(ctx context.Context, from, to time.Time, found foremost) (foremost, error) {
	if found.count < 0 { // the answer was a breakdown, which has no count
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
	if now := c.Guess().Server.Truncate(grain); now.After(from) && now.Before(to) { // few rows are later than now
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

// A search narrows the time down in which the first row of a span lies. Its steps are on a grid that is the same for every
// search, so every search finds the same step. It asks "is there any row up to t?". This works on every build, and also if the
// server cannot print the row. It counts steps in microseconds, since a Duration ends at 292 years.
type search struct {
	c    *Client
	from time.Time
	step int64 // microseconds

	none, known int64 // the steps up to none have no row; the step known, or an earlier one, has a row
}

// search returns the beginning of the step with the first row of from..some, or from if that is later. The span must have a
// row. search looks 30, 60, 120... days before a known row. Then it halves the rest.
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
	// A row may have come in before none since the last question.
	if first := time.UnixMicro(s.known * s.step).UTC(); first.After(from) {
		return first, nil
	}
	return from, nil
}

// of returns the step of an instant.
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
