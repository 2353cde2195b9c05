package verify

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// removals are what becomes of the objects that an entry of kind forget names.
type removals struct {
	journal *journal
	serial  uint64
	entry   checkpoint.Forgetting // without its list
	gone    int
	still   int    // that are there all the same
	such    string // one of them
}

func (r *removals) left(key string) {
	if r.still++; r.such == "" {
		r.such = key
	}
}

// A forgotten object is one that an entry says is removed on purpose.
type forgotten struct {
	of      *removals
	sha256  string
	adopted bool // an adoption knows it
}

// forget takes in the removals of an entry. late says that the entry was committed during the verification.
func (j *journal) forget(e *checkpoint.Checkpoint, late bool) {
	if e.Forgotten == nil || !j.Files || j.Options.Files == nil || j.Depth == Heads {
		return
	}
	l := j.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.removals[e.Serial]
	if of == nil { // a sample may come to an entry twice
		of = &removals{journal: j, serial: e.Serial, entry: *e.Forgotten}
		of.entry.Removed = nil
		l.removals[e.Serial] = of
	}
	for _, r := range e.Forgotten.Removed {
		key, ok := read.Parse(r.Key)
		if !ok {
			l.raw[r.Key] = forgotten{of: of, sha256: r.SHA256}
			continue
		}
		if !j.due(key.Day) {
			continue
		}
		object := checkpoint.Replaced{Key: r.Key, Bytes: r.Bytes, SHA256: r.SHA256, Records: r.Records}
		sum := l.sum(object)
		_, waits := l.waiting[sum]
		_, there := l.there[maphash.String(l.seed, r.Key)]
		switch {
		case waits:
			delete(l.waiting, sum)
			of.gone++
		case there:
			l.back[sum] = &returned{Replaced: object, journal: j, serial: e.Serial, counted: !late && j.named(r.Key), removed: true}
		default:
			l.forgotten[sum] = forgotten{of: of, adopted: j.past.adoption != nil && key.Pass < j.past.adoption.Epoch}
		}
	}
}

// again takes in that a hole has bytes. If the same bytes were removed for an earlier day, they have come again since.
func (l *ledger) again(h checkpoint.Hole) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, removed := l.raw[h.Key]; removed && !h.CreatedAt.Before(f.of.entry.Before) {
		delete(l.raw, h.Key)
	}
}

// removed tells whether such bytes were removed on purpose.
func (l *ledger) removed(o object) bool {
	f, removed := l.raw[o.Key]
	return removed && f.sha256 == o.SHA256
}

// unexplained tells whether something is gone, and no entry so far says why.
func (l *ledger) unexplained() bool {
	return len(l.waiting) > 0 || slices.ContainsFunc(l.holes, func(o object) bool { return !l.removed(o) })
}

// unexplainedHoles looks once more at bytes that are not there, if no removal explains that.
func (r *run) unexplainedHoles(ctx context.Context) {
	for _, o := range r.ledger.holes {
		if !r.ledger.removed(o) {
			o.last = true
			r.look(ctx, o)
		}
	}
}

// forgets reports what was removed on purpose, and what is there all the same.
func (r *run) forgets(ctx context.Context) {
	l := r.ledger
	for _, f := range l.forgotten { // only the removal's entry tells of it
		f.of.gone++
	}
	for _, key := range slices.Sorted(maps.Keys(l.raw)) {
		switch _, err := r.Files.Stat(ctx, key); {
		case errors.Is(err, fs.ErrNotExist):
			l.raw[key].of.gone++
		case err != nil:
			r.unread(err)
			return
		default:
			l.raw[key].of.left(key)
		}
	}
	for _, of := range slices.SortedFunc(maps.Values(l.removals), func(a, b *removals) int { return cmp.Compare(a.serial, b.serial) }) {
		day := of.entry.Before.UTC().Format(time.DateOnly)
		if of.still > 0 {
			severity := Error
			if l.intent.Forget != nil && slices.ContainsFunc(l.intent.Forget.Removed, func(o checkpoint.Removal) bool { return o.Key == of.such }) {
				severity = Warning // a removal is under way, or the next one finishes it
			}
			of.journal.report(ForgetUnfinished, severity, of.serial, "Entry %d removed objects of days before %s, and %s of them %s there all "+
				"the same, such as %s.", of.serial, day, plural(of.still, "object"), isAre(of.still > 1), of.such)
		}
		if of.gone > 0 {
			by := ""
			if of.entry.By != "" {
				by = " (" + of.entry.By + ")"
			}
			of.journal.report(Forgotten, Info, of.serial, "%s of days before %s %s gone, since entry %d removed them on purpose%s: %s",
				plural(of.gone, "object"), day, isAre(of.gone > 1), of.serial, by, of.entry.Reason)
		}
	}
}
