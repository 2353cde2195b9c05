package exporter

import (
	"context"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Found is the content of a destination, as Houndtrail read it without a journal.
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

// An Adopter is a journal from which a stream can go on although the journal is not sound.
type Adopter interface {
	Store
	// Tip returns the newest entry that exists. At least the serial and the hash of this entry are known.
	Tip(ctx context.Context) (checkpoint.Stored, error)
}

// An Adoption has the entry that Houndtrail committed to the stream's journal. If the backfill's journal was damaged, it also
// has the entry that Houndtrail committed there.
type Adoption struct{ Stream, Backfill checkpoint.Stored }

// Adopt commits an entry that makes the content of a destination the stream's position. The journal is empty, or does not
// account for all of that content. Houndtrail delivers no record again that it found. The next cycle compares all of the time
// in the destination with the source. So if an attempt wrote only a part of a window, the stream still delivers the rest.
//
// A stream can go on from a damaged journal as well: Houndtrail then ignores the position in the journal. From now on the
// stream accounts for the records that a backfill delivered, and so the backfill's journal only has to be readable again.
//
// Houndtrail makes the survey under the leases of both journals: no other process writes to the destination meanwhile.
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
			// The survey found everything that earlier attempts left.
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

// accountable returns the start of an adopted stream's account of time, and the instant from which on the stream knows every
// delivered record. The destination's own account begins at found. If the user asked for an earlier start, the account begins
// there. If the user asked for no start, records from before the start may appear late, and Houndtrail looks for them as in a
// new stream.
func (e *Exporter) accountable(found time.Time) (start, since time.Time) {
	if !e.Start.IsZero() {
		start = earliest(found, e.Start.Truncate(grain))
		return start, start
	}
	return found, found.Add(-e.memory())
}
