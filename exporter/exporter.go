package exporter

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/dedup"
	"houndtrail/exporter/window"
)

const (
	// idleCommit is how long a span without anything new has to be for a journal entry of its own.
	idleCommit = time.Hour
	// releaseTime bounds the last writes after a cycle was told to stop.
	releaseTime = 15 * time.Second
)

// An Exporter moves one stream: one source, one destination, one position.
type Exporter struct {
	Source Source
	Sink   Sink
	Store  Store

	Windows window.Planner    // how large a window may be
	Limits  bloodhound.Limits // what a window may hold in memory
	Start   time.Time         // where a new stream starts; zero for the oldest record there is
	Settle  time.Duration     // how long records may take to become visible before they are read
	Overlap time.Duration     // how far back a cycle looks again for those that took longer

	Retention   Retention // how long the source keeps records
	ExcludeSelf bool      // leave out what our own requests leave in the log
	VerifyCount bool      // hold each window against the server's own count

	Rescan         time.Duration // how far back stragglers are searched for, by RescanSchedule; 0 for never
	RescanSchedule Schedule

	Log      *zap.Logger
	Observer Observer // may be nil
}

// A Schedule tells when something is due after an instant.
type Schedule interface {
	Next(after time.Time) time.Time
}

// An Observer is told how far a stream has come. It must not block.
type Observer interface {
	// Committed: a window is delivered and committed.
	Committed(c Commit)
	// CaughtUp: nothing was new until that instant, lag ago by the server's clock, and nothing was committed.
	CaughtUp(until time.Time, lag time.Duration)
}

// A Commit is one window that is delivered and committed.
type Commit struct {
	Entry    checkpoint.Checkpoint
	Lag      time.Duration // from the cursor to the server's now
	Duration time.Duration // from the end of the window before
}

// RunOnce runs one cycle: every window that is due, oldest first, until nothing is left or something fails. Errors are
// of type [*Error] and name the stage. When it returns, whatever it says, every commit it made stands and nothing
// behind the last one is lost.
func (e *Exporter) RunOnce(ctx context.Context) (err error) {
	lease, err := e.Store.Acquire(ctx)
	if err != nil {
		return failed(StageCheckpoint, err)
	}
	defer func() { err = release(ctx, lease, err) }()
	ctx = lease.Context() //nolint:contextcheck // derived from ours; it also ends when the lease is lost
	err = e.cycle(ctx, lease, true)
	if errors.Is(err, errGuess) {
		err = e.cycle(ctx, lease, false)
	}
	if errors.Is(err, ErrIncomplete) {
		e.Log.Warn("a window seems incomplete and is read again", zap.Error(err))
		err = e.cycle(ctx, lease, false)
	}
	return err
}

// cycle does the work of a cycle under a lease, by the server's clock or by a guess at it.
func (e *Exporter) cycle(ctx context.Context, lease *checkpoint.Lease, guess bool) error {
	now, guessed, err := e.startTime(ctx, guess)
	if err != nil {
		return err
	}
	c := &cycle{Exporter: e, lease: lease, now: now, guessed: guessed, began: time.Now(), mark: time.Now()}
	return c.run(ctx)
}

// run starts from the last commit and takes what an attempt left unfinished, what is due, and once a day what the last
// days may still have brought.
func (c *cycle) run(ctx context.Context) error {
	if err := c.load(ctx); err != nil {
		return err
	}
	c.guard(c.stored.Checkpoint)
	c.warn(c.stored.Checkpoint)
	if err := c.clockWentBack(); err != nil {
		return err
	}
	if w, ok := c.unfinished(); ok {
		if err := c.export(ctx, w); err != nil {
			return err
		}
	}
	if w, ok := c.rescan(); ok && c.forgets() {
		if err := c.export(ctx, w); err != nil {
			return err
		}
	}
	if err := c.export(ctx, c.due()); err != nil {
		return err
	}
	if err := c.confirm(bloodhound.Reading{}); err != nil {
		return err
	}
	if w, ok := c.rescan(); ok {
		return c.export(ctx, w)
	}
	return nil
}

// export delivers and commits the windows of a walk.
func (c *cycle) export(ctx context.Context, w walk) error {
	for part, err := range c.windows(ctx, w) {
		if err != nil {
			return err
		}
		if err := c.confirm(part.clock); err != nil {
			return err
		}
		if err := c.same(ctx, w, part); err != nil {
			return err
		}
		if c.idle(w, part) {
			return nil
		}
		counted, err := c.complete(ctx, part.proof)
		if err != nil {
			return err
		}
		seen := c.sight(ctx, w, part)
		if err := c.bar(ctx, w); err != nil {
			return err
		}
		write, err := part.encoding.wait()
		if err != nil {
			return failed(StageSink, err)
		}
		// From here to the commit the window is fixed: whoever follows after a crash reads it in the lease, takes the
		// very same span and so replaces the objects that this attempt leaves behind.
		if err := c.lease.Intend(ctx, checkpoint.Window(part.Window)); err != nil {
			return failed(StageCheckpoint, err)
		}
		receipt, err := write(ctx)
		if err != nil {
			return failed(StageSink, err)
		}
		// Data first, position second. Every record of the window is durable at this line; a crash here repeats the
		// window, a crash after it does not. Cursor and delivered ids travel in one entry.
		next, err := c.entry(w, part, receipt, counted, seen)
		if err != nil {
			return failed(StageCheckpoint, err)
		}
		if c.stored, err = c.Store.Commit(ctx, c.stored, next); err != nil {
			c.lease.Doubt()
			return failed(StageCheckpoint, err)
		}
		c.set = part.next
		c.committed()
	}
	return nil
}

// release gives the lease back, also after ctx has ended. Where the cycle failed because the lease was lost, that is
// the error: what the stages say of it is only that their context ended.
func release(ctx context.Context, lease *checkpoint.Lease, err error) error {
	if err != nil && lease.Context().Err() != nil && ctx.Err() == nil {
		err = failed(StageCheckpoint, context.Cause(lease.Context())) //nolint:contextcheck // it is about the lease
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	return errors.Join(err, failed(StageCheckpoint, lease.Release(ctx)))
}

// load sets the position, or the beginning for a stream that has none.
func (c *cycle) load(ctx context.Context) (err error) {
	c.stored, err = c.Store.Load(ctx)
	if errors.Is(err, checkpoint.ErrNotFound) {
		if err := c.begin(ctx); err != nil {
			return failed(StageSource, err)
		}
		c.stored.DeliveredSince = c.stored.Cursor // nothing before the start is wanted
		c.Log.Info("new stream", zap.Time("start", c.stored.Cursor))
		c.set = dedup.Set{}
		return nil
	}
	if err != nil {
		return failed(StageCheckpoint, err)
	}
	if c.set, err = dedup.Parse(c.stored.Delivered); err != nil {
		return failed(StageCheckpoint, errors.Join(checkpoint.ErrCorrupt, err))
	}
	return nil
}

// begin sets where a new stream starts: where an attempt before its first commit started, else where it was asked to,
// else at the oldest record, which is then known.
func (c *cycle) begin(ctx context.Context) error {
	if intent, ok := c.lease.Intent(); ok {
		c.stored.Cursor = intent.Start
		return nil
	}
	if !c.Start.IsZero() {
		c.stored.Cursor = c.Start.Truncate(grain) // no query asks more finely
		return nil
	}
	extent, err := c.Source.Extent(ctx, c.now)
	if err != nil {
		return err
	}
	c.page = extent.Page
	if late := c.now.Add(-c.Settle - c.Overlap); extent.Empty || extent.Oldest.After(late) {
		// On a young server a row may still appear that is older than the oldest one of now.
		c.stored.Cursor = late.Truncate(grain)
		return nil
	}
	c.stored.Cursor = extent.Oldest.Truncate(grain)
	c.stored.Oldest = c.stored.Oldest.Next(extent.Oldest, c.now)
	return nil
}
