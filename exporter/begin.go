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
