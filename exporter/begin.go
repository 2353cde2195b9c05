package exporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// ErrJournalGone says that the destination holds records, but there is no journal for them. If Houndtrail began anew, it would
// deliver every one of these records a second time.
var ErrJournalGone = errors.New("the destination holds records, and there is no journal of them")

// ErrStart says that the user asked a new stream to start in the future.
var ErrStart = errors.New("the start is in the future")

// load sets the position. A stream without a position gets its beginning. founded is false if the log has shown no record yet:
// then the stream cannot begin, and the next cycle looks again.
func (c *cycle) load(ctx context.Context) (founded bool, err error) {
	c.stored, err = c.Store.Load(ctx)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return c.begin(ctx)
	}
	if err == nil {
		c.stored, err = c.declareAll(ctx, c.stored)
	}
	if err != nil {
		return false, failed(StageCheckpoint, err)
	}
	return true, failed(StageCheckpoint, c.recollect(ctx, c.stored))
}

// begin sets the start of a new stream. An earlier attempt may have declared windows before its first commit: then the stream
// starts at the first of them. If not, it starts at the time that the user asked for. If the user asked for none, it starts at
// the oldest record.
func (c *cycle) begin(ctx context.Context) (founded bool, err error) {
	c.set = dedup.Set{}
	c.stored.StartAsked = !c.Start.IsZero()
	attempts := c.lease.Intents()
	if err := c.Begins(ctx, attempts, c.now); err != nil {
		return false, err
	}
	switch {
	case len(attempts) > 0:
		c.stored.Cursor = attempts[0].Start
	case c.stored.StartAsked:
		c.stored.Cursor = c.Start.Truncate(grain) // no query asks more finely
	default:
		if founded, err := c.beginAtOldest(ctx); err != nil || !founded {
			return false, err
		}
	}
	c.stored.Start, c.stored.DeliveredSince = c.stored.Cursor, c.stored.Cursor
	if !c.stored.StartAsked {
		// No record was delivered yet, so the empty set is right for all earlier times. If a record appears late before the start,
		// Houndtrail finds it as it finds every other late record.
		c.stored.DeliveredSince = c.stored.Cursor.Add(-c.memory())
	}
	return true, c.announce(ctx)
}

// announce tells the start of a new stream. It does so only once: Houndtrail may begin a cycle anew, and the log may have no
// record for a long time. If another journal in the same place has entries, this stream may have had a journal too. Houndtrail
// then cannot tell which records were delivered, and so it warns.
func (c *cycle) announce(ctx context.Context) error {
	if c.announced {
		return nil
	}
	beside := ""
	if c.Destination.Beside != nil {
		var err error
		if beside, err = c.Destination.Beside(ctx); err != nil {
			return failed(StageCheckpoint, fmt.Errorf("look for the journal of another stream, as this one has none: %w", err))
		}
	}
	c.announced = true
	if beside == "" {
		c.Log.Info("new stream", zap.Time("start", c.stored.Cursor))
		return nil
	}
	c.Log.Warn("this stream has no journal and begins anew, but another stream has a journal. If this stream is new, all is well. "+
		"If its journal is lost, records from the start on may come a second time, with the same event ids. Records from before the "+
		"start that were not delivered do not come: run houndtrail backfill to deliver them", zap.Time("start", c.stored.Cursor),
		zap.String("beside", beside))
	return nil
}

// vacant makes sure that the destination holds no record from before an instant. It ignores the records that a first attempt
// may have left. If the instant is zero, vacant does so for records of every time.
func (e *Exporter) vacant(ctx context.Context, attempts []window.Window, before time.Time) error {
	if e.Destination.Occupied == nil {
		return nil
	}
	key, err := e.Destination.Occupied(ctx, before, attempts)
	if errors.Is(err, ErrJournalGone) {
		return failed(StageCheckpoint, err)
	}
	if err != nil {
		return failed(StageSink, fmt.Errorf("look whether the destination is empty, as no journal says what it holds: %w", err))
	}
	if key == "" {
		return nil
	}
	return failed(StageCheckpoint, fmt.Errorf("%w: %s is one. Nothing was exported. If the journal is elsewhere (another "+
		"CHECKPOINT_URL, a volume that is not mounted, a backup), put that right. If it is lost, houndtrail adopt makes a new one "+
		"from the archive's own files, and goes on without losing or doubling a record", ErrJournalGone, key))
}

// beginAtOldest starts at the oldest record. An empty answer does not begin a stream: a server that has just started may give
// it, or a replica that lags.
func (c *cycle) beginAtOldest(ctx context.Context) (founded bool, err error) {
	extent, err := c.Source.Extent(ctx, c.now)
	if err != nil {
		return false, failed(StageSource, err)
	}
	if extent.Empty || !extent.Oldest.Before(c.horizon()) {
		c.Log.Info("no record is old enough to be exported yet, so the stream has no start",
			zap.Bool("empty", extent.Empty), zap.Time("oldest", extent.Oldest), zap.Time("until", c.horizon()))
		if c.Observer != nil {
			c.Observer.CaughtUp(c.horizon(), c.clock().Sub(c.horizon()))
		}
		return false, nil
	}
	c.page = extent.Page
	c.stored.Cursor = extent.Oldest.Truncate(grain)
	c.stored.Oldest = c.stored.Oldest.Next(extent.Oldest, c.now)
	return true, nil
}

// Found is the content of a destination, as Houndtrail read it without a journal.
type Found struct {
	Delivered dedup.Set          // every record
	From, To  time.Time          // from the earliest window's start to the latest window's end
	Newest    *checkpoint.Record // the latest record; nil for none
	MaxID     int64
	MaxPass   uint64 // the number of windows that left an object
	// Forgotten is set if a person says that earlier records were removed from the destination on purpose: all records before this
	// time.
	Forgotten time.Time
	Objects   int
	Bytes     int64 // the number of objects
	Records   int64
}

// An Adopter is a journal from which a stream can go on, even if the journal is damaged.
type Adopter interface {
	Store
	// Tip returns the newest entry that exists. Its other fields may be lost, but never its serial and its hash.
	Tip(ctx context.Context) (checkpoint.Stored, error)
}

// An Adoption holds the entry that Houndtrail committed to the stream's journal. If the backfill's journal was damaged too, it
// holds the entry that Houndtrail committed there as well.
type Adoption struct{ Stream, Backfill checkpoint.Stored }

// Adopt makes the content of the destination the stream's position, and commits an entry that says so. A user needs this if the
// journal is empty, or does not account for all of the content. Houndtrail delivers none of these records again. The next cycle
// reads all of that time from the source, and compares. So if an earlier attempt wrote only a part of a window, the stream
// still delivers the other part.
//
// A stream can go on from a damaged journal as well: Houndtrail then ignores the position in the journal. From now on the
// stream's journal also accounts for the records that a backfill delivered. So the backfill's journal only has to be readable
// again.
//
// Houndtrail lists the destination under the leases of both journals: then no other process writes there at the same time.
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
			if _, damaged := backfill.Load(ctx); corrupt(damaged) || errors.Is(damaged, checkpoint.ErrSignature) {
				if a.Backfill, err = e.adopt(ctx, m, backfill, found, reason); err != nil {
					return err
				}
			}
			// Adopt found the objects of every earlier attempt, so no declared window is left to finish.
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
	if corrupt(err) || errors.Is(err, checkpoint.ErrSignature) { // the key of the signature may be lost
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
	forgotten := latest(found.Forgotten, previous.ForgottenBefore)
	since = latest(since, forgotten)
	epoch = max(epoch, previous.Epoch+previous.Serial+2)
	next := checkpoint.Checkpoint{
		Kind:   checkpoint.KindAdopt,
		Cursor: cursor, Window: window.Window{Start: cursor, End: cursor, Pass: epoch}, Epoch: epoch,
		Start: start, StartAsked: !e.Start.IsZero(), DeliveredSince: since, ForgottenBefore: forgotten,
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

// accountable returns two instants: the start of the time for which an adopted stream accounts, and the instant from which on
// the stream knows every delivered record. As a rule both are the start of the destination's content. If the user asked for an
// earlier start, the account begins at that start. If the user asked for no start, older records may appear late. Houndtrail
// looks for them as it does in a new stream.
func (e *Exporter) accountable(found time.Time) (start, since time.Time) {
	if !e.Start.IsZero() {
		start = earliest(found, e.Start.Truncate(grain))
		return start, start
	}
	return found, found.Add(-e.memory())
}
