package exporter

import (
	"context"
	"errors"
	"fmt"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
)

// How an entry writes down the set of delivered ids: it has a small set whole. For a larger set it has only the change, on top
// of a snapshot. Houndtrail writes a new snapshot once its size, spread over the entries that built on the last one, is little
// for each.
const (
	smallSet      = 1 << 10  // bytes that an entry may have whole, unless the Exporter says otherwise
	largeChange   = 16 << 10 // bytes of a change; if it has more, a snapshot is better
	snapshotShare = 1 << 10  // bytes of a snapshot, before it is packed, for each entry
	fewestChanges = 16       // entries to a snapshot
	mostChanges   = 512      // entries that a reader has to read at most for the set
)

// A known set is the set of the entry with that hash.
type known struct {
	sha256 string
	set    dedup.Set
}

// recollect reads the set of an entry, or remembers it from the previous cycle.
func (c *cycle) recollect(ctx context.Context, s checkpoint.Stored) (err error) {
	if k := c.last; k != nil && k.sha256 == s.SHA256 {
		c.set = k.set
		return nil
	}
	if c.set, err = readSet(ctx, c.Store, s); err == nil {
		c.last = &known{s.SHA256, c.set}
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

// writeSet puts the change of prev's set into the entry after prev, or the whole set if that is better.
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

// due returns the snapshot on which the entry after prev builds; ok is false if the entry should have its set whole.
func (e *Exporter) due(prev checkpoint.Stored, size int) (base *checkpoint.Base, ok bool) {
	if prev.Serial == 0 || size <= e.small() {
		return nil, false
	}
	base = prev.Next()
	n := int(prev.Serial + 1 - base.Serial)
	return base, n < fewestChanges || n < mostChanges && n*snapshotShare < size
}

// writeAnew puts the whole set into the entry after prev, or into a new snapshot, without a look at prev's set.
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

// small is how many bytes a set may have so that each entry has it whole.
func (e *Exporter) small() int {
	if e.SmallSet > 0 {
		return e.SmallSet
	}
	return smallSet
}

// corrupt tells that a journal is not as Houndtrail wrote it.
func corrupt(err error) bool { return errors.Is(err, checkpoint.ErrCorrupt) }
