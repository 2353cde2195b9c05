package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// A Compaction says that one object, which is the entry's own, took the place of others. It has their records, each once. The
// totals, the position and the set of delivered ids stay as they are: no record is new.
type Compaction struct {
	Day      string     `json:"day"` // of created_at, in UTC: 2026-03-01
	Replaced []Replaced `json:"replaced"`
	// Duplicates is how many records the replaced objects had once too often, alike in every column. A crash leaves such records
	// if the journal is lost as well.
	Duplicates int      `json:"duplicates,omitempty"`
	Follows    Progress `json:"follows"` // Compact fills it in
}

// Replaced is an object that a compaction took away.
type Replaced struct {
	Key     string `json:"key"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
	Records int    `json:"records"`
	// Rows are the places of its records among those of the new object. With them, a record is still proved by the entry that
	// delivered it, although that object is gone. None if they would take too much room.
	Rows Places `json:"rows,omitempty"`
}

// Places are ascending places in a list, as runs: alternately the first place of a run, and how many places it has.
type Places []int

// Add adds a place that is behind all others.
func (p Places) Add(place int) Places {
	if n := len(p); n > 0 && p[n-2]+p[n-1] == place {
		p[n-1]++
		return p
	}
	return append(p, place, 1)
}

// All yields the places.
func (p Places) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i+1 < len(p); i += 2 {
			for n := range p[i+1] {
				if !yield(p[i] + n) {
					return
				}
			}
		}
	}
}

// check refuses what Add cannot make, and any other number of places than that in a list of so many.
func (p Places) check(number, list int) error {
	next, places := 0, 0
	for i := 0; i < len(p); i += 2 {
		if i+1 == len(p) || p[i] < next || i > 0 && p[i] == next || p[i+1] < 1 || p[i+1] > list-p[i] {
			return fmt.Errorf("%v are no places among %d", []int(p), list)
		}
		next, places = p[i]+p[i+1], places+p[i+1]
	}
	if places != number {
		return fmt.Errorf("there are %d places for %d records", places, number)
	}
	return nil
}

// check refuses a compaction that would lose or add a record.
func (c *Compaction) check(made []Object) error {
	before, after := 0, 0
	for _, r := range c.Replaced {
		before += r.Records
		if r.Key == "" || r.SHA256 == "" {
			return errors.New("it replaces an object without saying which one")
		}
	}
	for _, o := range made {
		after += o.Records
	}
	for _, r := range c.Replaced {
		if err := r.Rows.check(r.Records, after); len(r.Rows) > 0 && err != nil {
			return fmt.Errorf("the records of %s: %w", r.Key, err)
		}
	}
	if len(made) != 1 || len(c.Replaced) == 0 || before-c.Duplicates != after {
		return fmt.Errorf("it replaces %d objects with %d records, %d of them twice, by %d objects with %d records: it must be one "+
			"object with the same records", len(c.Replaced), before, c.Duplicates, len(made), after)
	}
	return nil
}

// Compact commits an entry of kind compact after prev: the object that was made takes the place of those that the compaction
// names. It leaves the position as it is, and accounts for no window. The caller holds the lease, and has loaded prev under it.
// The lease's intents outlive the entry, as they outlive a move.
func (j *Journal) Compact(ctx context.Context, lease *Lease, prev Stored, c Compaction, made Object) (Stored, error) {
	lease.Settle(prev.Window)
	if err := lease.Tell(ctx); err != nil { // as in Move: no reader looks at an older entry for the last window
		return Stored{}, err
	}
	next := prev.Standing(KindCompact)
	c.Follows = prev.Progress()
	next.Compacted, next.Objects = &c, []Object{made}
	return j.Commit(ctx, prev, next)
}

// A Forgetting says that objects of the archive are removed on purpose, with the records in them. The entry of kind forget is
// committed before the first of them goes. The totals, the position and the set of delivered ids stay as they are: what was
// delivered stays delivered, and no run delivers it again.
type Forgetting struct {
	Before  time.Time `json:"before"` // a midnight in UTC: every removed object is of a day before it
	Reason  string    `json:"reason"` // as the person who asked for it gave it
	By      string    `json:"by,omitempty"`
	Removed []Removal `json:"removed"`
	Records int       `json:"records"` // in all of them
	// Root is the root of the tree over the keys and the hashes of the removed objects: a short name of the list, for a protocol of
	// the deletion outside of the journal. Forget fills it in, and Records as well.
	Root    seal.Hash `json:"root"`
	Follows Progress  `json:"follows"` // Forget fills it in
}

// A Removal is an object that is removed on purpose.
type Removal struct {
	Key     string `json:"key"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
	Records int    `json:"records,omitempty"` // 0 for the bytes of an element that is no record
}

// root is the root over the keys and the hashes: a leaf for each object, "<key>\n<SHA-256 in hex>\n".
func (f *Forgetting) root() seal.Hash {
	var tree seal.Frontier
	for _, r := range f.Removed {
		tree.Append(seal.Leaf([]byte(r.Key + "\n" + r.SHA256 + "\n")))
	}
	return tree.Root()
}

// check refuses a removal that does not say what it removes, or why.
func (f *Forgetting) check(objects []Object) error {
	records := 0
	keys := map[string]bool{}
	for _, r := range f.Removed {
		records += r.Records
		if r.Key == "" || r.SHA256 == "" || keys[r.Key] {
			return fmt.Errorf("it does not say which object it removes, or says it twice (%q)", r.Key)
		}
		keys[r.Key] = true
	}
	switch {
	case len(objects) > 0 || len(f.Removed) == 0 || records != f.Records:
		return fmt.Errorf("it removes %d objects with %d records, says that they have %d, and brings %d objects: it must remove objects "+
			"and bring none", len(f.Removed), records, f.Records, len(objects))
	case !f.Before.Equal(f.Before.UTC().Truncate(24*time.Hour)) || f.Before.IsZero():
		return errors.New("it does not say before which day it removes objects")
	case strings.TrimSpace(f.Reason) == "":
		return errors.New("it removes objects and gives no reason")
	case f.root() != f.Root:
		return fmt.Errorf("its list of removed objects has the root %s, and it says %s", f.root().Base64(), f.Root.Base64())
	}
	return nil
}

// Forget commits an entry of kind forget after prev. Only after that the caller may remove the objects. As with [Journal.Compact],
// the caller holds the lease, and has loaded prev under it.
func (j *Journal) Forget(ctx context.Context, lease *Lease, prev Stored, f Forgetting) (Stored, error) {
	lease.Settle(prev.Window)
	if err := lease.Tell(ctx); err != nil { // as in Compact
		return Stored{}, err
	}
	next := prev.Standing(KindForget)
	f.Removed, f.Records = slices.Clone(f.Removed), 0
	for _, r := range f.Removed {
		f.Records += r.Records
	}
	f.Root, f.Follows = f.root(), prev.Progress()
	next.Forgotten = &f
	return j.Commit(ctx, prev, next)
}

// forgottenBefore is the time before which the archive has no records any more, after an entry that follows prev. An adoption may
// know it where the journal before it is lost.
func forgottenBefore(prev, next Checkpoint) time.Time {
	at := prev.ForgottenBefore
	if next.Kind == KindAdopt && next.ForgottenBefore.After(at) {
		at = next.ForgottenBefore
	}
	if next.Forgotten != nil && next.Forgotten.Before.After(at) {
		at = next.Forgotten.Before
	}
	return at
}
