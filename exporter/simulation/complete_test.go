package simulation

import (
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
)

// judgeComplete checks that every record that the cursor has passed is delivered, if it was visible when the cycle began.
func (w *world) judgeComplete(p *process, j *journal, began time.Time) {
	w.learn()
	if w.following(j) {
		w.judgeFollowed(p, j, time.Time{}, j.cursor, began)
		return
	}
	for _, row := range w.rows {
		if row.promised && row.CreatedAt.Before(j.cursor) && !row.shown.After(began) {
			w.judgeDelivered(p.name, j, row)
		}
	}
}

// following tells whether a stream follows the archive.
func (w *world) following(j *journal) bool { return w.follows && j.name == webhookStream }

// judgeFollowed checks that a stream that follows the archive has each record of a span that the archive had when the cycle began.
func (w *world) judgeFollowed(p *process, j *journal, from, until, began time.Time) {
	for _, f := range w.archive.files {
		if !f.committed || f.since.After(began) {
			continue
		}
		for _, id := range f.ids {
			row := w.rows[id]
			if row == nil || row.CreatedAt.Before(from) || !row.CreatedAt.Before(until) || row.CreatedAt.Before(j.begins) {
				continue
			}
			w.tally["records followed"]++
			if event := w.receiver.events[id]; event == nil || event.committed.IsZero() {
				w.fail("LOST: the %s of %s is committed up to %s without a record that the archive had: %v of %s", j.name, p.name,
					stamp(j.cursor), id, stamp(row.CreatedAt))
			}
		}
	}
}

func (w *world) judgeDelivered(who string, j *journal, row *row) {
	id := row.identity()
	if row.gone || j.name != backfillStream && row.CreatedAt.Before(w.from) {
		return
	}
	if (j.name != webhookStream || w.follows) && row.CreatedAt.Before(w.oblivion.before) {
		return // a person removed it on purpose, maybe before a stream that follows the archive has sent it
	}
	var delivered bool
	if j.name != webhookStream {
		f := w.archive.files[w.archive.where[id]]
		delivered = f != nil && f.committed
	} else {
		event := w.receiver.events[id]
		delivered = event != nil && !event.committed.IsZero()
	}
	if !delivered {
		w.fail("LOST: the %s of %s is committed up to %s without a %s: %v of %s, which was there from %s on",
			j.name, who, stamp(j.cursor), row.sort(), id, stamp(row.CreatedAt), stamp(row.commits))
	}
}

// sort says which search of Houndtrail must find the row.
func (r *row) sort() string {
	switch {
	case r.light:
		return "record that came to light"
	case !r.promised:
		return "straggler"
	case r.late:
		return "late record"
	default:
		return "record"
	}
}

// judgeHistory checks that an entry that knows of records from before the stream's start leaves them to a history.
func (w *world) judgeHistory(p *process, j *journal, e checkpoint.Checkpoint) {
	j.history = e.History != nil
	oldest := e.Oldest.CreatedAt
	if !j.history && !e.StartAsked && !oldest.IsZero() && w.expected(j, oldest).Before(e.Start) && e.Kind != checkpoint.KindBarrier {
		w.fail("entry %d of %s knows of a record of %s, before the start of the %s at %s, and no history has it",
			e.Serial, p.name, stamp(oldest), j.name, stamp(e.Start))
	}
}

// expected is the time from which a stream that has everything must have records, if the oldest record is of that time.
func (w *world) expected(j *journal, oldest time.Time) time.Time {
	if j.name == archiveStream && oldest.Before(w.oblivion.before) {
		return w.oblivion.before
	}
	return oldest
}

// judgeEnd checks, when no more rows will come, that every record is delivered.
func (w *world) judgeEnd() {
	w.learn()
	if len(w.hidden) > 0 {
		w.fail("%d rows never appeared", len(w.hidden))
	}
	last := time.Now().Add(-w.promise() - time.Hour)
	for _, name := range streams {
		j := w.journals[name]
		if j.lost != lostNot || j.debt.owed {
			w.fail("in the end the %s lacks its journal, or owes a search", name)
		}
		for _, row := range w.rows {
			if (row.promised || row.searched || row.light) && row.commits.Before(last) {
				w.judgeDelivered("the end", j, row)
			}
		}
		w.judgeReadable(j)
		for _, named := range j.snapshots {
			if !named {
				w.tally["sets that no entry names"]++
			}
		}
	}
	if w.backfills {
		w.judgeBackfill(w.journals[backfillStream])
	}
}

// judgeReadable checks that the exporter finds no fault in the journal.
func (w *world) judgeReadable(j *journal) {
	entries := uint64(0)
	for _, err := range w.journal(j.name, checkpointtest.NewFaulty(w.positions)).Entries(w.t.Context()) {
		if err != nil {
			w.fail("the %s journal: %v", j.name, err)
			break
		}
		entries++
	}
	if entries != j.serial {
		w.fail("the %s journal has %d entries, of which %d can be read", j.name, j.serial, entries)
	}
}
