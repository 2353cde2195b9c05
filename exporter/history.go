package exporter

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// longestLook and shortestLook are how often the oldest record is asked for: at first soon after the stream began, since
// its first answer may have been that of a replica that lags, and then less and less often.
const (
	shortestLook = time.Minute
	longestLook  = 24 * time.Hour
	lookGrowth   = 4
	// askTime is how long that may take.
	askTime = time.Minute
)

// lookDue tells whether the oldest record should be looked for again.
func lookDue(seen checkpoint.Sighting, now time.Time) bool {
	pause := shortestLook
	for range seen.Looks {
		pause = min(pause*lookGrowth, longestLook)
	}
	return now.Sub(seen.SeenAt) >= pause
}

// refreshEnds says when the log begins and ends, for the entry of a window. Houndtrail looks for both ends again, now and then,
// beside the windows; the entry of a cycle's last window tells them.
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

// refreshOldest looks for the oldest record. That it fails is no reason to hold up a window.
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

// appeared declares the history that came to light before the start of a stream that has everything: it is walked from the
// next step on.
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

// history is the walk over what appeared before the start, as far as it is still to be done. It comes before a rescan: that
// finds some of the same records, and forgets them.
func (c *cycle) history() (w walk, due bool) {
	h := c.stored.History
	if h == nil {
		return walk{}, false
	}
	w = c.revisit(walkHistory, h.Next, h.Until, h.Pass)
	// Nothing of it was delivered, however long ago that was: what of it is not committed is new.
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

// refreshNewest looks for the newest record beside the windows; nil if that fails, and then it is looked for once more.
func (c *cycle) refreshNewest(ctx context.Context) *foremost {
	at, ok, err := c.Source.Newest(ctx)
	if err != nil {
		return nil
	}
	return &foremost{at, ok}
}

// ahead delivers records that are stamped later than both clocks: the server's clock is ahead of ours, or was when it
// wrote them. The position does not move: it gets there with the clocks, and finds them delivered.
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
	now := c.present() // and not the cycle's: the record may have been written since that began
	if !newest.ok || newest.at.Sub(now) <= Apart {
		return nil
	}
	c.Log.Warn("the server has records of times that are still to come: they are exported now",
		zap.Time("newest", newest.at), zap.Time("now", now))
	return c.export(ctx, c.revisit(walkAhead, latest(c.horizon(), c.stored.Cursor), newest.at.Add(grain), c.nextPass()))
}
