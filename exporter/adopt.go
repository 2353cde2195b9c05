package exporter

import (
	"context"
	"errors"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter/dedup"
)

// Found is what a destination turned out to hold when it was read without a journal.
type Found struct {
	Delivered dedup.Set          // every record
	From, To  time.Time          // from the earliest window's start to the latest window's end
	Newest    *checkpoint.Record // the latest record; nil for none
	MaxID     int64
	MaxPass   uint64 // of the windows that left an object
	Objects   int
	Records   int64
}

// An Adopter is a journal that can be gone on from although it is not sound.
type Adopter interface {
	Store
	// Tip is the newest entry that is there, of which at least the serial and the hash are known.
	Tip(ctx context.Context) (checkpoint.Stored, error)
}

// Adopt commits the entry that makes a position of what a destination holds, in an empty journal or on top of one that
// does not account for all of it. Nothing that was found is delivered again. The next cycle compares all of its time with
// the source, so that a window of which only a part had been written loses nothing.
//
// A journal that is damaged is gone on from as well: what it says of the position does not count.
func (e *Exporter) Adopt(ctx context.Context, journal Adopter, found Found, reason string) (entry checkpoint.Stored, err error) {
	m, err := e.moment(ctx, false)
	if err != nil {
		return entry, err
	}
	lease, err := journal.Acquire(ctx)
	if err != nil {
		return entry, failed(StageCheckpoint, err)
	}
	defer func() { err = release(ctx, lease, err) }()
	ctx = lease.Context() //nolint:contextcheck // derived from ours; it also ends when the lease is lost
	var known dedup.Set
	previous, err := journal.Load(ctx)
	if err == nil {
		known, err = readSet(ctx, journal, previous)
	}
	sound := err == nil
	if corrupt(err) {
		previous, err = journal.Tip(ctx)
	}
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		return entry, failed(StageCheckpoint, err)
	}
	delivered, start, epoch := found.Delivered, found.From, found.MaxPass+1
	cursor := earliest(found.To, m.now.Add(-e.Settle)).Truncate(grain)
	if sound {
		delivered, cursor, start = delivered.With(known), previous.Cursor, earliest(start, previous.Start)
	}
	epoch = max(epoch, previous.Epoch+previous.Serial+2)
	next := checkpoint.Checkpoint{
		Kind:   checkpoint.KindAdopt,
		Cursor: cursor, Window: checkpoint.Window{Start: cursor, End: cursor, Pass: epoch}, Epoch: epoch,
		Start: start, StartAsked: !e.Start.IsZero(), DeliveredSince: found.From,
		MaxID: found.MaxID, Newest: found.Newest, Oldest: previous.Oldest, Ahead: latest(previous.Ahead, found.To),
		CommittedAt: m.clock(),
		Adopted: &checkpoint.Adoption{
			Reason: reason, Objects: found.Objects, Records: found.Records, From: found.From, To: found.To,
		},
	}
	if err := writeAnew(ctx, journal, previous, delivered, &next); err != nil {
		return entry, failed(StageCheckpoint, err)
	}
	entry, err = journal.Commit(ctx, previous, next)
	return entry, failed(StageCheckpoint, err)
}
