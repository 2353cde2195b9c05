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
	if w.kind == walkHistory {
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

// A kind says why Houndtrail walks a span of time, and so how its windows change the position.
type kind int

const (
	walkDue      kind = iota // from the position to now
	walkBackfill             // before the stream's start, in its own journal: each window counts for itself
	walkRescan               // the last days once more, to find late records
	walkResumed              // windows that another walk has declared and not committed
	walkSearch               // behind the position, because a clock was set back
	walkSearchOn             // the same, after an entry has said that a search is owed
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

// keepsPosition tells that the position does not move. Then every record that the set of delivered ids does not know is new.
func (k kind) keepsPosition() bool { return k.entry() != checkpoint.KindExport }

// past tells that the journal has no next cycle that looks back, so the set remembers no ids.
func (k kind) past() bool { return k == walkBackfill }

// completes tells that after this walk, the rescan is done.
func (k kind) completes() bool { return k == walkRescan }

// owes tells that a rescan is due after this walk, even if the schedule asks for none.
func (k kind) owes() bool { return k == walkSearch || k == walkSearchOn }

// quiet tells that a window that brings no new record needs no entry.
func (k kind) quiet() bool { return k == walkSearchOn || k == walkAhead }
