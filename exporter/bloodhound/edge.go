package bloodhound

import (
	"context"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// An edge is the row at one end of a span, as far as the server shows it.
type edge struct {
	ok    bool // there is one
	at    time.Time
	dark  bool            // when it was created does not show: at is the end of the span
	bad   *BadRecordError // what is wrong with the row; nil for nothing
	count int64           // of the server's; -1 when it tells none
}

// edge looks at the row at one end of from..to, both inclusive.
func (c *Client) edge(ctx context.Context, from, to time.Time, order []string) (edge, error) {
	return c.glimpse(ctx, from, to, order, breakdowns)
}

// glimpse is edge for a server that is asked so many times over what it breaks down. One step of a search takes it at its
// word: what is found in the end is looked at once more.
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

// boundCount keeps the server's count(*), which ignores the window, from reading the whole table: it counts from the span's
// beginning on, or up to its end when it has no beginning. A second filter would be a 500 on builds before 2025.
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

// earliest is when the oldest of the records was created; ok is false without records.
func earliest(records []record.Record) (t time.Time, ok bool) {
	for i := range records {
		if at := records[i].CreatedAt; i == 0 || at.Before(t) {
			t = at
		}
	}
	return t, len(records) > 0
}

// passes tells that a bad row need not be named: the export goes on without it, or a person only wants to know how far the
// log reaches.
func (c *Client) passes() bool { return c.options.Quarantine || c.options.Connection.Retry.Interactive }

// stopAt is the error about a bad row, if it has to be named.
func (c *Client) stopAt(bad *BadRecordError) error {
	if bad == nil || c.passes() {
		return nil
	}
	return bad
}

// newest is the newest row of from..to, both inclusive, exactly, if the server does not show when it was created.
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
		c.suspects.add(to) // the next question, or Fetch, finds it at once
	}
	return e, err
}
