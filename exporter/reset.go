package exporter

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A History is a journal from which one can read the newest entries again.
type History interface {
	Store
	Last(ctx context.Context, n int) iter.Seq2[checkpoint.Stored, error]
}

// A Reset holds the first entry of a new lineage, and the entry that it follows.
type Reset struct {
	Previous, Begun checkpoint.Stored
	Known           int // delivered records that the new lineage knows; it does not deliver them again
}

// lookBack is how far before the position the first cycle of a new lineage searches. If a clock was set back, or a database was
// restored, new records may have old times. These times can be as old as the time that passes before a person accepts the
// change.
const lookBack = 7 * day

// AcceptReset begins a new lineage, because a person says that the change of the source is meant. The new lineage begins at the
// last position that neither clock contradicts. If from is set and earlier, it begins there. It keeps all records from there on
// that the journal knows as delivered, so Houndtrail delivers none of them twice. The next cycle searches all of that time, so
// no record is lost.
func (e *Exporter) AcceptReset(ctx context.Context, journal History, from time.Time, reason string) (r Reset, err error) {
	m, err := e.moment(ctx, false)
	if err != nil {
		return Reset{}, err
	}
	err = holding(ctx, journal, func(ctx context.Context, lease *checkpoint.Lease) (err error) {
		r, err = e.reset(ctx, m, journal, lease, from, reason)
		return err
	})
	return r, err
}

func (e *Exporter) reset(
	ctx context.Context, m moment, journal History, lease *checkpoint.Lease, from time.Time, reason string,
) (r Reset, err error) {
	horizon := m.now.Add(-e.Settle).Truncate(grain)
	cursor := horizon
	if !from.IsZero() {
		cursor = earliest(horizon, from)
	}
	entries, err := entriesSince(ctx, journal, cursor)
	if err != nil {
		return Reset{}, failed(StageCheckpoint, err)
	}
	// Load checks the signature of the newest entry, and knows the heads that are remembered elsewhere. The other readers of the
	// journal do not.
	if r.Previous, err = journal.Load(ctx); err != nil {
		return Reset{}, failed(StageCheckpoint, err)
	}
	cursor = earliest(cursor, r.Previous.Cursor)
	forgotten := r.Previous.ForgottenBefore
	if cursor.Before(forgotten) {
		return Reset{}, &RangeError{fmt.Sprintf("the new lineage would begin at %s, and the records before %s were removed from the archive "+
			"on purpose (houndtrail forget): it would bring them back. Give --from %s or later, and see that the clocks are right",
			stamp(cursor), stamp(forgotten), stamp(forgotten))}
	}
	set, known, err := e.delivered(ctx, journal, entries, cursor.Add(-lookBack), forgotten)
	if err != nil {
		return Reset{}, err
	}
	next := checkpoint.Checkpoint{
		Kind: checkpoint.KindReset, Cursor: cursor, DeliveredSince: earliest(known, cursor),
		Start: earliest(r.Previous.Start, cursor), StartAsked: r.Previous.StartAsked, Ahead: r.Previous.Ahead,
		History: r.Previous.History, Oldest: r.Previous.Oldest, Waiting: r.Previous.Waiting,
	}
	if set, err = e.leftover(ctx, lease, r.Previous, set); err != nil {
		return Reset{}, err
	}
	next.Reset = &checkpoint.Reset{Lineage: r.Previous.Lineage, Reason: reason}
	next.CommittedAt, r.Known = m.clock(), set.Len()
	if err := e.writeAnew(ctx, journal, r.Previous, set.Retire(), &next); err != nil {
		return Reset{}, failed(StageCheckpoint, err)
	}
	next.Epoch = r.Previous.Epoch + r.Previous.Serial + 2 // above every earlier pass
	next.Window = window.Window{Start: next.Cursor, End: next.Cursor, Pass: next.Epoch}
	if next.History != nil { // the set knows the records that an attempt at it has left, so no run repeats that attempt
		rest := *next.History
		rest.Pass, next.History = next.Epoch+r.Previous.Serial+1, &rest
	}
	r.Begun, err = journal.Commit(ctx, r.Previous, next)
	return r, failed(StageCheckpoint, err)
}

// entriesSince returns the newest entries, in order. It goes back to the last entry with a position that is at least lookBack
// before the cursor, or before the newest position if that is earlier. If there is no such entry, it returns all entries.
func entriesSince(ctx context.Context, journal History, cursor time.Time) (entries []checkpoint.Stored, err error) {
	var at time.Time
	for n := 1; ; n *= 4 {
		entries = entries[:0]
		for entry, err := range journal.Last(ctx, n) {
			if err != nil {
				return nil, err
			}
			entries = append(entries, entry)
		}
		if len(entries) == 0 {
			return nil, fmt.Errorf("there is nothing to reset: %w", checkpoint.ErrNotFound)
		}
		at = earliest(cursor, entries[len(entries)-1].Cursor).Add(-lookBack)
		if len(entries) < n || !entries[0].Cursor.After(at) {
			break
		}
	}
	for len(entries) > 1 && !entries[1].Cursor.After(at) {
		entries = entries[1:]
	}
	return entries, nil
}

// delivered returns the delivered records, as the entries and the objects that they name tell them. It also returns the instant
// from which the new lineage has to search. If Houndtrail cannot read the destination, it has no memory of a backlog: then it
// delivers the records of the last days once more. It does not search the time before forgotten: a user removed these records
// from the destination.
func (e *Exporter) delivered(
	ctx context.Context, journal Store, entries []checkpoint.Stored, from, forgotten time.Time,
) (set dedup.Set, known time.Time, err error) {
	known = entries[0].DeliveredSince
	if first := entries[0]; first.Kind == checkpoint.KindExport && first.Records.Duplicate == 0 { // its objects hold the whole window
		known = earliest(known, latest(from, first.Window.Start))
	}
	known = latest(known, forgotten)
	gone := replaced(entries)
	for entry, err := range memories(ctx, journal, entries) {
		if err != nil {
			return set, known, failed(StageCheckpoint, err)
		}
		objects := slices.DeleteFunc(slices.Clone(entry.Objects), func(o checkpoint.Object) bool { return gone[o.Key] })
		if set, err = e.recall(ctx, objects, known, set.With(entry.set)); err != nil {
			return set, known, err
		}
	}
	return set, known, nil
}

// replaced returns the objects that no longer exist. A later entry names another object with the same records.
func replaced(entries []checkpoint.Stored) map[string]bool {
	gone := map[string]bool{}
	for _, entry := range entries {
		if entry.Compacted == nil {
			continue
		}
		for _, r := range entry.Compacted.Replaced {
			gone[r.Key] = true
		}
	}
	return gone
}

// A memory is an entry, and the delivered records that its set knows.
type memory struct {
	checkpoint.Stored
	set dedup.Set
}

// memories returns the sets of consecutive entries. If the first entries build on pruned entries, their sets are empty.
func memories(ctx context.Context, journal Store, entries []checkpoint.Stored) iter.Seq2[memory, error] {
	return func(yield func(memory, error) bool) {
		var set dedup.Set
		err := checkpoint.ErrCorrupt // the error of the previous entry
		for i, entry := range entries {
			switch builds := entry.DeliveredBase != nil && entry.DeliveredBase.Serial < entry.Serial; {
			case i == 0 || !builds:
				set, err = readSet(ctx, journal, entry)
			case err == nil:
				set, err = set.Apply(entry.Delivered)
			}
			if err != nil && (!corrupt(err) || i == len(entries)-1) {
				yield(memory{}, err)
				return
			}
			if !yield(memory{entry, set}, nil) {
				return
			}
		}
	}
}

// recall adds the records of every object that has a record from an instant on.
func (e *Exporter) recall(ctx context.Context, objects []checkpoint.Object, from time.Time, set dedup.Set) (dedup.Set, error) {
	if e.Destination.Recall == nil {
		return set, nil
	}
	var b dedup.Builder
	for _, o := range objects {
		if o.MaxCreatedAt.Before(from) {
			continue
		}
		if err := e.Destination.Recall(ctx, o.Key, b.Add); err != nil {
			return set, failed(StageSink, fmt.Errorf("read which records %s holds: %w", o.Key, err))
		}
	}
	return set.With(b.Set()), nil
}

// leftover adds the records of uncommitted attempts at the destination.
func (e *Exporter) leftover(ctx context.Context, lease *checkpoint.Lease, newest checkpoint.Stored, set dedup.Set) (dedup.Set, error) {
	lease.Settle(newest.Window)
	if e.Destination.Attempt == nil {
		return set, nil
	}
	var b dedup.Builder
	for _, intent := range lease.Intents() {
		keys, err := e.Destination.Attempt(ctx, intent)
		if err != nil {
			return set, failed(StageSink, err)
		}
		for _, key := range keys {
			if err := e.Destination.Recall(ctx, key, b.Add); err != nil {
				return set, failed(StageSink, fmt.Errorf("read which records %s holds: %w", key, err))
			}
		}
	}
	return set.With(b.Set()), nil
}
