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
	if !oldest.IsZero() { // what was removed from the archive on purpose stays away
		oldest = latest(oldest, c.stored.ForgottenBefore)
	}
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

const (
	// threeMonths is the retention of PR #3049 at its shortest, from the end of January over February to the end of April:
	// it drops each month that ended three months before the present one began.
	threeMonths = 89 * 24 * time.Hour
	// fourMonths is the greatest age of a record under that retention. If a server has an older record, it has no such limit.
	fourMonths = 124 * 24 * time.Hour
	// nearLimit is how long before the limit Houndtrail warns. If half of the limit is less, it takes that instead.
	nearLimit = 14 * 24 * time.Hour
)

// Retention is how long the source keeps records. With the zero value, Houndtrail finds out: three months, until it sees
// otherwise.
type Retention struct {
	Fixed time.Duration // 0 if Houndtrail should find out
	Off   bool          // do not look after it
}

// Limit is the age at which a user must expect records to vanish; 0 if there is no reason to expect it.
//
// Until a record has vanished, the limit is three months, or longer if the source has older records. If it has records that are
// older than that limit allows at all, there is no limit. Once a record has vanished, the source certainly kept all records
// that are younger than the present oldest record. Houndtrail knows no more than that.
func (r Retention) Limit(seen checkpoint.Sighting) time.Duration {
	age := seen.SeenAt.Sub(seen.CreatedAt)
	switch {
	case r.Off || r.Fixed > 0:
		return r.Fixed
	case seen.SeenAt.IsZero():
		return threeMonths
	case seen.Gone > 0:
		return age
	case age > fourMonths:
		return 0
	default:
		return max(age, threeMonths)
	}
}

// Deadline is when the source may begin to drop records at the cursor, which are not exported yet; zero if there is no reason
// to expect it.
func (r Retention) Deadline(cursor time.Time, seen checkpoint.Sighting) time.Time {
	limit := r.Limit(seen)
	if limit == 0 || cursor.IsZero() {
		return time.Time{}
	}
	return cursor.Add(limit)
}

// Near tells that the deadline is closer than it should be.
func (r Retention) Near(cursor time.Time, seen checkpoint.Sighting, now time.Time) bool {
	deadline := r.Deadline(cursor, seen)
	return !deadline.IsZero() && deadline.Sub(now) < min(nearLimit, deadline.Sub(cursor)/2)
}

// guard tells how far the stream is from the source's retention.
func (c *cycle) guard(at checkpoint.Checkpoint) {
	if c.Observer != nil {
		c.Observer.Guarded(at.Oldest.CreatedAt, c.Retention.Deadline(at.Cursor, at.Oldest))
	}
}

// warn says that records may be lost soon. It needs no answer of the source, since the source may be the problem. A stream that
// only begins is not late.
func (c *cycle) warn(at checkpoint.Checkpoint) {
	if c.stored.Serial == 0 || !c.Retention.Near(at.Cursor, at.Oldest, c.clock()) {
		return
	}
	deadline := c.Retention.Deadline(at.Cursor, at.Oldest)
	c.Log.Warn("the server may soon drop records that are not exported yet: find out what holds up the export",
		zap.Time("cursor", at.Cursor), zap.Time("deadline", deadline), zap.Duration("left", deadline.Sub(c.clock())),
		zap.Duration("retention", c.Retention.Limit(at.Oldest)), zap.Time("oldest", at.Oldest.CreatedAt))
}
