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
