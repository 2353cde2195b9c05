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

// ErrJournalGone says that the destination holds records, and that no journal accounts for them. If Houndtrail began anew, it
// would put every one of these records there a second time.
var ErrJournalGone = errors.New("the destination holds records, and there is no journal of them")

// ErrStart says that the user asked a new stream to start in the future.
var ErrStart = errors.New("the start is in the future")

// load sets the position or, for a stream that has none, the beginning. founded is false if the log has shown no record yet:
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

// begin sets the start of a new stream. If an attempt before its first commit has declared windows, the stream starts at the
// first of them. If not, it starts at the time that the user asked for. If the user asked for none, it starts at the oldest
// record.
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
		// No record was delivered yet, so the empty set is right for all time: Houndtrail looks for records that appear late before
		// the start as it looks for them everywhere else.
		c.stored.DeliveredSince = c.stored.Cursor.Add(-c.memory())
	}
	return true, c.announce(ctx)
}

// announce tells the start of a new stream. It does so once, since a cycle may begin anew, and the log may show no record for
// long. If another journal in the same place has entries, this stream may have had a journal too. Houndtrail then does not know
// which records it has delivered, and so it warns.
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
	c.Log.Warn("this stream has no journal and begins anew, while another one has a journal. If this one is new, all is well. If "+
		"its journal is lost, what was delivered from the start on comes a second time, with the same event ids, and what is before "+
		"the start and was not delivered does not come: houndtrail backfill brings it", zap.Time("start", c.stored.Cursor),
		zap.String("beside", beside))
	return nil
}

// vacant makes sure that the destination holds no records from before an instant, except those that a first attempt may have
// left. If the instant is zero, it makes sure that the destination holds no records at all, with the same exception.
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

// beginAtOldest starts at the oldest record. An empty answer does not begin a stream: a server that has only just started may
// give it, or a replica that lags.
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
	MaxPass   uint64 // of the windows that left an object
	// Forgotten is the time before which records were removed from the destination on purpose, if a person says so.
	Forgotten time.Time
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
			if _, damaged := backfill.Load(ctx); corrupt(damaged) || errors.Is(damaged, checkpoint.ErrSignature) {
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
	if corrupt(err) || errors.Is(err, checkpoint.ErrSignature) { // a key that is lost
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
