package exporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
)

// ErrSourceChanged says that the server's log does not continue the log that Houndtrail has exported from it. No later cycle
// can heal that: a person has to say whether the change is meant.
var ErrSourceChanged = errors.New("the audit log is not the one that was exported so far")

const (
	// standstill is how long a position may stand still before retention can have dropped records behind it.
	standstill = 24 * time.Hour
	// shortestRetention is an age: retention cannot have dropped a record that is younger. PR #3049 keeps three months.
	shortestRetention = 60 * 24 * time.Hour
)

// meets returns two answers: whether the span covers the instant of the record, and whether the record was in the span.
func (s span) meets(seen *checkpoint.Record) (looked, found bool) {
	if seen == nil || seen.CreatedAt.Before(s.since) || !seen.CreatedAt.Before(s.End) {
		return false, false
	}
	for i := s.firstFrom(seen.CreatedAt); i < s.count() && s.name(i).CreatedAt.Equal(seen.CreatedAt); i++ {
		if s.name(i).ID == seen.ID {
			return true, true
		}
	}
	return true, false
}

// newest is the latest record of the window proper, nil if the window has none.
func (s span) newest() *checkpoint.Record {
	if n := s.count(); n > 0 && !s.name(n-1).CreatedAt.Before(s.Start) {
		newest := checkpoint.Record(s.name(n - 1))
		return &newest
	}
	return nil
}

// changed returns the error that says what Houndtrail saw, and what that probably means.
func (c *cycle) changed(saw, means string) error {
	return failed(StageSource, fmt.Errorf("%w: %s. Probably %s. Nothing was committed since then. If this change is meant, accept it: "+
		"houndtrail accept-reset --reason \"...\". The archived records stay, and a new lineage of the journal goes on from there "+
		"without losing or doubling a record", ErrSourceChanged, saw, means))
}

// checkContinuity checks that the records are of the log that Houndtrail has exported so far: the newest delivered record must
// still be there. As a rule the overlap shows that record. If the overlap is empty, Houndtrail looks for the record before it
// delivers any new one.
//
// An archive's journal tells that itself, so a stream that follows an archive need not look.
func (c *cycle) checkContinuity(ctx context.Context, w walk, p part) error {
	if c.following != nil {
		return nil
	}
	if p.reused > 0 {
		return c.changed(fmt.Sprintf("it has a new record with the id %d, which an exported record had", p.reused),
			"the database was restored from a backup, and ids are handed out a second time")
	}
	stale := c.now.Sub(c.stored.Cursor) > standstill
	looked, found := p.looked, p.found
	if !looked && !c.verified && w.seen != nil {
		var err error
		if found, err = c.find(ctx, w.seen); err != nil {
			return err
		}
		looked = true
	}
	c.verified = c.verified || looked
	if !looked || found {
		return nil
	}
	return c.vanished(w.seen, stale)
}

// stands looks for the newest delivered record in a cycle that had no window to read. Such a cycle may come right after another
// one, or after a person set a clock back a little. No window is due then, but that does not show that the log is still the
// same.
func (c *cycle) stands(ctx context.Context, due walk) error {
	if due.horizon.After(due.cursor) || c.verified || c.stored.Newest == nil {
		return nil
	}
	found, err := c.find(ctx, c.stored.Newest)
	if err != nil {
		return err
	}
	if c.verified = true; found {
		return nil
	}
	return c.vanished(c.stored.Newest, c.now.Sub(c.stored.Cursor) > standstill)
}

func (c *cycle) find(ctx context.Context, seen *checkpoint.Record) (bool, error) {
	found, err := c.Source.Has(ctx, seen.ID, seen.CreatedAt)
	if err != nil {
		return false, failed(StageSource, fmt.Errorf("look for the record with id %d once more: %w", seen.ID, err))
	}
	return found, nil
}

func (c *cycle) vanished(seen *checkpoint.Record, stale bool) error {
	gone := fmt.Sprintf("the record with id %d of %s, the newest that was exported, is not there any more",
		seen.ID, stamp(seen.CreatedAt))
	switch {
	case c.now.Sub(seen.CreatedAt) < shortestRetention:
		return c.changed(gone, "the database was restored from a backup or begun anew, another server answers at this address, "+
			"or a person removed records (if a replica that lags gave this answer, the next run that finds the record goes on by itself)")
	case stale:
		return c.changed(gone+fmt.Sprintf(", and nothing was exported for %s", c.now.Sub(c.stored.Cursor).Round(time.Hour)),
			"the server drops old records, and may have dropped some that were never exported")
	default:
		return nil // a quiet server drops old records, and the position kept up with it all the time
	}
}

// How an entry holds the set of delivered ids. A small set stands in the entry as a whole. For a larger set, the entry has only
// the change since a snapshot. A snapshot costs bytes. Houndtrail writes the next one when so many entries have built on the
// last one that each entry's share of it is small.
const (
	smallSet      = 1 << 10  // if the set has no more bytes, each entry has it whole; an Exporter may set another limit
	largeChange   = 16 << 10 // if a change has more bytes, Houndtrail writes a snapshot instead
	snapshotShare = 1 << 10  // each entry's share of a snapshot, in bytes before compression
	fewestChanges = 16       // at least so many entries build on a snapshot
	mostChanges   = 512      // a reader reads at most so many entries to know the set
)

// A knownSet is the set of the entry with that hash.
type knownSet struct {
	sha256 string
	set    dedup.Set
}

// recollect returns the set of an entry. If the set is the previous cycle's, it reads nothing.
func (c *cycle) recollect(ctx context.Context, s checkpoint.Stored) (err error) {
	if k := c.last; k != nil && k.sha256 == s.SHA256 {
		c.set = k.set
		return nil
	}
	if c.set, err = readSet(ctx, c.Store, s); err == nil {
		c.last = &knownSet{s.SHA256, c.set}
	}
	return err
}

// readSet reads the set of delivered ids of an entry.
func readSet(ctx context.Context, journal Store, s checkpoint.Stored) (dedup.Set, error) {
	whole, changes, err := journal.Delivered(ctx, s)
	if err != nil {
		return dedup.Set{}, err
	}
	set, err := dedup.Parse(whole)
	for _, change := range changes {
		if err == nil {
			set, err = set.Apply(change)
		}
	}
	if err != nil {
		return dedup.Set{}, fmt.Errorf("%w: entry %d: %w", checkpoint.ErrCorrupt, s.Serial, err)
	}
	return set, nil
}

// writeSet writes the set into the entry after prev: as a change of prev's set, or as a whole if that is better.
func (e *Exporter) writeSet(
	ctx context.Context, journal Store, prev checkpoint.Stored, before, set dedup.Set, next *checkpoint.Checkpoint,
) error {
	if base, ok := e.due(prev, set.Size()); ok {
		if change, ok := set.Change(before); ok && len(change) <= largeChange {
			next.Delivered, next.DeliveredBase = change, base
			return nil
		}
	}
	return e.writeAnew(ctx, journal, prev, set, next)
}

// due returns the snapshot on which the entry after prev builds. ok is false if the entry should hold the whole set.
func (e *Exporter) due(prev checkpoint.Stored, size int) (base *checkpoint.Base, ok bool) {
	if prev.Serial == 0 || size <= e.small() {
		return nil, false
	}
	base = prev.Next()
	n := int(prev.Serial + 1 - base.Serial)
	return base, n < fewestChanges || n < mostChanges && n*snapshotShare < size
}

// writeAnew writes the whole set into the entry after prev, or into a new snapshot. It does not read prev's set.
func (e *Exporter) writeAnew(
	ctx context.Context, journal Store, prev checkpoint.Stored, set dedup.Set, next *checkpoint.Checkpoint,
) error {
	whole, err := set.MarshalBinary()
	if err != nil {
		return fmt.Errorf("writing down the set of %d delivered ids: %w", set.Len(), err)
	}
	if len(whole) <= e.small() {
		next.Delivered, next.DeliveredBase = whole, nil
		return nil
	}
	next.Delivered = nil
	next.DeliveredBase, err = journal.Snapshot(ctx, prev, whole)
	return err
}

// small is the limit in bytes up to which each entry holds the whole set.
func (e *Exporter) small() int {
	if e.SmallSet > 0 {
		return e.SmallSet
	}
	return smallSet
}

// corrupt tells that a journal is damaged: its bytes are not those that Houndtrail wrote.
func corrupt(err error) bool { return errors.Is(err, checkpoint.ErrCorrupt) }

// declareAll is declare for the journal of the stream and for that of its backfill, which comes first: a crash in between leaves work
// that the next cycle finds. Otherwise nothing would vouch for the new key there once the old one is gone.
func (c *cycle) declareAll(ctx context.Context, newest checkpoint.Stored) (checkpoint.Stored, error) {
	due, err := c.Store.Undeclared(ctx, newest)
	if err != nil || !due {
		return newest, err
	}
	if err := c.declareKin(ctx); errors.Is(err, checkpoint.ErrLeaseHeld) {
		c.Log.Warn("the keys that sign the journal stay as they are until the backfill ends: keep the previous key until then", zap.Error(err))
		return newest, nil
	} else if err != nil {
		return newest, fmt.Errorf("name the keys in the journal of the backfill: %w", err)
	}
	return c.declare(ctx, c.Store, c.lease, newest)
}

// declareKin declares the keys in the journal of the backfill, if there is one. It takes no lease of a journal that is not there.
func (c *cycle) declareKin(ctx context.Context) error {
	if c.Kin == nil {
		return nil
	}
	_, err := c.Kin.Load(ctx)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return under(ctx, c.Kin, func(ctx context.Context, lease *checkpoint.Lease) error {
		newest, err := c.Kin.Load(ctx)
		if err == nil {
			_, err = c.declare(ctx, c.Kin, lease, newest)
		}
		return err
	})
}

// declare sees to it that the journal names the keys that sign it, before anything else is written. A crash after the entry leaves a
// position that is the same as before it.
func (c *cycle) declare(
	ctx context.Context, journal Store, lease *checkpoint.Lease, newest checkpoint.Stored,
) (checkpoint.Stored, error) {
	declared, err := journal.Declare(ctx, lease, newest, c.clock())
	if err != nil || declared.Serial == newest.Serial {
		return declared, err
	}
	active := make([]string, 0, len(declared.Keys.Active))
	for _, key := range declared.Keys.Active {
		active = append(active, key.Key.Fingerprint())
	}
	c.Log.Info("other keys sign the journal from now on: tell the new public key to everyone who verifies it",
		zap.Uint64("serial", declared.Serial), zap.String("head", declared.Head), zap.Strings("active_keys_sha256", active))
	return declared, nil
}
