package exporter

import (
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
)

const (
	// threeMonths is the retention of PR #3049 at its shortest, from the end of January over February to the end of April:
	// it drops each month that ended three months before the present one began.
	threeMonths = 89 * 24 * time.Hour
	// fourMonths is how old a record can get there at most. A server with an older one has no such limit.
	fourMonths = 124 * 24 * time.Hour
	// nearLimit is how long before the limit people are warned, or half of the limit, if that is less.
	nearLimit = 14 * 24 * time.Hour
)

// Retention is how long the source keeps records. The zero value finds out: three months, until something else is seen.
type Retention struct {
	Fixed time.Duration // 0 where it is to be found out
	Off   bool          // do not look after it
}

// Limit is the age at which records have to be expected to vanish; 0 where there is no reason to expect it.
//
// Until a record has vanished it is three months, or longer where older records are there; and none where they are older
// than that limit allows at all. Once one has vanished, everything that is younger than the oldest record of now was
// certainly kept, and more is not known.
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

// Deadline is when the source may begin to drop records that are not exported yet, those at the cursor; zero where that
// is not to be expected.
func (r Retention) Deadline(cursor time.Time, seen checkpoint.Sighting) time.Time {
	limit := r.Limit(seen)
	if limit == 0 || cursor.IsZero() {
		return time.Time{}
	}
	return cursor.Add(limit)
}

// Near tells that the deadline comes closer than it should.
func (r Retention) Near(cursor time.Time, seen checkpoint.Sighting, now time.Time) bool {
	deadline := r.Deadline(cursor, seen)
	return !deadline.IsZero() && deadline.Sub(now) < min(nearLimit, deadline.Sub(cursor)/2)
}

// guard tells where the stream stands against the source's retention.
func (c *cycle) guard(at checkpoint.Checkpoint) {
	if c.Observer != nil {
		c.Observer.Guarded(at.Oldest.CreatedAt, c.Retention.Deadline(at.Cursor, at.Oldest))
	}
}

// warn says that records may be lost soon. It needs no answer of the source, which may be what is wrong. A stream that only
// begins is not late.
func (c *cycle) warn(at checkpoint.Checkpoint) {
	if c.stored.Serial == 0 || !c.Retention.Near(at.Cursor, at.Oldest, c.clock()) {
		return
	}
	deadline := c.Retention.Deadline(at.Cursor, at.Oldest)
	c.Log.Warn("the server may soon drop records that are not exported yet: find out what holds up the export",
		zap.Time("cursor", at.Cursor), zap.Time("deadline", deadline), zap.Duration("left", deadline.Sub(c.clock())),
		zap.Duration("retention", c.Retention.Limit(at.Oldest)), zap.Time("oldest", at.Oldest.CreatedAt))
}
