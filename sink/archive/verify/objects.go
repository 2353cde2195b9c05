package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// An object is an object of the archive as an entry describes it.
type object struct {
	checkpoint.Object
	journal *journal
	entry   *checkpoint.Checkpoint
	last    bool // this look is the last: no compaction and no removal explains that it is missing
	hole    bool // it holds the bytes of an unreadable record: the entry tells only the hash
}

// contents begins to look at the objects of an entry. It returns before the looks end.
func (j *journal) contents(ctx context.Context, s checkpoint.Stored) {
	if !j.Files || j.Options.Files == nil || j.Depth == Heads {
		return
	}
	j.mu.Lock()
	j.tenants[s.Tenant] = true
	j.mu.Unlock()
	j.replace(&s.Checkpoint, false)
	j.forget(&s.Checkpoint, false)
	entry := slim(s.Checkpoint)
	for _, o := range s.Objects {
		if j.name(o.Key) {
			j.report(ObjectContents, Error, s.Serial, "Entry %d names %s, and so does another entry.", s.Serial, o.Key)
		}
		key, ok := read.Parse(o.Key)
		switch {
		case ok && !j.due(key.Day):
		case j.ledger.absent(j, s.Serial, o):
			j.progressed()
		default:
			j.look(ctx, object{Object: o, journal: j, entry: &entry})
		}
	}
	for _, h := range s.Holes {
		j.ledger.again(h)
		if h.Key != "" && j.due(h.CreatedAt) {
			j.look(ctx, object{Object: checkpoint.Object{Key: h.Key, SHA256: h.SHA256}, journal: j, entry: &entry, hole: true})
		}
	}
}

// slim returns an entry without its large parts, which objects under way must not hold in memory.
func slim(e checkpoint.Checkpoint) checkpoint.Checkpoint {
	e.Objects, e.Delivered, e.Covered, e.Compacted, e.Seal = nil, nil, nil, nil, nil
	return e
}

// look begins to look at an object. Other looks go on at the same time.
func (r *run) look(ctx context.Context, o object) {
	if ctx.Err() != nil {
		return
	}
	if bounded := !r.Since.IsZero() || !r.Until.IsZero(); bounded || o.hole {
		r.expect(1)
	}
	r.looking.Go(func() error {
		defer r.progressed()
		if r.Depth == Read && !o.hole {
			r.read(ctx, o)
			return nil
		}
		info, err := r.stat(ctx, o)
		r.judge(ctx, o, info, err)
		return nil
	})
}

// stat asks for the size and the hash of an object. It reads the object only if the store does not tell its hash.
func (r *run) stat(ctx context.Context, o object) (bucket.Info, error) {
	info, err := r.Files.Stat(ctx, o.Key)
	if err == nil && info.SHA256 == "" && (o.hole || info.Bytes == o.Bytes) {
		info, err = r.Files.Hash(ctx, o.Key)
	}
	return info, err
}

// judge compares an object with its entry. If the object is not the committed one, it looks for an earlier version that is, and
// returns the body of that version.
func (r *run) judge(ctx context.Context, o object, info bucket.Info, err error) (ok bool, genuine []byte) {
	switch {
	case err == nil && info.SHA256 == o.SHA256 && (o.hole || info.Bytes == o.Bytes):
		r.looked(o, info)
		return true, nil
	case err != nil && ctx.Err() != nil:
		return false, nil
	case errors.Is(err, fs.ErrNotExist) && !o.last:
		r.ledger.vanished(o)
		return false, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, bucket.ErrDamaged):
		r.unread(err)
		return false, nil
	}
	code, text := difference(o, info, err)
	if found := r.original(ctx, r.Files, o.Key, o.SHA256); found != nil {
		code, genuine = ObjectShadowed, found.body
		if found.top.Marker {
			code = ObjectHidden
		}
		text += fmt.Sprintf(" The reason: %s.", found.covered())
	}
	r.object(code, o, text)
	return false, genuine
}

// difference says how an object differs from its entry.
func difference(o object, info bucket.Info, err error) (Code, string) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ObjectMissing, fmt.Sprintf("%s of entry %d is not there.", o.Key, o.entry.Serial)
	case err != nil:
		return ObjectDiffers, fmt.Sprintf("%s of entry %d was changed below the store: %v.", o.Key, o.entry.Serial, bucket.ErrDamaged)
	case !o.hole && info.Bytes != o.Bytes:
		return ObjectSize, fmt.Sprintf("%s of entry %d has %d bytes, and %d were committed.", o.Key, o.entry.Serial, info.Bytes, o.Bytes)
	default:
		return ObjectDiffers, fmt.Sprintf("%s of entry %d has the SHA-256 %s, and %s was committed.",
			o.Key, o.entry.Serial, info.SHA256, o.SHA256)
	}
}

// object adds a finding about an object.
func (r *run) object(code Code, o object, text string) {
	r.found.add(Finding{Code: code, Severity: Error, Stream: o.journal.Name, Entry: o.entry.Serial, Key: o.Key, Text: text})
}

// looked counts an object that was looked at.
func (r *run) looked(o object, info bucket.Info) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chosen.again {
		return
	}
	r.choose(o)
	r.report.Objects++
	r.report.Bytes += info.Bytes
	r.report.Records += int64(o.Records)
}

// removals count the objects that an entry of kind forget names: those that are gone, and those that are not.
type removals struct {
	journal *journal
	serial  uint64
	entry   checkpoint.Forgetting // without its list
	gone    int
	still   int    // objects that are still there
	such    string // one of them
}

func (r *removals) left(key string) {
	if r.still++; r.such == "" {
		r.such = key
	}
}

// A forgotten object is one that a person removed on purpose, by the words of an entry.
type forgotten struct {
	of      *removals
	sha256  string
	adopted bool // an adoption knows it
}

// forget notes the removals of an entry. late means that the entry was committed during the verification.
func (j *journal) forget(e *checkpoint.Checkpoint, late bool) {
	if e.Forgotten == nil || !j.Files || j.Options.Files == nil || j.Depth == Heads {
		return
	}
	l := j.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.removals[e.Serial]
	if of == nil { // a sample may read an entry twice
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

// again notes that a hole has bytes. If a removal of an earlier day took the same bytes, a later run wrote them again.
func (l *ledger) again(h checkpoint.Hole) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, removed := l.raw[h.Key]; removed && !h.CreatedAt.Before(f.of.entry.Before) {
		delete(l.raw, h.Key)
	}
}

// removed tells whether a removal took these bytes.
func (l *ledger) removed(o object) bool {
	f, removed := l.raw[o.Key]
	return removed && f.sha256 == o.SHA256
}

// unexplained tells whether an object is missing, and no entry so far says why.
func (l *ledger) unexplained() bool {
	return len(l.waiting) > 0 || slices.ContainsFunc(l.holes, func(o object) bool { return !l.removed(o) })
}

// unexplainedHoles looks once more at missing bytes if no removal explains them.
func (r *run) unexplainedHoles(ctx context.Context) {
	for _, o := range r.ledger.holes {
		if !r.ledger.removed(o) {
			o.last = true
			r.look(ctx, o)
		}
	}
}

// forgets reports the objects that were removed on purpose, and those that are still there.
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
