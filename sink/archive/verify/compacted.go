package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// A ledger settles which objects are gone because a compaction replaced them or a removal removed them. Entries come oldest first,
// so a missing object waits for the entry that replaced it. The archive's journal also replaces objects of its backfill, whose
// journal comes later. So a replacement waits for its object as well. Both sides must have exactly the same facts.
type ledger struct {
	seed maphash.Seed

	mu          sync.Mutex
	there       map[uint64]struct{}  // hashes of the keys that were listed before the entries were read
	waiting     map[uint64]waiter    // missing objects that no compaction so far has replaced
	replaced    map[uint64]bool      // replacements of objects that no entry so far has named; true if an adoption knows them
	back        map[uint64]*returned // objects that were replaced, and were in the listing nevertheless
	gone        int
	compactions int
	intent      compact.Intent // the next step of a compactor that works, or that died

	forgotten map[uint64]forgotten // removals of objects that no entry so far has named
	raw       map[string]forgotten // removals of the bytes of elements that are no records, by key
	holes     []object             // such bytes that are missing
	removals  map[uint64]*removals // by the serial of the entry, in the archive's own journal
}

// A waiter is the place of the entry that names a missing object.
type waiter struct {
	journal *journal
	serial  uint64
	at      time.Time // the time of the commit
}

// A returned object was replaced, but the store has it, or had it at the time of the listing.
type returned struct {
	checkpoint.Replaced
	journal *journal // the journal of the entry that replaced it
	serial  uint64   // the serial of that entry
	counted bool     // the report counts both this object and its replacement
	removed bool     // a removal on purpose took it, and no compaction
}

func newLedger() *ledger {
	return &ledger{
		seed: maphash.MakeSeed(), there: map[uint64]struct{}{}, waiting: map[uint64]waiter{}, replaced: map[uint64]bool{},
		back: map[uint64]*returned{}, forgotten: map[uint64]forgotten{}, raw: map[string]forgotten{}, removals: map[uint64]*removals{},
	}
}

// sum is a hash of all facts about an object that two entries must agree on.
func (l *ledger) sum(o checkpoint.Replaced) uint64 {
	return maphash.Comparable(l.seed, struct {
		key, sha256 string
		bytes       int64
		records     int
	}{o.Key, o.SHA256, o.Bytes, o.Records})
}

func facts(o checkpoint.Object) checkpoint.Replaced {
	return checkpoint.Replaced{Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256, Records: o.Records}
}

// listed lists the archive, so that a missing object does not cost a request of its own.
func (r *run) listed(ctx context.Context) {
	l := r.ledger
	r.walk(ctx, func(key string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.there[maphash.String(l.seed, key)] = struct{}{}
	})
}

// intended reads the next step of a compactor. If the state is missing or makes no sense, there is no such step.
func (r *run) intended(ctx context.Context, j *journal) {
	if j.AnyOrder { // the archive's own journal has the state
		return
	}
	body, _, _, err := r.Positions.Get(ctx, checkpoint.StateKey(j.Name, compact.StateName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.unread(err)
		return
	}
	var i compact.Intent
	if err != nil || json.Unmarshal(body, &i) != nil {
		i = compact.Intent{}
	}
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	r.ledger.intent = i
}

// absent tells whether the verification can skip an object. It skips objects that were replaced or removed, and missing ones that
// now wait for an explanation.
func (l *ledger) absent(j *journal, serial uint64, o checkpoint.Object) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := l.sum(facts(o))
	if _, early := l.replaced[sum]; early {
		delete(l.replaced, sum)
		l.gone++
		return true
	}
	if f, early := l.forgotten[sum]; early {
		delete(l.forgotten, sum)
		f.of.gone++
		return true
	}
	if back := l.back[sum]; back != nil { // its replacement came before its own entry
		back.counted = false
		return true
	}
	if _, there := l.there[maphash.String(l.seed, o.Key)]; there || j.Sample != nil { // a sample has no listing
		return false
	}
	l.waiting[sum] = waiter{journal: j, serial: serial}
	return true
}

// vanished notes that the store does not have an object, although absent did not expect that.
func (l *ledger) vanished(o object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.hole {
		l.holes = append(l.holes, o)
		return
	}
	sum := l.sum(facts(o.Object))
	if back := l.back[sum]; back != nil {
		back.counted = false
		return
	}
	l.waiting[sum] = waiter{o.journal, o.entry.Serial, o.entry.CommittedAt}
}

// replace notes the replacements of an entry. late means that the entry was committed during the verification. Then the report does
// not count the new object.
func (j *journal) replace(e *checkpoint.Checkpoint, late bool) {
	if e.Compacted == nil || !j.Files || j.Options.Files == nil || j.Depth == Heads {
		return
	}
	l := j.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.compactions++
	for _, r := range e.Compacted.Replaced {
		key, ok := read.Parse(r.Key)
		if ok && !j.due(key.Day) {
			continue
		}
		sum := l.sum(r)
		r.Rows = nil // they can be many
		_, waits := l.waiting[sum]
		_, there := l.there[maphash.String(l.seed, r.Key)]
		switch {
		case waits:
			delete(l.waiting, sum)
			l.gone++
		case there:
			l.back[sum] = &returned{Replaced: r, journal: j, serial: e.Serial, counted: !late && j.named(r.Key)}
		default:
			l.replaced[sum] = ok && j.past.adoption != nil && key.Pass < j.past.adoption.Epoch
		}
	}
}

// settle looks once more at the missing objects that no compaction explains. It also looks at the replaced ones that were in the
// listing, and returns the keys of those that are still there.
func (r *run) settle(ctx context.Context) (left map[string]bool) {
	l := r.ledger
	serials := map[*journal][]uint64{}
	for _, n := range l.waiting {
		serials[n.journal] = append(serials[n.journal], n.serial)
	}
	for j, of := range serials {
		slices.Sort(of)
		j.unexplained(ctx, slices.Compact(of))
	}
	r.unexplainedHoles(ctx)
	_ = r.looking.Wait() // the functions return no error
	left = r.leftovers(ctx)
	r.forgets(ctx)
	if n := l.gone + len(l.replaced); n > 0 {
		text := fmt.Sprintf("%s %s gone, since %s took their place.", plural(n, "object"), isAre(n > 1), plural(l.compactions, "compaction"))
		if n := len(l.replaced); n > 0 {
			text += fmt.Sprintf(" Of %d of them only the compaction's entry tells.", n)
		}
		r.found.add(Finding{Code: Compacted, Severity: Info, Text: text})
	}
	return left
}

// unexplained looks once more at the waiting objects of these entries. If they are still not there, they are missing.
func (j *journal) unexplained(ctx context.Context, serials []uint64) {
	for len(serials) > 0 {
		n := 1
		for n < len(serials) && serials[n]-serials[n-1] <= parallel {
			n++
		}
		for s, err := range j.Readings(ctx, serials[0], serials[n-1], parallel) {
			if kept, ok := j.restored[s.Serial]; ok {
				s, err = kept, nil
			}
			if err != nil && !errors.As(err, new(*checkpoint.MisplacedError)) {
				j.unread(err)
				return
			}
			entry := slim(s.Checkpoint)
			for _, o := range s.Objects {
				if _, waits := j.ledger.waiting[j.ledger.sum(facts(o))]; waits {
					j.look(ctx, object{Object: o, journal: j, entry: &entry, last: true})
				}
			}
		}
		serials = serials[n:]
	}
}

// leftovers reports the replaced objects that are still there, or are there again.
func (r *run) leftovers(ctx context.Context) map[string]bool {
	l := r.ledger
	intent := map[string]bool{}
	for _, replaced := range l.intent.Replaced {
		intent[replaced.Key] = true
	}
	left, unfinished := map[string]bool{}, map[uint64][]*returned{}
	for _, back := range slices.SortedFunc(maps.Values(l.back), func(a, b *returned) int { return cmp.Compare(a.Key, b.Key) }) {
		_, err := r.Files.Stat(ctx, back.Key)
		switch {
		case errors.Is(err, fs.ErrNotExist) && back.removed:
			l.removals[back.serial].gone++
		case errors.Is(err, fs.ErrNotExist):
			l.gone++
		case err != nil:
			r.unread(err)
			return left
		default:
			left[back.Key] = true
			if back.removed {
				l.removals[back.serial].left(back.Key)
				break
			}
			if intent[back.Key] {
				unfinished[back.serial] = append(unfinished[back.serial], back)
				break
			}
			back.journal.report(ObjectReturned, Error, back.serial, "Entry %d replaced %s, and it is there all the same.", back.serial, back.Key)
		}
		if back.counted {
			r.uncount(back)
		}
	}
	for serial, of := range unfinished {
		j := of[0].journal
		j.report(CompactUnfinished, Warning, serial, "Entry %d replaced %s that %s still there, such as %s: the compaction did not "+
			"end, or it is under way.", serial, plural(len(of), "object"), isAre(len(of) > 1), of[0].Key)
	}
	return left
}

// uncount removes an object from the sums of the report. The report already has its records by the object that replaced it.
func (r *run) uncount(o *returned) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Objects--
	r.report.Bytes -= o.Bytes
	r.report.Records -= int64(o.Records)
}

// adopted counts the objects that a compaction or a removal took, and that only an adoption knows.
func (l *ledger) adopted() (n int) {
	for _, adopted := range l.replaced {
		if adopted {
			n++
		}
	}
	for _, f := range l.forgotten {
		if f.adopted {
			n++
		}
	}
	return n
}
