package exporter

import (
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A walk is a span of time that Houndtrail takes in windows.
type walk struct {
	kind            kind
	cursor, horizon time.Time
	pass            uint64
	set             dedup.Set
	seen            *checkpoint.Record // the newest delivered record; nil for none, or if the walk does not look for it
	known           time.Time          // from when on the set knows the delivered records
	since           time.Time          // from when on the first window is read
	back            time.Time          // the same, to meet seen, if not too many records are in between; zero for no need
	try             time.Duration      // about how long the first window should be; 0 for no idea

	keep    time.Time       // of a rescan, and of history: from when on the set remembers ids after it
	intents []window.Window // of uncommitted attempts: the walk first takes exactly these windows
}

// due is the walk from the cursor to now. It also reads the newest delivered record, however old that record is: if the log
// still has it, the log has gone on from there.
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

// horizon is the end of the last window.
func (c *cycle) horizon() time.Time { return c.now.Add(-c.Settle).Truncate(grain) }

// rescan is the walk over the last days, in search of records that took longer to appear than a cycle waits. It starts at the
// instant from which on the set remembers ids, so it leaves out no part of a day.
func (c *cycle) rescan() (w walk, due bool) {
	end := earliest(c.stored.Cursor, c.horizon().Add(-c.Overlap)) // the overlap still looks back to later records
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

// keep is the instant from which on the set remembers ids. If Rescan is a day or more, the set remembers whole days: then the
// rescan counts them whole.
func (e *Exporter) keep(horizon time.Time) time.Time {
	keep := horizon.Add(-e.memory())
	if e.Rescan >= day {
		keep = keep.Truncate(day)
	}
	return keep
}

const (
	day = 24 * time.Hour
	// leastMemory is how long the set remembers ids at least. Both clocks may have been ahead, and a person may set them back by
	// an hour. Even then Houndtrail can tell new records of that hour from delivered ones.
	leastMemory = IdleCommit + time.Hour
)

// memory is how long the set remembers the ids of delivered records.
func (e *Exporter) memory() time.Duration { return max(e.Rescan, e.Overlap, leastMemory) }

func (c *cycle) keep() time.Time { return c.Exporter.keep(c.horizon()) }

// forgets tells that the stream stood still for so long that the walk to now will forget all records delivered before.
// Houndtrail first has to search the last hours of that time for records that appeared late, whatever the schedule.
func (c *cycle) forgets() bool { return c.Rescan > 0 && !c.keep().Before(c.stored.Cursor) }

// unfinished is the walk over the windows that an attempt has declared and not committed. The attempt may have left parts of
// them at the destination, so the cycle takes them whole, before it declares any other window.
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
	default: // they were committed, and so were the windows after them
		c.lease.Drop()
		return walk{}, false
	}
	w.intents = intents
	return w, true
}

// nextPass is a number that no walk of this lineage has had, so none of its objects has the name of an earlier object. It is
// higher than the epoch, which is the number that the lineage's own windows carry.
func (c *cycle) nextPass() uint64 { return c.stored.Epoch + c.stored.Serial + 1 }

func (c *cycle) revisit(k kind, from, to time.Time, pass uint64) walk {
	return walk{
		kind:   k,
		cursor: from, horizon: to, since: from, pass: pass,
		set: c.set, seen: c.stored.Newest, known: c.stored.DeliveredSince,
	}
}

// remembered is the instant from which on the set has to know the delivered records, once win is delivered.
//
// Rows are promised to appear within settle and overlap. So when this cycle began, all rows from before horizon - overlap were
// there: for a backlog the set remembers nothing. The next cycle looks for later rows, once; the windows of this cycle do not
// look back. Houndtrail never looks back further than the set knows, even if the user changes the overlap.
func (e *Exporter) remembered(w walk, win window.Window, known time.Time) time.Time {
	if w.kind == walkHistory {
		return w.keep // the same as before the walk
	}
	if w.kind.again() {
		return latest(known, earliest(win.End, w.keep))
	}
	if e.Rescan == 0 {
		return latest(known, earliest(win.End, e.keep(w.horizon)))
	}
	if keep := e.keep(w.horizon); !keep.Before(win.Start) {
		return earliest(win.End, keep) // no record before this window matters any more
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

// A kind says why Houndtrail walks a span of time, and so what its windows mean for the position.
type kind int

const (
	walkDue      kind = iota // from the position to now
	walkBackfill             // before the stream's start, in a journal of its own: each window counts for itself
	walkRescan               // the last days once more, in search of records that took long to appear
	walkResumed              // windows that another walk has declared and not committed
	walkSearch               // behind the position, because a clock was set back
	walkSearchOn             // the same, after an entry has said that a rescan is owed
	walkHistory              // records that appeared before the start of a stream that has everything
	walkAhead                // records with times later than both clocks
)

// entry is the kind of the entries that the walk commits.
func (k kind) entry() checkpoint.Kind {
	switch k {
	case walkDue, walkBackfill:
		return checkpoint.KindExport
	case walkHistory:
		return checkpoint.KindHistory
	case walkAhead:
		return checkpoint.KindAhead
	default:
		return checkpoint.KindRescan
	}
}

// again tells that the position does not move: every record that is not in the set of delivered ids is new.
func (k kind) again() bool { return k.entry() != checkpoint.KindExport }

// past tells that the journal has no next cycle that looks back, and so remembers no ids.
func (k kind) past() bool { return k == walkBackfill }

// completes tells that the walk does all the work of a rescan.
func (k kind) completes() bool { return k == walkRescan }

// owes tells that a rescan is due after it, whatever the schedule.
func (k kind) owes() bool { return k == walkSearch || k == walkSearchOn }

// quiet tells that a window that brings no new record needs no entry.
func (k kind) quiet() bool { return k == walkSearchOn || k == walkAhead }
