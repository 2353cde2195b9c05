package exporter

import (
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A walk is a span of time to be taken in windows.
type walk struct {
	kind            kind
	cursor, horizon time.Time
	pass            uint64
	set             dedup.Set
	seen            *checkpoint.Record // the newest record that was delivered; nil for none, or if it is not to be looked for
	known           time.Time          // from when on the set knows what was delivered
	since           time.Time          // where the first window is read from
	back            time.Time          // the same if there is not too much in between, to meet seen; zero for no need
	try             time.Duration      // about how long the first window should be; 0 for no idea

	keep    time.Time       // of a rescan, and of history: from when on ids are remembered after it
	intents []window.Window // of attempts that were not committed: the first windows are taken whole, as those
}

// due is the walk from the cursor to now. It also reads the newest record that was delivered, however long ago that was:
// a log that has it has gone on from where it was.
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

// horizon is where the last window ends.
func (c *cycle) horizon() time.Time { return c.now.Add(-c.Settle).Truncate(grain) }

// rescan is the walk over the last days, in search of records that took longer to appear than is waited for. It starts
// where the last one left off remembering, so that of a day nothing is left out.
func (c *cycle) rescan() (w walk, due bool) {
	end := earliest(c.stored.Cursor, c.horizon().Add(-c.Overlap)) // what is later is still looked back to
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

// owed tells that a search is due whatever the schedule: the clocks were behind, or the position was rebuilt or set back.
func (c *cycle) owed() bool { return c.stored.Serial > 0 && c.stored.RescannedAt.IsZero() }

// keep is from when on ids are remembered. Days are remembered whole if there is room for one: then the rescan counts
// them whole.
func (e *Exporter) keep(horizon time.Time) time.Time {
	keep := horizon.Add(-e.memory())
	if e.Rescan >= day {
		keep = keep.Truncate(day)
	}
	return keep
}

const (
	day = 24 * time.Hour
	// leastMemory is how long ids are remembered at least. Both clocks may have been ahead, and be set back by an hour: then
	// what was stamped meanwhile can be told from what was delivered.
	leastMemory = IdleCommit + time.Hour
)

// memory is how long the ids of delivered records are remembered.
func (e *Exporter) memory() time.Duration { return max(e.Rescan, e.Overlap, leastMemory) }

func (c *cycle) keep() time.Time { return c.Exporter.keep(c.horizon()) }

// forgets tells that the stream stood still for so long that the walk to now will forget all that was delivered before.
// What appeared in the last hours of that has to be searched for first, whatever the schedule.
func (c *cycle) forgets() bool { return c.Rescan > 0 && !c.keep().Before(c.stored.Cursor) }

// unfinished is the walk over the windows that an attempt has declared and not committed, which may have left parts of them
// at the destination: they are taken whole, before anything else is declared.
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
	default: // they were committed, and so was what came after them
		c.lease.Drop()
		return walk{}, false
	}
	w.intents = intents
	return w, true
}

// nextPass is a number that no walk of this lineage has had, so that none of its objects is one that is there. It is higher
// than the epoch, which is what the windows of the lineage itself carry.
func (c *cycle) nextPass() uint64 { return c.stored.Epoch + c.stored.Serial + 1 }

func (c *cycle) revisit(k kind, from, to time.Time, pass uint64) walk {
	return walk{
		kind:   k,
		cursor: from, horizon: to, since: from, pass: pass,
		set: c.set, seen: c.stored.Newest, known: c.stored.DeliveredSince,
	}
}

// remembered is from when on the set has to know what was delivered once win is.
//
// Of a row that is promised to appear within settle and overlap, everything before horizon - overlap was there when this
// cycle began: for a backlog nothing is remembered. What is later is looked for by the next cycle, once: the windows of
// this one do not look back. Houndtrail never looks back further than what the set knows, whatever the overlap is changed to.
func (e *Exporter) remembered(w walk, win window.Window, known time.Time) time.Time {
	if w.kind == walkHistory {
		return w.keep // as before it
	}
	if w.kind.again() {
		return latest(known, earliest(win.End, w.keep))
	}
	if e.Rescan == 0 {
		return latest(known, earliest(win.End, e.keep(w.horizon)))
	}
	if keep := e.keep(w.horizon); !keep.Before(win.Start) {
		return earliest(win.End, keep) // nothing before this window matters any more
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
