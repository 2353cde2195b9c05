package exporter

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A walk is a span of time that Houndtrail takes in windows.
type walk struct {
	kind            kind
	cursor, horizon time.Time
	pass            uint64
	set             dedup.Set
	seen            *checkpoint.Record // the newest delivered record; nil for none, or if the walk does not look for it
	known           time.Time          // the set knows the delivered records from then on
	since           time.Time          // Houndtrail reads the first window from then on
	back            time.Time          // or from then on, to find seen, if not too many records lie between; zero if not needed
	try             time.Duration      // about how long the first window should be; 0 if there is no estimate

	keep    time.Time       // of a rescan or a history: after it, the set remembers ids from then on
	intents []window.Window // the windows of an uncommitted attempt: the walk first takes exactly these
}

// due is the walk from the cursor to the cycle's time. It also reads the newest delivered record, even if that record is old:
// if the source still has it, this is still the same log.
func (c *cycle) due() walk {
	w := walk{
		kind:   walkDue,
		cursor: c.stored.Cursor, horizon: c.horizon(), pass: c.stored.Epoch,
		set: c.set, seen: c.stored.Newest,
		known: c.stored.DeliveredSince, since: c.stored.DeliveredSince, try: c.page,
	}
	w.since = latest(w.since, c.stored.Cursor.Add(-c.Overlap))
	if w.seen != nil && w.seen.CreatedAt.Before(w.since) {
		w.back = w.seen.CreatedAt
	}
	return w
}

// horizon is the end of the last window of a cycle.
func (c *cycle) horizon() time.Time { return c.now.Add(-c.Settle).Truncate(grain) }

// rescan is the walk over the last days. It looks for records that became visible later than a cycle waits for them. It starts
// at the start of the set's memory, so each day that it walks is complete.
func (c *cycle) rescan() (w walk, due bool) {
	end := earliest(c.stored.Cursor, c.horizon().Add(-c.Overlap)) // the overlap finds late records from then on
	owed := c.owed()
	if owed {
		end = c.stored.Cursor
	}
	if c.stored.Serial == 0 || c.Rescan == 0 && !owed || !c.stored.DeliveredSince.Before(end) ||
		!owed && !c.forgets() && c.RescanSchedule.Next(c.stored.RescannedAt).After(c.now) {
		return walk{}, false
	}
	w = c.revisit(walkRescan, c.stored.DeliveredSince, end, c.nextPass())
	w.keep = c.keep()
	return w, true
}

// owed tells that a search is due, even if the schedule asks for none: the clocks were behind, or a user rebuilt or set back
// the position.
func (c *cycle) owed() bool { return c.stored.Serial > 0 && c.stored.RescannedAt.IsZero() }

// keep is the instant from which on the set remembers ids. If Rescan is a day or more, this is the start of a day: then the
// rescan can count whole days.
func (e *Exporter) keep(horizon time.Time) time.Time {
	keep := horizon.Add(-e.memory())
	if e.Rescan >= day {
		keep = keep.Truncate(day)
	}
	return keep
}

const (
	day = 24 * time.Hour
	// leastMemory is the shortest time for which the set remembers ids. If both clocks were ahead, a person may set them back by
	// an hour. With this memory, Houndtrail can still tell the new records of that hour from the delivered ones.
	leastMemory = IdleCommit + time.Hour
)

// memory is how long the set remembers the ids of delivered records.
func (e *Exporter) memory() time.Duration { return max(e.Rescan, e.Overlap, leastMemory) }

func (c *cycle) keep() time.Time { return c.Exporter.keep(c.horizon()) }

// forgets tells that the stream stood still for so long that after the walk to now, the set will know no record delivered
// before it. So Houndtrail first searches the last hours before the position for late records, even if the schedule asks for no
// rescan.
func (c *cycle) forgets() bool { return c.Rescan > 0 && !c.keep().Before(c.stored.Cursor) }

// unfinished is the walk over the windows that an attempt declared and did not commit. The attempt may have left parts of them
// at the destination. So the cycle takes them whole, before it declares any other window.
func (c *cycle) unfinished() (w walk, ok bool) {
	c.lease.Settle(c.stored.Window)
	intents := c.lease.Intents()
	if len(intents) == 0 {
		return walk{}, false
	}
	first, end := intents[0], intents[len(intents)-1].End
	switch {
	case first.Pass == c.stored.Epoch && first.Start.Equal(c.stored.Cursor):
		w = c.due()
		w.horizon = end
	case c.stored.History != nil && first.Pass == c.stored.History.Pass:
		return c.history()
	case first.Pass > c.stored.Epoch && !first.Start.Before(c.stored.DeliveredSince):
		kind := walkResumed
		if end.After(c.stored.Cursor) {
			kind = walkAhead
		}
		w = c.revisit(kind, first.Start, end, first.Pass)
	default: // the attempt committed them, and also the windows after them
		c.lease.Drop()
		return walk{}, false
	}
	w.intents = intents
	return w, true
}

// nextPass is a number that no walk of this lineage has had. So no object of the new walk has the name of an earlier object. It
// is higher than the epoch, the number of the lineage's own windows.
func (c *cycle) nextPass() uint64 { return c.stored.Epoch + c.stored.Serial + 1 }

func (c *cycle) revisit(k kind, from, to time.Time, pass uint64) walk {
	return walk{
		kind:   k,
		cursor: from, horizon: to, since: from, pass: pass,
		set: c.set, seen: c.stored.Newest, known: c.stored.DeliveredSince,
	}
}

// remembered is the instant from which on the set has to know delivered records after win.
//
// The settings promise that every row appears within settle and overlap. So when this cycle began, all rows from before horizon
// - overlap were there, and for a backlog the set has to remember nothing. The next cycle looks for later rows once. The
// windows of this cycle do not look back. Houndtrail never looks back further than the set knows, even if the user makes the
// overlap longer.
func (e *Exporter) remembered(w walk, win window.Window, known time.Time) time.Time {
	if w.kind.unknown() {
		return w.keep // the same as before the walk
	}
	if w.kind.keepsPosition() {
		return latest(known, earliest(win.End, w.keep))
	}
	if e.Rescan == 0 {
		return latest(known, earliest(win.End, e.keep(w.horizon)))
	}
	if keep := e.keep(w.horizon); !keep.Before(win.Start) {
		return earliest(win.End, keep) // late records from before this window can no longer come
	}
	return known
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// follow runs the cycle of a stream that follows an archive.
func (c *cycle) follow(ctx context.Context, archive Follower) error {
	if c.stored.History != nil { // from the time in which the stream read from the server
		if err := c.take(ctx, c.history); err != nil {
			return err
		}
	}
	for {
		step, err := c.step(ctx, archive)
		switch {
		case err != nil:
			return err
		case step.Late != nil:
			if err := c.late(ctx, step); err != nil {
				return err
			}
			continue // the archive may have committed more meanwhile
		case step.Until.After(c.stored.Cursor):
			if err := c.export(ctx, c.upTo(step)); err != nil {
				return err
			}
		case c.Observer != nil:
			c.Observer.CaughtUp(c.stored.Cursor, c.clock().Sub(c.stored.Cursor))
		}
		if !step.More {
			return failed(StageSource, step.Standing)
		}
		if c.stops() {
			return ErrStopped
		}
	}
}

// step asks the archive for the next step. A stream that has not followed the archive so far has read from the server. Then it compares
// the archive's records of the last days with the ones that it remembers, and begins to follow.
func (c *cycle) step(ctx context.Context, archive Follower) (Step, error) {
	at := FollowedTo{Cursor: c.stored.Cursor}
	if c.stored.StartAsked {
		at.Floor = c.stored.Start
	}
	at.Floor = latest(at.Floor, c.stored.ForgottenBefore)
	begins := c.stored.Followed == nil && c.stored.Serial > 0
	switch {
	case begins:
		at.Floor = c.stored.Cursor // no record is late: the walk below finds what the stream lacks
		at.Since = latest(c.stored.DeliveredSince, c.stored.Start)
	case c.stored.Followed != nil:
		at.Followed = *c.stored.Followed
	}
	step, err := archive.Follow(ctx, at)
	if err != nil {
		return step, failed(StageSource, err)
	}
	c.following, c.end = &step.Next, step.End
	if !begins {
		return step, nil
	}
	c.Log.Info("the stream follows the archive from now on", zap.Uint64("entry", step.Next.Archive.Serial))
	w := c.revisit(walkRescan, c.stored.DeliveredSince, earliest(c.stored.Cursor, latest(step.Until, c.stored.DeliveredSince)), c.nextPass())
	if w.seen, w.keep = nil, c.stored.DeliveredSince; !w.horizon.After(w.cursor) {
		return step, nil
	}
	return step, c.export(ctx, w)
}

// upTo is the walk from the cursor to the archive's cursor.
func (c *cycle) upTo(step Step) walk {
	w := c.due()
	w.horizon, w.since, w.seen, w.back = step.Until, c.stored.Cursor, nil, time.Time{}
	return w
}

// late delivers the late records of a step. An earlier attempt may have delivered some of them: the archive leaves them out.
func (c *cycle) late(ctx context.Context, step Step) error {
	if c.stops() {
		return ErrStopped
	}
	pass := c.nextPass()
	if f := c.stored.Followed; f != nil && f.Late != nil {
		pass = f.Late.Pass
	}
	c.Log.Info("the archive has late records: Houndtrail delivers them", zap.Time("from", step.LateFrom), zap.Time("until", step.LateTo),
		zap.Uint64("entry", step.Next.Archive.Serial))
	whole := c.Exporter
	part := *whole
	part.Source = lateSource{step.Late, whole.Source}
	c.Exporter = &part
	defer func() { c.Exporter, whole.last = whole, part.last }()
	w := c.revisit(walkLate, step.LateFrom, step.LateTo.Add(grain), pass)
	w.seen, w.known, w.keep = nil, step.LateFrom, c.stored.DeliveredSince
	return c.export(ctx, w)
}

// A lateSource has only late records. Which of them are of our own requests, the stream's source tells.
type lateSource struct {
	Source

	whole Source
}

// Own asks the stream's source.
func (l lateSource) Own(ctx context.Context, r *record.Record) bool { return l.whole.Own(ctx, r) }

// followed is how far the stream has followed the archive after a window; nil if it reads from the server.
func (c *cycle) followed(w walk, p part, cursor time.Time) *checkpoint.Followed {
	if c.following == nil {
		return nil
	}
	before := c.stored.Followed
	switch {
	case w.kind == walkLate && !p.last:
		f := checkpoint.Followed{}
		if before != nil {
			f = *before
		}
		f.Late = &checkpoint.LateWork{Archive: c.following.Archive, Backfill: c.following.Backfill, Next: p.End, Pass: p.Pass}
		return &f
	case w.kind == walkRescan && !p.last, w.kind == walkHistory:
		return before
	}
	f := *c.following
	f.Whole = c.end.Before(cursor)
	return &f
}
