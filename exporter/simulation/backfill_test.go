package simulation

import (
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
)

// backfillStream has the records from before the start of the archive's stream. Another runner delivers them at the same time.
const backfillStream = archiveStream + "-backfill"

// backfill returns one run of the backfill, as the command wires it.
func (p *process) backfill() *exporter.Backfill {
	store := view{p, positions, p.positions}
	return &exporter.Backfill{
		Stream: *p.exporters[archiveStream], Past: p.journal(archiveStream, store),
		Journal: p.journal(backfillStream, store, checkpoint.AnyOrder()),
	}
}

// judgeBackfilled checks an entry of a backfill: no other entry has its time, and its window lacks no record.
func (w *world) judgeBackfilled(p *process, j *journal, e checkpoint.Checkpoint, began time.Time) {
	own := e.Window
	w.note(p.name, "commits %s %d: %s to %s, %d fresh of %d", j.name, e.Serial, stamp(own.Start), stamp(own.End),
		e.Records.Fresh, e.Records.Read)
	if own.Span() == 0 {
		w.tally["commits kept out"]++
		w.judgeCounts(e, 0)
		return
	}
	w.tally["windows of backfills"]++
	for _, other := range j.windows {
		if own.Intersect(other).Span() > 0 {
			w.fail("entry %d of %s takes %v, of which %v was taken already", e.Serial, p.name, own, other)
		}
	}
	if own.End.After(w.from) {
		w.fail("entry %d of %s takes %v, and from %s on everything is the stream's own", e.Serial, p.name, own, stamp(w.from))
	}
	j.windows = append(j.windows, own)
	w.judgeCounts(e, w.judgeNamed(e))
	w.judgeSpan(p.name, j, own.Start, own.End, began)
}

// judgeBackfill checks, at the end, that the two journals account for all objects and all time.
func (w *world) judgeBackfill(j *journal) {
	for key, f := range w.archive.files {
		if !f.committed && !w.allGone(f.ids) {
			w.fail("%s is there, and no entry accounts for it", key)
		}
	}
	for _, row := range w.rows {
		if row.promised && row.CreatedAt.Before(w.from) {
			w.judgeDelivered("the end", j, row)
		}
	}
}
