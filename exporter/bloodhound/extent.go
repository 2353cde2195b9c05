package bloodhound

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
)

// ErrHidden says that the server counts records and shows none: what it answers is not the log.
var ErrHidden = errors.New("the server counts records that it does not show")

// recently is where [Client.Newest] looks first: a server in use has a record in it, and then it counts no more than that.
const recently = 24 * time.Hour

// An Extent is what a log spans, as far as the server can tell.
type Extent struct {
	// Oldest is an instant that no record is before: the oldest record's own, or up to 30 days earlier. It may be in the
	// future. It is zero when Empty.
	Oldest time.Time
	// Empty says that the server shows no record and counts none.
	Empty bool
	// Count is how many rows the server counts, those without a time included; -1 when it tells no count.
	Count int64
	// Page is how long it takes on average until a page is full, or all the time from Oldest until now when everything
	// fits into one; 0 when the server tells no count.
	Page time.Duration
}

// Extent asks for what there is, whatever its time: now is only what Page is measured by. A bad row at the beginning is a
// [*BadRecordError], unless Options.Quarantine is set: then the log begins with it as with every other row.
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

// Newest is when the newest record was created, whatever its time: it shows records that are stamped in the future. ok is
// false when there is no record. A bad row is a [*BadRecordError], or with Options.Quarantine counts as a record.
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
