package exporter

import (
	"context"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Found is what a destination turned out to hold when it was read without a journal.
type Found struct {
	Delivered dedup.Set          // every record
	From, To  time.Time          // from the earliest window's start to the latest window's end
	Newest    *checkpoint.Record // the latest record; nil for none
	MaxID     int64
	MaxPass   uint64 // of the windows that left an object
	Objects   int
	Bytes     int64 // of the objects
	Records   int64
}

// An Adopter is a journal that can be gone on from although it is not sound.
type Adopter interface {
	Store
	// Tip is the newest entry that is there, of which at least the serial and the hash are known.
	Tip(ctx context.Context) (checkpoint.Stored, error)
}

// An Adoption is the entry that was committed to the stream's journal and, if that was damaged, to the backfill's.
type Adoption struct{ Stream, Backfill checkpoint.Stored }

// Adopt commits the entry that makes a position of what a destination holds, in an empty journal or on top of one that
// does not account for all of it. Nothing that was found is delivered again. The next cycle compares all of its time with
// the source, so that a window of which only a part had been written loses nothing.
//
// A journal that is damaged is gone on from as well: what it says of the position does not count. What a backfill has
// delivered is the stream's own from now on, and so its journal only has to be readable again.
//
// The survey is made under the leases of both journals: nothing else writes to the destination meanwhile.
func (e *Exporter) Adopt(
	ctx context.Context, journal, backfill Adopter, survey func(context.Context) (Found, error), reason string,
) (a Adoption, err error) {
	m, err := e.moment(ctx, false)
	if err != nil {
		return a, err
	}
	err = holding(ctx, journal, func(ctx context.Context, own *checkpoint.Lease) error {
		return holding(ctx, backfill, func(ctx context.Context, other *checkpoint.Lease) error {
			found, err := survey(ctx)
			if err != nil {
				return failed(StageSink, err)
			}
			if a.Stream, err = e.adopt(ctx, m, journal, found, reason); err != nil {
				return err
			}
			if _, damaged := backfill.Load(ctx); errors.Is(damaged, checkpoint.ErrCorrupt) {
				if a.Backfill, err = e.adopt(ctx, m, backfill, found, reason); err != nil {
					return err
				}
			}
			// Whatever an attempt has left was found.
			return failed(StageCheckpoint, errors.Join(own.Forget(ctx), other.Forget(ctx)))
		})
	})
	return a, err
}

// adopt commits the entry to one journal.
func (e *Exporter) adopt(
	ctx context.Context, m moment, journal Adopter, found Found, reason string,
) (entry checkpoint.Stored, err error) {
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
	start, since := e.accountable(start)
	epoch = max(epoch, previous.Epoch+previous.Serial+2)
	next := checkpoint.Checkpoint{
		Kind:   checkpoint.KindAdopt,
		Cursor: cursor, Window: window.Window{Start: cursor, End: cursor, Pass: epoch}, Epoch: epoch,
		Start: start, StartAsked: !e.Start.IsZero(), DeliveredSince: since,
		MaxID: found.MaxID, Newest: found.Newest, Oldest: previous.Oldest, Ahead: latest(previous.Ahead, found.To),
		CommittedAt: m.clock(),
		Adopted: &checkpoint.Adoption{
			Reason: reason, Objects: found.Objects, Bytes: found.Bytes, Records: found.Records, From: found.From, To: found.To,
		},
	}
	if err := e.writeAnew(ctx, journal, previous, delivered, &next); err != nil {
		return entry, failed(StageCheckpoint, err)
	}
	entry, err = journal.Commit(ctx, previous, next)
	return entry, failed(StageCheckpoint, err)
}

// accountable is where an adopted stream's account of time begins, given where the destination's does, and from when on it
// knows what was delivered. That is all of it: a record from before the start that appears late is looked for as it is in a
// new stream, and a start that was asked for may be before the first record that was found.
func (e *Exporter) accountable(found time.Time) (start, since time.Time) {
	if !e.Start.IsZero() {
		start = earliest(found, e.Start.Truncate(grain))
		return start, start
	}
	return found, found.Add(-e.memory())
}
