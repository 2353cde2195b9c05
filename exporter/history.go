package exporter

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// longestLook and shortestLook limit how often Houndtrail asks for the oldest record. It asks soon after the stream began,
// since the first answer may be from a replica that lags. Later it asks less and less often.
const (
	shortestLook = time.Minute
	longestLook  = 24 * time.Hour
	lookGrowth   = 4
	// askTime is how long Houndtrail waits for such an answer.
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

// refreshEnds sets the fields of a window's entry that tell the log's ends. From time to time Houndtrail looks for the ends
// again, while it writes the windows. The entry of the last window then tells the result.
func (f *flight) refreshEnds(ctx context.Context, d *delivery) {
	seen := f.stored.Oldest
	d.outcome.seen = seen
	if f.walk.kind != walkDue || f.following != nil || !lookDue(seen, f.now) {
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

// refreshOldest looks for the oldest record. If it fails, the windows do not wait for it.
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

// appeared declares a history if records appeared before the start of a stream that has everything. The next step of the cycle
// begins to walk it.
func (c *cycle) appeared(next *checkpoint.Checkpoint) {
	oldest := next.Oldest.CreatedAt
	if !oldest.IsZero() { // Houndtrail does not deliver again what a user removed from the archive on purpose
		oldest = latest(oldest, c.stored.ForgottenBefore)
	}
	if next.History != nil || next.StartAsked || oldest.IsZero() || !oldest.Before(next.Start) {
		return
	}
	c.Log.Warn("the server now has records that are older than its oldest record was: Houndtrail exports them",
		zap.Time("from", oldest), zap.Time("until", next.Start))
	from := oldest.Truncate(grain)
	next.History = &checkpoint.History{From: from, Next: from, Until: next.Start, Pass: c.nextPass()}
}

// history is the walk over the records that appeared before the start, or over the part of them that is not done. It comes
// before a rescan, since a rescan finds some of the same records and forgets them.
func (c *cycle) history() (w walk, due bool) {
	h := c.stored.History
	if h == nil {
		return walk{}, false
	}
	w = c.revisit(walkHistory, h.Next, h.Until, h.Pass)
	// In the rest of the history, the stream has delivered no record, so every record there is new.
	w.known, w.keep = h.Next, c.stored.DeliveredSince
	if intents := c.lease.Intents(); len(intents) > 0 && intents[0].Pass == h.Pass && intents[0].Start.Equal(h.Next) {
		w.intents = intents
	}
	return w, true
}

// A foremost is the time of the newest record at the source; ok is false if the source has none.
type foremost struct {
	at time.Time
	ok bool
}

// refreshNewest looks for the newest record while the windows go on. If that fails, it returns nil, and the cycle asks again
// later.
func (c *cycle) refreshNewest(ctx context.Context) *foremost {
	at, ok, err := c.Source.Newest(ctx)
	if err != nil {
		return nil
	}
	return &foremost{at, ok}
}

// ahead delivers records whose times are later than both clocks. The server's clock may be ahead of ours, or was ahead when the
// server wrote them. The position does not move. When the clocks reach these times, the position passes them, and the records
// are already delivered.
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
	now := c.present() // it may be later than the cycle's time: the server may have written the record after the cycle began
	if !newest.ok || newest.at.Sub(now) <= Apart {
		return nil
	}
	c.Log.Warn("the server has records with times in the future: Houndtrail exports them",
		zap.Time("newest", newest.at), zap.Time("now", now))
	return c.export(ctx, c.revisit(walkAhead, latest(c.horizon(), c.stored.Cursor), newest.at.Add(grain), c.nextPass()))
}

const (
	// threeMonths is the shortest time for which a server with PR #3049 keeps records: from the end of January to the end of
	// April. Such a server drops each month that ended three months before the present month began.
	threeMonths = 89 * 24 * time.Hour
	// fourMonths is the greatest age of a record under that retention. If a server has an older record, it has no such retention.
	fourMonths = 124 * 24 * time.Hour
	// nearLimit is how long before the limit Houndtrail warns. If half of the limit is shorter, Houndtrail warns that long before
	// it.
	nearLimit = 14 * 24 * time.Hour
)

// Retention is how long the source keeps records. If Retention is the zero value, Houndtrail finds out: it expects three
// months, until the source shows otherwise.
type Retention struct {
	Fixed time.Duration // 0: Houndtrail finds out
	Off   bool          // do not watch the retention
}

// Limit is the age at which a record may vanish from the source; 0 if Houndtrail expects no record to vanish.
//
// As long as no record has vanished, the limit is three months, or longer if the source has older records. If the source has a
// record that is older than four months, there is no limit. Once a record has vanished, the limit is the age of the oldest
// record at the source: younger records were certainly kept.
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

// Deadline is when the source may begin to drop records that are not exported yet: those at the cursor. It is zero if
// Houndtrail expects the source to drop none.
func (r Retention) Deadline(cursor time.Time, seen checkpoint.Sighting) time.Time {
	limit := r.Limit(seen)
	if limit == 0 || cursor.IsZero() {
		return time.Time{}
	}
	return cursor.Add(limit)
}

// Near tells that the deadline is so close that Houndtrail should warn.
func (r Retention) Near(cursor time.Time, seen checkpoint.Sighting, now time.Time) bool {
	deadline := r.Deadline(cursor, seen)
	return !deadline.IsZero() && deadline.Sub(now) < min(nearLimit, deadline.Sub(cursor)/2)
}

// guard tells how close the stream is to the source's retention.
func (c *cycle) guard(at checkpoint.Checkpoint) {
	if c.Observer != nil {
		c.Observer.Guarded(at.Oldest.CreatedAt, c.Retention.Deadline(at.Cursor, at.Oldest))
	}
}

// warn says that records may be lost soon. It asks the source nothing, since the source may be the problem. A stream that has
// just begun is not late.
func (c *cycle) warn(at checkpoint.Checkpoint) {
	if c.stored.Serial == 0 || !c.Retention.Near(at.Cursor, at.Oldest, c.clock()) {
		return
	}
	deadline := c.Retention.Deadline(at.Cursor, at.Oldest)
	c.Log.Warn("the server may soon drop records that are not exported yet: find out what holds up the export",
		zap.Time("cursor", at.Cursor), zap.Time("deadline", deadline), zap.Duration("left", deadline.Sub(c.clock())),
		zap.Duration("retention", c.Retention.Limit(at.Oldest)), zap.Time("oldest", at.Oldest.CreatedAt))
}
