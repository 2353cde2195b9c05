package exporter

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// longestLook and shortestLook bound how often Houndtrail asks for the oldest record: soon after the stream began, since a
// replica that lags may have given the first answer, and then less and less often.
const (
	shortestLook = time.Minute
	longestLook  = 24 * time.Hour
	lookGrowth   = 4
	// askTime is how long one such look may take.
	askTime = time.Minute
)

// lookDue tells whether Houndtrail should look for the oldest record again.
func lookDue(seen checkpoint.Sighting, now time.Time) bool {
	pause := shortestLook
	for range seen.Looks {
		pause = min(pause*lookGrowth, longestLook)
	}
	return now.Sub(seen.SeenAt) >= pause
}

// refreshEnds sets what the entry of a window says about the log's ends. Now and then Houndtrail looks for the ends again while it
// writes the windows. The last window's entry tells what it found.
func (f *flight) refreshEnds(ctx context.Context, d *delivery) {
	seen := f.stored.Oldest
	d.outcome.seen = seen
	if f.walk.kind != walkDue || !lookDue(seen, f.now) {
		return
	}
	if f.oldest == nil {
		found := make(chan checkpoint.Sighting, 1)
		f.running.Go(func() {
			f.newest = f.refreshNewest(ctx)
			found <- f.refreshOldest(ctx, seen)
		})
		f.oldest, f.looked = found, true
	}
	if d.last {
		d.oldest = f.oldest
	}
}

// refreshOldest looks for the oldest record. If it fails, no window waits for that.
func (c *cycle) refreshOldest(ctx context.Context, seen checkpoint.Sighting) checkpoint.Sighting {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	extent, err := c.Source.Extent(ctx, c.now)
	switch {
	case err != nil:
		c.Log.Warn("the oldest record at the source is not known", zap.Error(err))
	case !extent.Empty && extent.Oldest.Before(c.now):
		return seen.Next(extent.Oldest, c.now)
	}
	return seen
}

// appeared declares a history if records came to light before the start of a stream that has everything. The next step begins
// to walk it.
func (c *cycle) appeared(next *checkpoint.Checkpoint) {
	oldest := next.Oldest.CreatedAt
	if next.History != nil || next.StartAsked || oldest.IsZero() || !oldest.Before(next.Start) {
		return
	}
	c.Log.Warn("the server has records from before the oldest one that it had: they are exported now",
		zap.Time("from", oldest), zap.Time("until", next.Start))
	from := oldest.Truncate(grain)
	next.History = &checkpoint.History{From: from, Next: from, Until: next.Start, Pass: c.nextPass()}
}

// history is the walk over the records that appeared before the start, as far as it is still to be done. It comes before a
// rescan, since a rescan finds some of the same records and forgets them.
func (c *cycle) history() (w walk, due bool) {
	h := c.stored.History
	if h == nil {
		return walk{}, false
	}
	w = c.revisit(walkHistory, h.Next, h.Until, h.Pass)
	// The stream has delivered no record of the rest, however long ago they were created: all records that are not committed are
	// new.
	w.known, w.keep = h.Next, c.stored.DeliveredSince
	if intents := c.lease.Intents(); len(intents) > 0 && intents[0].Pass == h.Pass && intents[0].Start.Equal(h.Next) {
		w.intents = intents
	}
	return w, true
}

// A foremost is when the newest record of the source was created; ok is false if it has none.
type foremost struct {
	at time.Time
	ok bool
}

// refreshNewest looks for the newest record while the windows go on. If that fails it returns nil, and the cycle looks once
// more.
func (c *cycle) refreshNewest(ctx context.Context) *foremost {
	at, ok, err := c.Source.Newest(ctx)
	if err != nil {
		return nil
	}
	return &foremost{at, ok}
}

// ahead delivers records whose times are later than both clocks: the server's clock is ahead of ours, or was ahead when the
// server wrote them. The position does not move. It passes these times with the clocks, and then the records are already
// delivered.
func (c *cycle) ahead(ctx context.Context) error {
	if c.stored.Serial == 0 || c.skew <= Apart && !c.stored.Ahead.After(c.now) && !c.looked {
		return nil
	}
	newest := c.newest
	if newest == nil {
		at, ok, err := c.Source.Newest(ctx)
		if err != nil {
			return failed(StageSource, err)
		}
		newest = &foremost{at, ok}
	}
	now := c.present() // not the cycle's time: the server may have written the record since the cycle began
	if !newest.ok || newest.at.Sub(now) <= Apart {
		return nil
	}
	c.Log.Warn("the server has records of times that are still to come: they are exported now",
		zap.Time("newest", newest.at), zap.Time("now", now))
	return c.export(ctx, c.revisit(walkAhead, latest(c.horizon(), c.stored.Cursor), newest.at.Add(grain), c.nextPass()))
}
