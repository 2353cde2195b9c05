package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

const (
	// blockSize is the number of older entries that are in a part of a sample together, unless the caller gives a number. A tile of
	// the journal's tree has as many.
	blockSize = 256
	// confirming is the number of entries that a sample reads after a block. They tell whether the last entries of the block were
	// changed.
	confirming = 2
	// readShare divides the memory. The one object that a sample reads has at most this share, because its records are larger than the
	// object.
	readShare = 8
	// ahead is the time after the position. A sample lists the objects of a day if the day begins before its end.
	ahead = 48 * time.Hour
)

// A Sample limits a verification to the newest entries of each journal and to a part of the older ones, each with its objects. So a
// verification is cheap enough for every day. Chance divides the older entries into parts, block by block. All parts together have
// every entry. A sample also reads one object whole.
//
// A proof compares the entries of a block with the newest head. A sample also looks for objects without an entry, but only for
// those of the time of the newest entries, or later.
type Sample struct {
	Seed   string            `json:"seed"`            // it decides the part of each block
	Part   int               `json:"part"`            // from 1 to Parts
	Parts  int               `json:"parts"`           //
	Newest uint64            `json:"newest"`          // the least number of the newest entries of each journal
	Since  map[string]uint64 `json:"since,omitempty"` // by journal: all entries after this one are included, too
	Block  uint64            `json:"block,omitempty"` // entries of a block; zero for a default
}

// serials are the serials from first to last.
type serials struct{ first, last uint64 }

// spans are the parts of a journal that the sample has, in order.
func (s *Sample) spans(journal string, newest uint64) (all []serials) {
	from := newest - min(newest, max(s.Newest, 1)) + 1
	if since, known := s.Since[journal]; known {
		from = min(from, since+1)
	}
	block := cmp.Or(s.Block, blockSize)
	add := func(next serials) {
		if n := len(all); n > 0 && all[n-1].last+confirming+1 >= next.first {
			all[n-1].last = next.last
			return
		}
		if n := len(all); n > 0 {
			all[n-1].last += confirming
		}
		all = append(all, next)
	}
	for number := uint64(0); number*block+1 < from; number++ {
		if s.has(journal, number) {
			add(serials{number*block + 1, min((number+1)*block, from-1)})
		}
	}
	add(serials{from, newest})
	return all
}

// has tells whether the sample's part has a block of a journal.
func (s *Sample) has(journal string, number uint64) bool {
	return int(s.chance(fmt.Sprintf("%s/%d", journal, number))%uint64(max(s.Parts, 1))) == s.Part-1
}

// chance returns a number that only the seed and the text decide. It tells nothing about the number for another text.
func (s *Sample) chance(of string) uint64 {
	sum := sha256.Sum256([]byte(s.Seed + "/" + of))
	return binary.BigEndian.Uint64(sum[:])
}

// String says which entries the sample includes.
func (s *Sample) String() string {
	return fmt.Sprintf("a sample, which has the newest entries and part %d of %d of the older ones", s.Part, s.Parts)
}

// recent are the days that a sample lists. If since is zero, it lists the whole archive.
type recent struct{ since, until time.Time }

// since notes the first of the newest entries, if there are older ones. An object of an earlier time may belong to the older ones.
func (j *journal) since(s checkpoint.Stored) {
	if j.Sample == nil {
		return
	}
	j.past = past{pruned: s}
	if !j.Files || j.AnyOrder {
		return
	}
	j.recent.since = s.Cursor
	if s.Kind == checkpoint.KindExport {
		j.recent.since = s.Window.Start
	}
	j.recent.until = j.stream.Cursor.Add(ahead)
}

// sampled takes the head in the last entry of a block as a witness: the newest head must have grown out of it.
func (j *journal) sampled(of serials) {
	if j.Sample == nil || of.last == j.end.Newest || j.before.Serial == 0 {
		return
	}
	if h, err := seal.ReadHead(j.before.Seal.Head); err == nil && h.Size > 0 {
		w := &witness{SignedHead: h, where: fmt.Sprintf("entry %d", j.before.Serial), kind: within}
		j.remembered[h.Size] = append(j.remembered[h.Size], w)
	}
}

// explain looks for the compactions and the removals that explain missing objects of a sample. They come later in the archive's
// journal, and the sample may not include them.
func (r *run) explain(ctx context.Context, journals []*journal) {
	if r.Sample == nil {
		return
	}
	for _, j := range journals {
		if j.Files && !j.AnyOrder && r.ledger.unexplained() {
			from := j.firstExplaining(ctx)
			j.seek(ctx, from, j.end.Newest)
			j.seek(ctx, 1, from-1) // in case a clock was wrong
		}
	}
	clear(r.ledger.forgotten)
	clear(r.ledger.replaced) // the sample has these replacements, and not the entries that name the objects
}

// firstExplaining returns the first entry of the archive's journal that may explain the missing objects. An explanation comes after
// the first entry that names one of them. If the journal of a backfill names an object, the explanation comes after the time of
// that entry.
func (j *journal) firstExplaining(ctx context.Context) uint64 {
	first := j.end.Newest
	var at time.Time
	for _, w := range j.ledger.waiting {
		if w.journal == j {
			first = min(first, w.serial)
		} else if at.IsZero() || w.at.Before(at) {
			at = w.at
		}
	}
	for _, o := range j.ledger.holes {
		if o.journal == j {
			first = min(first, o.entry.Serial)
		}
	}
	if at.IsZero() {
		return first
	}
	later := sort.Search(int(first), func(i int) bool {
		for s, err := range j.Readings(ctx, uint64(i)+1, uint64(i)+1, 1) {
			return err == nil && s.CommittedAt.After(at) // after an error, the other entries are searched as well
		}
		return false
	})
	return max(1, uint64(later))
}

// seek reads entries for their compactions and removals, until each missing object is explained.
func (j *journal) seek(ctx context.Context, first, last uint64) {
	if first > last || !j.ledger.unexplained() {
		return
	}
	for s, err := range j.Readings(ctx, first, last, parallel) {
		if err != nil && !errors.Is(err, checkpoint.ErrCorrupt) && !errors.Is(err, checkpoint.ErrForeign) {
			j.unread(err)
			return
		}
		if err == nil {
			j.replace(&s.Checkpoint, false)
			j.forget(&s.Checkpoint, false)
		}
		if !j.ledger.unexplained() {
			return
		}
	}
}

// chosen is the object that a sample reads.
type chosen struct {
	object *object
	lot    uint64
	again  bool // it is being read, and is already counted
}

// choose draws lots for the object that a sample reads. The caller has locked the run.
func (r *run) choose(o object) {
	if r.Sample == nil || r.Depth == Read || o.hole || o.Bytes > r.Memory/readShare {
		return
	}
	if lot := r.Sample.chance(o.Key); r.chosen.object == nil || cmp.Compare(lot, r.chosen.lot) < 0 {
		r.chosen.object, r.chosen.lot = &o, lot
	}
}

// readOne reads the one object of a sample.
func (r *run) readOne(ctx context.Context) {
	if r.chosen.object == nil || ctx.Err() != nil {
		return
	}
	r.chosen.again = true
	r.read(ctx, *r.chosen.object)
}
