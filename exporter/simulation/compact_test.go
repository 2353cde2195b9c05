package simulation

import (
	"errors"
	"fmt"
	"path"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// compactor stands for a compaction of the archive. Other runners have the name of a stream there.
const compactor = "compaction"

// compaction returns one compaction, as the command wires it. It takes each day that is over. So late records of a compacted day
// are common.
func (p *process) compaction() *compact.Compactor {
	store := view{p, positions, p.positions}
	return &compact.Compactor{
		Files: view{p, objects, p.objects}, Journal: p.journal(archiveStream, store),
		Backfill: p.journal(backfillStream, store, checkpoint.AnyOrder()),
		State:    checkpoint.OpenState[compact.Intent](store, archiveStream, compact.StateName),
		Tenant:   tenant, Version: "simulated", Memory: 64 << 20, Wait: time.Minute, Log: zap.NewNop(),
		Done: func(d compact.Day) {
			p.world.mu.Lock()
			defer p.world.mu.Unlock()
			p.tally["days compacted"]++
			p.note(p.name, "has compacted %s: %d objects became %d", d.Day, d.Objects, d.Made)
		},
	}
}

// compacted counts the result of a compaction. It must have no finding, unless the log was pruned between two attempts at a window:
// then a person must look.
func (p *process) compacted(err error) {
	switch {
	case err == nil:
		p.tally["compactions that went well"]++
	case errors.Is(err, compact.ErrFinding) && !p.pruned:
		p.fail("%s finds fault with the archive: %v", p.name, err)
	default:
		p.tally["compactions that failed"]++
	}
}

// judgeProduct checks the object that is about to replace others: the archive already has each of its records. No query should see
// that object for long. So the records stay at their place until an entry accounts for the object, and the old objects go.
func (w *world) judgeProduct(p *process, key, extension string, body []byte, began time.Time) {
	if old := w.archive.files[key]; old != nil {
		w.fail("%s writes %s over another object", p.name, key)
	}
	f := &file{sha: digest(body), by: p.name, product: true, ids: w.contents(body, extension)}
	if w.isForgotten(key) {
		w.comesBack(p, key, f, began)
		return
	}
	for i, id := range f.ids {
		if i > 0 && (id.micros < f.ids[i-1].micros || id == f.ids[i-1]) {
			w.fail("%s writes %v after %v into %s", p.name, id, f.ids[i-1], key)
		}
		if _, there := w.archive.where[id]; !there {
			w.fail("%s writes %v into %s, and the archive does not have it", p.name, id, key)
		}
	}
	w.archive.files[key] = f
	w.tally["objects of compactions"]++
}

// judgeCompaction checks an entry of a compaction. It leaves the stream unchanged, and its object has the records of the objects
// that it replaces.
func (w *world) judgeCompaction(p *process, j *journal, key string, e checkpoint.Checkpoint, sha string) {
	switch {
	case path.Base(key) != fmt.Sprintf("%020d.json", j.serial+1) || e.Serial != j.serial+1 || e.PreviousSHA256 != j.sha:
		w.fail("%s writes the compaction %d as %s after entry %d", p.name, e.Serial, key, j.serial)
	case e.Lineage != j.lineage || !e.Cursor.Equal(j.cursor) || !e.DeliveredSince.Equal(j.known):
		w.fail("the compaction %d of %s changes the stream: %+v", e.Serial, p.name, e)
	}
	j.serial, j.sha = e.Serial, sha
	w.note(p.name, "commits %s %d: compacts %s", j.name, e.Serial, e.Compacted.Day)
	made := w.archive.files[e.Objects[0].Key]
	if made == nil || made.sha != e.Objects[0].SHA256 || made.committed {
		w.fail("the compaction %d of %s names %s, which is not as it says: %+v", e.Serial, p.name, e.Objects[0].Key, made)
		return
	}
	has := map[identity]bool{}
	for _, id := range made.ids {
		has[id] = true
	}
	for _, r := range e.Compacted.Replaced {
		f := w.archive.files[r.Key]
		if f == nil || f.sha != r.SHA256 {
			w.fail("the compaction %d of %s replaces %s, which is not as it says", e.Serial, p.name, r.Key)
			return
		}
		for _, id := range f.ids {
			if !has[id] {
				w.fail("the compaction %d of %s replaces %s, and its object lacks %v", e.Serial, p.name, r.Key, id)
			}
		}
		f.replacedBy = made
	}
	made.committed = true
	w.tally["entries of kind compact"]++
	w.judgeSet(p, j, e)
}

// judgeDelete checks that the records of a deleted object are in another one, and that an entry accounts for that one.
func (w *world) judgeDelete(p *process, key string) {
	f := w.archive.files[key]
	if f == nil {
		return // the probe of the compactor, or an object that an earlier request deleted
	}
	if w.judgeRemoval(key, f) {
		return
	}
	heir := f.replacedBy
	if f.product && heir == nil { // a late request brought it back
		heir = w.heirs[key]
	}
	for heir != nil && heir.replacedBy != nil {
		heir = heir.replacedBy
	}
	if heir == nil {
		w.fail("%s deletes %s, and no entry replaced or removed it", p.name, key)
		return
	}
	for at, other := range w.archive.files {
		if other != heir {
			continue
		}
		for _, id := range f.ids {
			w.archive.where[id] = at
		}
		delete(w.archive.files, key)
		w.heirs[key] = heir
		w.tally["objects deleted by compactions"]++
		return
	}
	w.fail("%s deletes %s, and what replaced it is gone", p.name, key)
}

// judgeOnce checks, when the last compaction is done, that no record is in two objects.
func (w *world) judgeOnce() {
	for key, f := range w.archive.files {
		for _, id := range f.ids {
			if at := w.archive.where[id]; at != key && !w.allGone(f.ids) {
				w.fail("%v is in %s, and in %s as well", id, at, key)
			}
		}
	}
}
