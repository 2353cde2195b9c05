package simulation

import (
	"encoding/json"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
)

// A memory is a journal's account of the delivered records.
type memory struct {
	set       dedup.Set       // the set in the latest entry
	snapshots map[string]bool // sets in objects; true if an entry has named the object
	noted     uint64          // the serial in the note of the newest entry
}

// judgeSnapshot notes a set that a process wrote as an object of its own.
func (w *world) judgeSnapshot(p *process, j *journal, name string, body []byte) {
	if name != digest(body) {
		w.fail("%s writes a set of the %s as %s, and its SHA-256 is %s", p.name, j.name, name, digest(body))
	}
	if j.snapshots == nil {
		j.snapshots = map[string]bool{}
	}
	j.snapshots[name] = false
	w.tally["sets as objects"]++
	w.note(p.name, "writes a set of the %s: %s, %d bytes", j.name, name, len(body))
}

// judgeSet checks that an entry, by itself or with the entries before it, knows every record that was delivered since its own
// DeliveredSince.
func (w *world) judgeSet(p *process, j *journal, e checkpoint.Checkpoint) {
	var err error
	switch base := e.DeliveredBase; {
	case base == nil:
		j.set, err = dedup.Parse(e.Delivered)
		w.tally["sets as a part of an entry"]++
	case base.Serial != e.Serial:
		j.set, err = j.set.Apply(e.Delivered)
		w.tally["sets as a change"]++
	default:
		if _, there := j.snapshots[base.SHA256]; !there {
			w.fail("entry %d of %s names a set that is not there: %s", e.Serial, p.name, base.SHA256)
			return
		}
		j.snapshots[base.SHA256] = true
		var body []byte
		if body, _, _, err = w.positions.Get(w.t.Context(), j.name+"/delivered/"+base.SHA256); err == nil {
			j.set, err = dedup.Parse(body)
		}
	}
	if err != nil {
		w.fail("entry %d of %s: %v", e.Serial, p.name, err)
	}
	for _, id := range w.accounted(j) {
		at := time.UnixMicro(id.micros).UTC()
		if !at.Before(e.DeliveredSince) && !j.set.Knows(dedup.Ref{ID: id.id, CreatedAt: at}) {
			w.fail("entry %d of %s does not know %v of %s, which was delivered, and says that it knows all since %s",
				e.Serial, p.name, id, stamp(at), stamp(e.DeliveredSince))
			return
		}
	}
}

// accounted returns the records for which the entries of a stream account. A new lineage need not know all records that the
// receiver has.
func (w *world) accounted(j *journal) (ids []identity) {
	if j.name == webhookStream {
		for id, event := range w.receiver.events {
			if !event.committed.IsZero() && event.lineage == j.resets {
				ids = append(ids, id)
			}
		}
		return ids
	}
	for _, f := range w.archive.files {
		if f.committed && !f.past {
			ids = append(ids, f.ids...)
		}
	}
	return ids
}

// judgeNote checks that the note of the newest entry names no missing entry. A note that is behind costs only time.
func (w *world) judgeNote(p *process, j *journal, body []byte) {
	if j.lost != lostNot {
		return // a process that has not noted its last entry yet does not know of the loss
	}
	var n struct {
		Serial uint64 `json:"serial"`
		SHA256 string `json:"sha256"`
	}
	if err := json.Unmarshal(body, &n); err != nil {
		w.fail("%s writes the note %q: %v", p.name, body, err)
	}
	if n.Serial > j.serial || n.Serial == j.serial && n.SHA256 != j.sha {
		w.fail("%s notes entry %d (%s) of the %s, and the newest is %d (%s)", p.name, n.Serial, n.SHA256, j.name, j.serial, j.sha)
	}
	j.noted = n.Serial
	w.tally["notes"]++
}

// A trace counts the writes of a cycle to its stream's journal.
type trace struct {
	objects, entries int
	freely           bool // it took a lease that its holder had given back
}

// judgeIdle checks a cycle that went well and had no news. It must have written nothing, unless it took over from a dead one.
func (p *process) judgeIdle(stream string) {
	switch t := p.traces[stream]; {
	case t.objects == 0:
		p.tally["cycles that wrote nothing"]++
	case t.entries == 0 && t.freely:
		p.fail("%s writes %d objects for the %s, and none is an entry", p.name, t.objects, stream)
	}
}
