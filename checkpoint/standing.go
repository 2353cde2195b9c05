package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A Compaction says that one object, the entry's own, took the place of others. It has their records, each once. The totals, the
// position and the set of delivered ids stay as they are: no record is new.
type Compaction struct {
	Day      string     `json:"day"` // of created_at, in UTC: 2026-03-01
	Replaced []Replaced `json:"replaced"`
	// Duplicates is the number of surplus records in the replaced objects. Such a record is the copy of another one in every
	// column. A crash leaves such records if the journal is lost as well.
	Duplicates int      `json:"duplicates,omitempty"`
	Follows    Progress `json:"follows"` // Compact fills it in
}

// Replaced is an object that a compaction took away.
type Replaced struct {
	Key     string `json:"key"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
	Records int    `json:"records"`
	// Rows are the places of its records among those of the new object. With them, the entry that delivered a record still proves
	// it, although that object is gone. There are none if they would take too much room.
	Rows Places `json:"rows,omitempty"`
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

// Compact commits an entry of kind compact after prev. The object that was made takes the place of the objects that the compaction
// names. The entry leaves the position as it is, and accounts for no window. The caller holds the lease, and has loaded prev under
// it. The lease's intents outlive the entry, as they outlive a move.
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

// A Forgetting says that objects of the archive are removed on purpose, with the records in them. Houndtrail commits the entry of
// kind forget before it removes the first of them. The totals, the position and the set of delivered ids stay as they are. A
// delivered record stays delivered, and no run delivers it again.
type Forgetting struct {
	Before  time.Time `json:"before"` // a midnight in UTC: every removed object is of a day before it
	Reason  string    `json:"reason"` // as the person who asked for it gave it
	By      string    `json:"by,omitempty"`
	Removed []Removal `json:"removed"`
	Records int       `json:"records"` // in all of them
	// Root is the root of the tree over the keys and the hashes of the removed objects. It is a short name of the list, for a
	// protocol of the deletion outside of the journal. Forget fills in Root and Records.
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

// check refuses a removal that does not say which objects it removes, or why.
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

// Forget commits an entry of kind forget after prev. The caller may remove the objects only after that. As with [Journal.Compact],
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

// ErrNoLetter says that a letter is not in the dead letter, or not any more.
var ErrNoLetter = errors.New("no such letter")

// SettleLetters commits an entry of kind letters after prev: the letters that it names leave the dead letter. sent are the objects
// with which the destination got those of s.Sent. The objects of the letters stay in the store, as every object of a journal does.
// As with [Journal.Compact], the caller holds the lease, and has loaded prev under it.
func (j *Journal) SettleLetters(ctx context.Context, lease *Lease, prev Stored, s Settlement, sent []Object) (Stored, error) {
	for _, l := range slices.Concat(s.Sent, s.Dropped) {
		if !slices.ContainsFunc(prev.DeadLetters, l.Same) {
			return Stored{}, fmt.Errorf("%w: record %d of %s", ErrNoLetter, l.ID, l.CreatedAt.UTC().Format(time.RFC3339Nano))
		}
	}
	lease.Settle(prev.Window)
	if err := lease.Tell(ctx); err != nil { // as in Compact
		return Stored{}, err
	}
	next := prev.Standing(KindLetters)
	s.Follows = prev.Progress()
	next.Settled, next.Objects = &s, sent
	return j.Commit(ctx, prev, next)
}

// forgottenBefore is the time before which the archive has no records any more, after an entry that follows prev. If the previous
// journal is lost, an adoption may know that time.
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

// releaseTime limits how long a command tries to give the lease back at its end.
const releaseTime = 10 * time.Second

// Move gives the journal this identity instead of the identity of its newest entry: the same archive has another address, the
// source has a new host name, or the tenant is another one. It commits one entry of kind move. The entry accounts for no window
// and leaves the position as it is. The lease's intents outlive the move. So if an attempt was not committed, the next run takes
// the window of that attempt.
//
// at is the caller's clock, and the entry tells that time: a move asks no server.
//
// [ErrUnmoved] says that the journal has this identity already, and [ErrNotFound] that there is no journal. [ErrUnfinished]
// says that an attempt was not committed, and that the next run would not find its traces under the new name.
func (j *Journal) Move(ctx context.Context, reason string, at time.Time) (moved Stored, err error) {
	if strings.TrimSpace(reason) == "" {
		return Stored{}, errors.New("a move needs a reason, which stands in the journal: give one")
	}
	err = j.leased(ctx, func(ctx context.Context, lease *Lease) error {
		prev, err := j.load(ctx)
		if err != nil {
			return err
		}
		lease.Settle(prev.Window)
		if err := j.mayMove(prev, lease.Intents()); err != nil {
			return err
		}
		if err := lease.Tell(ctx); err != nil { // the entry of the move has no window, and no reader looks at an older entry
			return err
		}
		moved, err = j.Commit(ctx, prev, prev.moved(reason, at))
		return err
	})
	return moved, err
}

// leased calls do under the journal's lease, and gives the lease back.
func (j *Journal) leased(ctx context.Context, do func(context.Context, *Lease) error) (err error) {
	lease, err := j.Acquire(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		err = errors.Join(err, lease.Release(ctx))
	}()
	return do(lease.Context(), lease) //nolint:contextcheck // derived from ours
}

// Movable tells why Move would fail, if that can be seen without taking the lease; nil if Move would succeed.
func (j *Journal) Movable(ctx context.Context) error {
	prev, err := j.load(ctx)
	if err != nil {
		return err
	}
	lease, err := j.LeaseStatus(ctx)
	if err != nil {
		return err
	}
	return j.mayMove(prev, after(lease.Intents, prev.Window))
}

func (j *Journal) mayMove(newest Stored, intents []window.Window) error {
	if newest.names() == j.id.names() {
		return fmt.Errorf("%w: %s has this run's tenant, source, destination and encoding already: change the "+
			"settings first, or leave the journal as it is", ErrUnmoved, j.at(j.Key(newest.Serial)))
	}
	if len(intents) == 0 || newest.Tenant == j.id.Tenant && newest.Encoding == j.id.Encoding {
		return nil
	}
	return j.settled(newest, intents)
}

// settled refuses to change the tenant or the encoding while an attempt is not committed. The attempt's objects have the previous
// tenant and the previous encoding. The next run would not replace them, and no receiver could see that its records are the same.
func (j *Journal) settled(newest Stored, open []window.Window) error {
	if open[0].Pass < newest.Epoch && !j.scattered { // a later reset or adoption has dealt with the objects of that attempt
		return nil
	}
	again := "houndtrail run --once"
	if j.scattered {
		again = "houndtrail backfill"
	}
	return fmt.Errorf("%w: the window %s to %s was begun and not committed, and what it has left at the destination bears the "+
		"tenant %s and the encoding %s, where the next run would not find it. Nothing was moved. Set the previous settings again "+
		"(%s), run %s, which ends that window, and then move", ErrUnfinished, open[0].Start.UTC().Format(time.RFC3339Nano),
		open[0].End.UTC().Format(time.RFC3339Nano), newest.Tenant, newest.Encoding, newest.names().without(j.id.names()), again)
}

// moved is the entry after c that changes only the journal's identity.
func (c *Checkpoint) moved(reason string, at time.Time) Checkpoint {
	m := c.Standing(KindMove)
	m.Moved = &Move{From: c.names(), Reason: reason}
	m.CommittedAt = at
	return m
}

// Standing is an entry after c that accounts for no window and leaves the position as it is.
func (c *Checkpoint) Standing(k Kind) Checkpoint {
	m := *c
	m.Kind = k
	m.Window = window.Window{Start: c.Cursor, End: c.Cursor, Pass: c.Epoch}
	m.Reset, m.Moved, m.Adopted, m.Compacted, m.Forgotten, m.Settled, m.Keys = nil, nil, nil, nil, nil, nil, nil
	m.Delivered, m.DeliveredBase = c.Unchanged()
	m.Records, m.Filter, m.ServerCount, m.Objects = Counts{}, "", nil, nil
	m.Holes, m.Changed, m.Refused = nil, nil, nil
	m.CommittedAt = time.Time{}
	return m
}
