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

// A ledger settles which objects are gone because a compaction took their place or, likewise, because a removal took them away. An
// object that is not there waits for the entry that replaced it: entries come oldest first. The archive's journal also replaces
// objects of its backfill, whose journal comes later. So a replacement waits for its object as well. What one side says has to be
// exactly what the other side says.
type ledger struct {
	seed maphash.Seed

	mu          sync.Mutex
	there       map[uint64]struct{}  // hashes of the keys that were listed before the entries were read
	waiting     map[uint64]waiter    // objects that are not there, and that no compaction has replaced so far
	replaced    map[uint64]bool      // replacements of objects that no entry has named so far; true if an adoption knows them
	back        map[uint64]*returned // objects that were replaced, and were listed all the same
	gone        int
	compactions int
	intent      compact.Intent // what a compactor is about to do, or died over

	forgotten map[uint64]forgotten // removals of objects that no entry has named so far
	raw       map[string]forgotten // removals of the bytes of elements that are no records, by key
	holes     []object             // such bytes that are not there
	removals  map[uint64]*removals // by the serial of the entry, which is of the archive's own journal
}

// A waiter is where the entry is that names an object.
type waiter struct {
	journal *journal
	serial  uint64
	at      time.Time // when it was committed
}

// A returned object was replaced, and is or was there.
type returned struct {
	checkpoint.Replaced
	journal *journal // whose entry replaced it
	serial  uint64   // of that entry
	counted bool     // the report counts it, and the object that replaced it too
	removed bool     // it was not replaced, but removed on purpose
}

func newLedger() *ledger {
	return &ledger{
		seed: maphash.MakeSeed(), there: map[uint64]struct{}{}, waiting: map[uint64]waiter{}, replaced: map[uint64]bool{},
		back: map[uint64]*returned{}, forgotten: map[uint64]forgotten{}, raw: map[string]forgotten{}, removals: map[uint64]*removals{},
	}
}

// sum is a hash of everything that two entries have to say alike about an object.
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

// listed lists the archive, so that objects that are gone cost no request each.
func (r *run) listed(ctx context.Context) {
	l := r.ledger
	r.walk(ctx, func(key string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.there[maphash.String(l.seed, key)] = struct{}{}
	})
}

// intended reads what a compactor is about to do. A state that is missing or makes no sense is no intent.
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

// absent tells whether an object need not be looked at: it was replaced, or it is not there and waits for its replacement.
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
	if back := l.back[sum]; back != nil { // replaced before its entry came
		back.counted = false
		return true
	}
	if _, there := l.there[maphash.String(l.seed, o.Key)]; there || j.Sample != nil { // a sample lists nothing beforehand
		return false
	}
	l.waiting[sum] = waiter{journal: j, serial: serial}
	return true
}

// vanished takes in that an object was listed, and was gone when it was looked at.
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

// replace takes in the replacements of an entry. late says that the entry was committed during the verification, which does not count
// the object that it made.
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

// settle looks at the objects that no compaction explains after all, and at the ones that were replaced and are there all the same.
// It returns the keys of the latter.
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

// unexplained looks at the waiting objects of these entries once more, which are missing if they are not there now.
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

// leftovers reports the objects that were replaced and are still there, or are there again.
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

// uncount takes an object out of the report whose records the report has by the object that replaced it.
func (r *run) uncount(o *returned) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Objects--
	r.report.Bytes -= o.Bytes
	r.report.Records -= int64(o.Records)
}

// adopted counts the objects that a compaction replaced and that only an adoption knows.
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
