package compact

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// firstLook is how many of a journal's newest entries Houndtrail reads first: by default a day has fewer. Each later look reads
// lookGrowth times as many.
const (
	firstLook  = 1024
	lookGrowth = 4
)

// A named object is what the newest entry that names it says about the object.
type named struct {
	bytes    int64
	sha256   string
	records  int
	replaced string // the key of the object that has its records now; "" if it has them itself
	// forgotten is the entry that says that the object was removed on purpose; 0 for none
	forgotten uint64
}

// A raw object has the bytes of an element that is no record. It lies beside the archive.
type raw struct {
	sha256    string
	at        time.Time // the time of the latest element with these bytes
	forgotten bool
}

// An account tells what the journals say about some objects.
type account struct {
	serial uint64 // the archive's newest entry when the account was made
	epoch  uint64
	named  map[string]named
	raw    map[string]raw  // by key; all of them only if the account has all entries
	open   []window.Window // the windows of attempts that may not be committed
	// before is the time for which the archive's journal has no entries any more; zero if it has all entries.
	before time.Time
	pruned bool // the backfill's journal lacks its oldest entries
}

// stands tells whether an object without an entry is a part of the archive. There are two such cases. The journal began a new
// lineage since, which knows the records of all earlier objects. Or the object's entry was removed with the oldest ones.
func (a *account) stands(o read.Object) bool {
	return o.Pass < a.epoch || o.Start.Before(a.before) || a.pruned && o.Pass == 0
}

// attempted tells whether an object without an entry may belong to an attempt that the next run repeats.
func (a *account) attempted(o read.Object) bool {
	return slices.ContainsFunc(a.open, func(w window.Window) bool { return o.Of(w.Start, w.Pass) })
}

// account reads what the journals say about the wanted objects. It reads only as many of the newest entries as it needs. The
// caller lists the objects before: then, if an attempt wrote one of them, the attempt is still in the lease, or has its entry.
func (c *Compactor) account(ctx context.Context, wanted []string) (*account, error) {
	return c.accountFrom(ctx, firstLook, wanted)
}

// accountFrom is like account. It reads so many entries first.
func (c *Compactor) accountFrom(ctx context.Context, n int, wanted []string) (*account, error) {
	a := &account{}
	for _, j := range []*checkpoint.Journal{c.Journal, c.Backfill} {
		lease, err := j.LeaseStatus(ctx)
		if err != nil {
			return nil, err
		}
		a.open = append(a.open, lease.Intents...)
	}
	newest, err := c.Journal.Load(ctx)
	if err != nil {
		return nil, err
	}
	a.serial, a.epoch = newest.Serial, newest.Epoch
	for ; ; n *= lookGrowth {
		own, err := lookAt(ctx, c.Journal, n, wanted)
		if err != nil {
			return nil, err
		}
		other, err := lookAt(ctx, c.Backfill, n, wanted)
		if err != nil {
			return nil, err
		}
		a.named, a.raw = other.named, other.raw
		maps.Copy(a.named, own.named) // the archive's journal also names the compactions and removals of the backfill's objects
		maps.Copy(a.raw, own.raw)
		known := !slices.ContainsFunc(wanted, func(key string) bool { return a.named[key].sha256 == "" })
		if known || own.whole && other.whole {
			if own.whole && own.first.Serial > 1 && !own.adopted {
				a.before = own.first.Cursor
			}
			a.pruned = other.whole && other.first.Serial > 1 && !other.adopted
			return a, nil
		}
	}
}

// A look tells what the newest entries of a journal say about the wanted objects.
type look struct {
	wanted  map[string]bool
	named   map[string]named
	raw     map[string]raw
	first   checkpoint.Stored // the oldest entry that lookAt read
	whole   bool              // earlier entries do not count
	adopted bool
}

// lookAt reads the newest n entries of a journal.
func lookAt(ctx context.Context, j *checkpoint.Journal, n int, wanted []string) (*look, error) {
	l := &look{wanted: map[string]bool{}, named: map[string]named{}, raw: map[string]raw{}}
	for _, key := range wanted {
		l.wanted[key] = true
	}
	read, err := l.note(j.Last(ctx, n), false)
	l.whole = read < n || l.adopted
	if errors.Is(err, checkpoint.ErrCorrupt) { // a later adoption may have made up for the damage
		clear(l.named)
		_, err = l.note(j.Survey(ctx), true)
		l.whole = true
	}
	return l, err
}

// note reads what the entries say, oldest first. Entries before an adoption do not count, and a problem before it does not
// count either. If patient is set, note goes on after a problem.
func (l *look) note(entries iter.Seq2[checkpoint.Stored, error], patient bool) (read int, err error) {
	for entry, problem := range entries {
		if problem != nil && !patient {
			return read, problem
		}
		if problem != nil {
			err = errors.Join(err, problem)
			continue
		}
		if read++; read == 1 {
			l.first = entry
		}
		if entry.Kind == checkpoint.KindAdopt {
			err, l.adopted = nil, true
			clear(l.named)
		}
		l.enter(&entry.Checkpoint)
	}
	return read, err
}

// enter reads what one entry says.
func (l *look) enter(entry *checkpoint.Checkpoint) {
	for _, o := range entry.Objects {
		if l.wanted[o.Key] {
			l.named[o.Key] = named{bytes: o.Bytes, sha256: o.SHA256, records: o.Records}
		}
	}
	for _, h := range entry.Holes {
		if r := l.raw[h.Key]; h.Key != "" && (r.forgotten || r.at.Before(h.CreatedAt)) {
			l.raw[h.Key] = raw{sha256: h.SHA256, at: h.CreatedAt}
		}
		delete(l.named, h.Key) // these bytes were removed, and then the server sent the same bytes again
	}
	if entry.Compacted != nil {
		for _, r := range entry.Compacted.Replaced {
			if l.wanted[r.Key] {
				l.named[r.Key] = named{bytes: r.Bytes, sha256: r.SHA256, records: r.Records, replaced: entry.Objects[0].Key}
			}
		}
	}
	if entry.Forgotten != nil {
		for _, r := range entry.Forgotten.Removed {
			if l.wanted[r.Key] {
				l.named[r.Key] = named{bytes: r.Bytes, sha256: r.SHA256, records: r.Records, forgotten: entry.Serial}
			}
			if old, known := l.raw[r.Key]; known {
				old.forgotten = true
				l.raw[r.Key] = old
			}
		}
	}
}
