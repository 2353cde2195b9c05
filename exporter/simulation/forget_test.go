package simulation

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// forgetter stands for a person who removes old days from the archive. Other runners have the name of a stream there.
const forgetter = "removal"

// An oblivion is the time whose records a person removed on purpose from the archive.
type oblivion struct {
	before time.Time // by the latest entry; zero if there is none
	at     time.Time // the time of that entry's commit
}

// dayToForget is the first day that must stay; zero to remove nothing. In the storm, some removals come too early. When calls no
// longer go wrong, the person repeats the last removal, which must finish the earlier ones.
func (p *process) dayToForget() time.Time {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	if p.calm {
		return p.oblivion.before
	}
	j := p.journals[archiveStream]
	limit := j.cursor
	if j.known.Before(limit) {
		limit = j.known
	}
	if limit.IsZero() {
		return limit
	}
	return limit.UTC().Truncate(24*time.Hour).AddDate(0, 0, pick(p.dice(p.name+"day", p.cycles), -1, 0, 0, 0, 1))
}

// forget removes old days once.
func (p *process) forget() error {
	before := p.dayToForget()
	if before.IsZero() {
		return nil
	}
	agree := func(*compact.Plan) error { return nil }
	return p.compaction().Forget(p.ctx, compact.Order{Before: before, Reason: "kept for so long", Most: 3}, agree, func(f compact.Forgotten) {
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		p.tally["objects removed on purpose"] += f.Objects
	})
}

// forgot counts the result of a removal.
func (p *process) forgot(err error) {
	switch {
	case err == nil:
		p.tally["removals that went well"]++
	case errors.Is(err, compact.ErrNotYet):
		p.tally["removals that came too early"]++
		if p.calm {
			p.fail("%s repeats a removal, which is refused: %v", p.name, err)
		}
	case errors.Is(err, compact.ErrFinding) && !p.pruned:
		p.fail("%s finds fault with the archive: %v", p.name, err)
	default:
		p.tally["removals that failed"]++
	}
}

// judgeForgetting checks an entry of a removal. It leaves the stream unchanged, and names objects with their real facts. They have
// only records of these days, and no search of the stream looks at these days any more.
func (w *world) judgeForgetting(p *process, j *journal, key string, e checkpoint.Checkpoint, sha string) {
	before := e.Forgotten.Before
	switch {
	case path.Base(key) != fmt.Sprintf("%020d.json", j.serial+1) || e.Serial != j.serial+1 || e.PreviousSHA256 != j.sha:
		w.fail("%s writes the removal %d as %s after entry %d", p.name, e.Serial, key, j.serial)
	case e.Lineage != j.lineage || !e.Cursor.Equal(j.cursor) || !e.DeliveredSince.Equal(j.known):
		w.fail("the removal %d of %s changes the stream: %+v", e.Serial, p.name, e)
	case before.After(j.cursor) || before.After(j.known):
		w.fail("the removal %d of %s takes the days before %s, and the stream still delivers records from %s on", e.Serial, p.name,
			stamp(before), stamp(j.known))
	}
	j.serial, j.sha = e.Serial, sha
	w.note(p.name, "commits %s %d: removes days before %s", j.name, e.Serial, stamp(before))
	for _, row := range w.rows {
		if (row.promised || row.searched) && row.CreatedAt.Before(before) && !row.shown.After(time.Now()) {
			w.judgeDelivered(p.name, j, row)
		}
	}
	for _, r := range e.Forgotten.Removed {
		f := w.archive.files[r.Key]
		if f == nil || f.sha != r.SHA256 || !f.committed {
			w.fail("the removal %d of %s names %s, which is not as it says: %+v", e.Serial, p.name, r.Key, f)
			return
		}
		for _, id := range f.ids {
			if !id.before(before) {
				w.fail("the removal %d of %s takes %v with %s", e.Serial, p.name, id, r.Key)
			}
		}
		f.forgotten = true
	}
	if before.After(w.oblivion.before) {
		w.oblivion.before = before
	}
	w.oblivion.at = time.Now()
	w.tally["entries of kind forget"]++
	w.judgeSet(p, j, e)
}

func (id identity) before(at time.Time) bool { return id.micros < at.UnixMicro() }

var dayOfKey = regexp.MustCompile(`/dt=(\d{4}-\d\d-\d\d)/`)

// isForgotten tells whether an object is of a day that was removed.
func (w *world) isForgotten(key string) bool {
	day := dayOfKey.FindStringSubmatch(key)
	return day != nil && day[1] < w.oblivion.before.Format(time.DateOnly)
}

// comesBack checks an object that is written for a removed day. Only a request that was sent before the removal may arrive so late.
// Then the next removal removes the object.
func (w *world) comesBack(p *process, key string, f *file, began time.Time) {
	if began.After(w.oblivion.at) {
		w.fail("%s writes %s, of a day that was removed on purpose", p.name, key)
	}
	f.forgotten = true
	w.archive.files[key] = f
	w.tally["removed objects that a late request brought back"]++
}

// judgeRemoval removes a removed object from the archive's account. It tells whether a person removed the object on purpose.
func (w *world) judgeRemoval(key string, f *file) bool {
	gone := f.forgotten
	for heir := f.replacedBy; heir != nil; heir = heir.replacedBy {
		gone = gone || heir.forgotten
	}
	if !gone {
		return false
	}
	for _, id := range f.ids {
		if w.archive.where[id] == key {
			delete(w.archive.where, id)
		}
	}
	delete(w.archive.files, key)
	w.tally["objects deleted by removals"]++
	return true
}

// judgeForgotten checks, when the last removal is done, that no object of these days is left.
func (w *world) judgeForgotten() {
	for key := range w.archive.files {
		if w.isForgotten(key) {
			w.fail("%s is there, and the days before %s were removed on purpose", key, stamp(w.oblivion.before))
		}
	}
}
