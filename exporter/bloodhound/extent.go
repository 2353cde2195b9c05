package bloodhound

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// ErrHidden says that the server counts records but shows none: its answer is not the log.
var ErrHidden = errors.New("the server counts records that it does not show")

// recently is the time before now in which [Client.Newest] looks first. A server in use has a record in that time. Then it
// counts only the rows of that time.
const recently = 24 * time.Hour

// An Extent is the beginning and the size of a log, as far as the server can tell.
type Extent struct {
	// Oldest is an instant without any record before it: the oldest record's own instant, or an earlier one, by up to 30 days. It
	// may be in the future. It is zero if Empty is set.
	Oldest time.Time
	// Empty says that the server shows no record and counts none.
	Empty bool
	// Count is how many rows the server counts, with the rows that have no time; -1 if it tells no count.
	Count int64
	// Page is the average time in which a page fills. It is all the time from Oldest until now if one page holds everything, and 0
	// if the server tells no count.
	Page time.Duration
}

// Extent asks for the extent of the whole log, also of records in the future. It uses now only to compute Page. If the first
// row is bad, the error is a [*BadRecordError]. With Options.Quarantine or Retry.Interactive, the log begins with that row like
// with every other one.
func (c *Client) Extent(ctx context.Context, now time.Time) (Extent, error) {
	found, err := c.first(ctx, firstInstant(), lastInstant())
	switch {
	case err != nil:
		return Extent{}, err
	case found.ok:
	case found.count > 0:
		return Extent{}, hidden(found.count)
	default:
		return Extent{Empty: true, Count: found.count}, nil
	}
	x := Extent{Oldest: found.at, Count: found.count}
	if x.Count > 0 {
		x.Page = max(now.Sub(x.Oldest), 0)
	}
	if pages := float64(x.Count) / float64(c.pageSize()); pages > 1 {
		x.Page = time.Duration(float64(x.Page) / pages)
	}
	return x, nil
}

// Newest returns when the newest record was created, even if that time is in the future. ok is false if there is no record. If
// the newest row is bad, the error is a [*BadRecordError]. With Options.Quarantine or Retry.Interactive, the bad row counts as
// a record.
func (c *Client) Newest(ctx context.Context) (at time.Time, ok bool, err error) {
	var e edge
	for _, from := range []time.Time{c.Guess().Server.Truncate(grain).Add(-recently), firstInstant()} {
		if e, err = c.edge(ctx, from, lastInstant(), NewestFirst()); err == nil && e.dark {
			e, err = c.newest(ctx, from, lastInstant())
		}
		if err == nil {
			err = c.stopAt(e.bad)
		}
		if err != nil {
			return time.Time{}, false, err
		}
		if e.ok {
			return e.at, true, nil
		}
	}
	if e.count > 0 {
		return time.Time{}, false, hidden(e.count)
	}
	return time.Time{}, false, nil
}

func hidden(count int64) error {
	return fmt.Errorf("%w: it counts %d and shows none at any time from %s to %s; a replica or a cache may answer for it that "+
		"does not have the rows yet, or its rows have no created_at; run the command again, and if it says the same, ask "+
		"the people who run the server", ErrHidden, count, page.FormatTime(firstInstant()), page.FormatTime(lastInstant()))
}

// An edge is the row at one end of a span, as far as the server shows it.
type edge struct {
	ok    bool // there is such a row
	at    time.Time
	dark  bool            // the server does not show when the row was created, and at is the end of the span
	bad   *BadRecordError // the fault of the row; nil for none
	count int64           // the server's count; -1 if it tells none
}

// edge asks for the row at one end of from..to, both inclusive.
func (c *Client) edge(ctx context.Context, from, to time.Time, order []string) (edge, error) {
	return c.glimpse(ctx, from, to, order, breakdowns)
}

// glimpse is like edge. The caller says after how many breakdowns it suspects the row. A step of a search suspects the row
// after the first breakdown, because the search asks once more for the row that it finds.
func (c *Client) glimpse(ctx context.Context, from, to time.Time, order []string, breakdowns int) (edge, error) {
	q := Query{Bounded: true, After: from, Before: to, Limit: 1, SortBy: order, Filters: boundCount(from, to)}
	p, err := c.read(ctx, q, breakdowns, c.options.MaxPage)
	if ofPage(err, rest.TooLarge) {
		return c.largeEdge(ctx, q)
	}
	if refusal(err) != nil {
		bad := &BadRecordError{Cause: err, Position: position(1, NewestFirst())}
		if from.Equal(to) {
			bad.CreatedAt = to
		}
		return edge{ok: true, at: to, dark: from.Before(to), bad: bad, count: -1}, nil
	}
	if err != nil {
		return edge{}, err
	}
	for i := range p.Records {
		if at := p.Records[i].CreatedAt; at.Before(from) || at.After(to) {
			return edge{}, strayError(p.Records[i].ID, at, from, to)
		}
	}
	e := edge{count: p.Count}
	if e.at, e.ok = earliest(p.Records); e.ok || len(p.Refused) == 0 {
		return e, nil
	}
	r := &p.Refused[0]
	e.ok, e.at, e.bad = true, r.CreatedAt, badRecord(r, q.target())
	if e.at.IsZero() || e.at.Before(from) || e.at.After(to) {
		e.at, e.dark = to, from.Before(to)
		if !e.dark {
			e.bad.CreatedAt = to
		}
	}
	return e, nil
}

// boundCount adds a filter for the server's count(*): the count ignores the window, and without a filter it would read the
// whole table. With the filter, the server counts from the span's beginning on. If the span has no beginning, it counts up to
// the span's end. A second filter would be a 500 on builds before 2025.
func boundCount(from, to time.Time) []Filter {
	switch {
	case !from.Equal(firstInstant()):
		return countingFrom(from)
	case !to.Equal(lastInstant()):
		return []Filter{{Column: "created_at", Predicate: "lte", Value: page.FormatTime(to)}}
	default:
		return nil
	}
}

// earliest returns when the oldest of the records was created. ok is false if there are no records.
func earliest(records []record.Record) (t time.Time, ok bool) {
	for i := range records {
		if at := records[i].CreatedAt; i == 0 || at.Before(t) {
			t = at
		}
	}
	return t, len(records) > 0
}

// passes tells that Houndtrail need not name a bad row. Either the export goes on without the row, or a person only asks how
// far the log reaches.
func (c *Client) passes() bool { return c.options.Quarantine || c.options.Connection.Retry.Interactive }

// stopAt is the error about a bad row, if Houndtrail has to name it.
func (c *Client) stopAt(bad *BadRecordError) error {
	if bad == nil || c.passes() {
		return nil
	}
	return bad
}

// newest searches for the newest row of from..to, both inclusive, if the server does not show when that row was created. It
// finds the exact instant.
func (c *Client) newest(ctx context.Context, from, to time.Time) (edge, error) {
	var likely []time.Time
	if at, ok := c.suspects.newest(from, to); ok {
		likely = []time.Time{at, at.Add(-grain)}
	}
	for from.Before(to) {
		middle := between(from, to)
		if len(likely) > 0 {
			if !likely[0].Before(from) && likely[0].Before(to) {
				middle = likely[0]
			}
			likely = likely[1:]
		}
		e, err := c.glimpse(ctx, middle.Add(grain), to, NewestFirst(), 1)
		switch {
		case err != nil:
			return e, err
		case !e.ok:
			to = middle
		case e.dark:
			from = middle.Add(grain)
		default:
			from, to = e.at, e.at
		}
	}
	e, err := c.edge(ctx, to, to, NewestFirst())
	if err == nil && e.bad != nil && refusal(e.bad.Cause) != nil {
		c.suspects.add(to) // if the row is bad, the next question or Fetch finds it at once
	}
	return e, err
}
