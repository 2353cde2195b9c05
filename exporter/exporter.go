// Package exporter runs one cycle of a stream: it reads the records that are due, drops the delivered ones, writes the rest and
// commits the position. The steps, each with its file:
//
//	moment     clock.go       the cycle goes by the earlier of two clocks
//	load       begin.go       the last commit, or the start of a new stream
//	walk       walk.go        the unfinished windows, then the due ones, then history, rescan and the time ahead
//	for each window of a walk, oldest first:
//	  plan     plan.go        how long it is
//	  fetch    fetch.go       its records; several windows at a time if the server is far away
//	  admit    pipeline.go    the records that were not delivered
//	  encode   encode.go      ahead of its turn, and beside that:
//	  count    count.go       the records read, against the server's count
//	  check    continuity.go  that the log goes on from the delivered records
//	  declare  flight.go      in the lease, before a byte is written
//	  write    flight.go      several windows at a time
//	  commit   commit.go      in order, position and delivered ids in one entry
//
// A window may be too large for memory although it cannot be cut, such as one instant of an import. Houndtrail takes it in
// parts: it reads the window once to admit its records, and a second time, part by part, to write them.
//
// A stream whose source is an archive follows the archive's commits. Then other walks come in place of these: first the late records
// of the archive, and then the time up to the archive's cursor ([Follower]).
//
// A failed step ends the cycle; the next one starts from the last commit. Data first, position second: after a crash between
// the two, the next run repeats a window, and the sink's contract makes the repetition harmless.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/budget"
	"github.com/houndtrail/houndtrail/exporter/record/filter"
	"github.com/houndtrail/houndtrail/exporter/window"
)

const (
	// IdleCommit is how long a span without a new record may get. Then it has a journal entry of its own. So a running stream
	// commits at least that often.
	IdleCommit = time.Hour
	// releaseTime bounds the last writes of a cycle that ends.
	releaseTime = 15 * time.Second
)

// An Exporter moves one stream: one source, one destination, one position.
type Exporter struct {
	Source      Source
	Archive     Follower // the archive whose commits the stream follows, and then Source is the same; nil for none
	Sink        Sink
	Store       Store
	Destination Destination
	Kin         Store // the journal of the stream's backfill, which seldom runs; nil for none. It gets the keys of the stream's own

	Windows window.Planner    // how large a window may be
	Limits  bloodhound.Limits // how many bytes and records a window may hold in memory
	Memory  *budget.Share     // how many bytes all windows under way may hold together; nil for no limit
	Start   time.Time         // the start of a new stream; zero for the source's oldest record
	Settle  time.Duration     // how long Houndtrail waits for records to become visible before it reads them
	Overlap time.Duration     // how far back a cycle looks again for records that became visible later

	Retention   Retention // how long the source keeps records
	ExcludeSelf bool      // leave out the records of our own requests
	// Filter leaves out all records for which it does not hold. Houndtrail is done with them: it never delivers them later, also if
	// the filter changes. Nil leaves out none.
	Filter *filter.Conditions
	// Pairs is how long an intent waits for its outcome, see package pair. 0 sends every record alone.
	Pairs       time.Duration
	VerifyCount bool // compare each window with the server's own count

	Rescan         time.Duration // how far back the rescan looks for late records; RescanSchedule says when; 0 for never
	RescanSchedule Schedule

	SmallSet int // up to so many bytes, each journal entry has the whole set of delivered ids, and not only a change; 0 for 1 KiB

	Now      func() time.Time // our own clock; nil for this machine's
	Stopping func() bool      // once it returns true, a cycle begins no other window; nil for never
	Log      *zap.Logger
	Observer Observer // may be nil

	last      *knownSet // the set after the last cycle, so that the next cycle need not read it
	announced bool      // a cycle has logged that the stream is new
}

// A Schedule tells when a task is due after an instant.
type Schedule interface {
	Next(after time.Time) time.Time
}

// RunOnce runs one cycle: every window that is due, oldest first, until nothing is left or something fails. Errors are of type
// [*Error] and name the stage. Every commit stands, also if RunOnce returns an error. No record after the last commit is lost.
// [ErrStopped] says that Stopping told it to end before it committed everything. Cycles of one Exporter run one after the
// other.
func (e *Exporter) RunOnce(ctx context.Context) error {
	// A cycle that finds no new record writes nothing.
	return under(ctx, e.Store, func(ctx context.Context, lease *checkpoint.Lease) error {
		err := e.cycle(ctx, lease, true)
		if errors.Is(err, errGuess) {
			err = e.cycle(ctx, lease, false)
		}
		if errors.Is(err, ErrIncomplete) {
			e.Log.Warn("a window seems incomplete: Houndtrail reads it again", zap.Error(err))
			err = e.cycle(ctx, lease, false)
		}
		return err
	})
}

// cycle does the work of a cycle under a lease. The time of the cycle is read from the clocks, or guessed.
func (e *Exporter) cycle(ctx context.Context, lease *checkpoint.Lease, mayGuess bool) error {
	m, err := e.moment(ctx, mayGuess)
	if err != nil {
		return err
	}
	c := &cycle{Exporter: e, lease: lease, moment: m, mark: time.Now()}
	defer c.tellClocks()
	return c.run(ctx)
}

// run starts from the last commit. First it takes the windows that an earlier attempt left unfinished, then the due windows.
// Then it looks at the time behind and ahead of the position, since new records may have appeared there.
func (c *cycle) run(ctx context.Context) error {
	if founded, err := c.load(ctx); err != nil || !founded {
		return err
	}
	if c.Archive != nil {
		return c.follow(ctx, c.Archive)
	}
	c.guard(c.stored.Checkpoint)
	c.warn(c.stored.Checkpoint)
	if c.behind() && c.guessed {
		return errGuess
	}
	if err := c.take(ctx, c.unfinished); err != nil {
		return err
	}
	if c.behind() {
		return c.search(ctx)
	}
	if c.forgets() || c.owed() {
		if err := c.take(ctx, c.history, c.rescan); err != nil {
			return err
		}
	}
	due := c.due()
	if err := c.export(ctx, due); err != nil {
		return err
	}
	if err := c.stands(ctx, due); err != nil {
		return err
	}
	if err := c.checkGuessedClock(bloodhound.Reading{}); err != nil {
		return err
	}
	if err := c.take(ctx, c.history, c.rescan); err != nil {
		return err
	}
	return c.ahead(ctx)
}

// take makes the walks that are due.
func (c *cycle) take(ctx context.Context, walks ...func() (walk, bool)) error {
	for _, find := range walks {
		if w, ok := find(); ok {
			if c.stops() {
				return ErrStopped
			}
			if err := c.export(ctx, w); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Exporter) stops() bool { return e.Stopping != nil && e.Stopping() }

// under calls do under a journal's lease. do itself takes the lease, once it has something to write. The context of do ends
// with ctx, and also when the lease is lost. Even after a panic, under gives the lease back: if it did not, no later cycle of
// this process would get the lease.
func under(ctx context.Context, journal Store, do func(context.Context, *checkpoint.Lease) error) (err error) {
	lease, err := journal.Look(ctx)
	if err != nil {
		return failed(StageCheckpoint, err)
	}
	defer func() { err = release(ctx, lease, err) }()
	return do(lease.Context(), lease) //nolint:contextcheck // the lease's context is derived from ctx
}

// holding is like under, but takes the lease before it calls do: it is for a do that always writes.
func holding(ctx context.Context, journal Store, do func(context.Context, *checkpoint.Lease) error) error {
	return under(ctx, journal, func(ctx context.Context, lease *checkpoint.Lease) error {
		if err := lease.Hold(ctx); err != nil {
			return failed(StageCheckpoint, err)
		}
		return do(ctx, lease)
	})
}

// release gives the lease back, even if ctx has ended. If the cycle failed because the lease was lost, release returns that as
// the error: the stages only report that their context ended.
func release(ctx context.Context, lease *checkpoint.Lease, err error) error {
	if err != nil && lease.Context().Err() != nil && ctx.Err() == nil {
		err = failed(StageCheckpoint, context.Cause(lease.Context())) //nolint:contextcheck // the lease's own context holds the cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	return errors.Join(err, failed(StageCheckpoint, lease.Release(ctx)))
}

// Begins tells whether a stream without a journal may begin now. It may begin if its start is not in the future, and if its
// destination holds no records. Records that attempts before the first commit may have left do not count: the stream's lease
// names these attempts. The error is the one that a cycle would return.
func (e *Exporter) Begins(ctx context.Context, attempts []window.Window, now time.Time) error {
	if err := e.vacant(ctx, attempts, time.Time{}); err != nil || len(attempts) > 0 {
		return err
	}
	if e.Start.After(now) {
		return failed(StageSource, fmt.Errorf("%w: it is %s, and now it is %s by the earlier of the server's clock and this "+
			"machine's; nothing was exported; correct START, or wait", ErrStart, stamp(e.Start), stamp(now.Truncate(time.Second))))
	}
	return nil
}

// Check tells whether a cycle could go on from the last commit: the clocks must not be behind it, and the source must still
// have the newest delivered record. Check makes one request, or two if the clock is not known. It writes nothing and takes no
// lease. The error is the one that a cycle would return. The skew is how far the server's clock is ahead of this machine's.
func (e *Exporter) Check(ctx context.Context, stored checkpoint.Stored) (skew time.Duration, err error) {
	m, err := e.moment(ctx, false)
	if err != nil {
		return 0, err
	}
	c := &cycle{Exporter: e, moment: m, stored: stored}
	return m.skew, c.goesOn(ctx)
}

// CheckClock is the part of [Exporter.Check] that needs no source. It tells whether this machine's clock is behind the last
// commit. A cycle goes by the earlier of two clocks. So if this machine's clock is slow, the server's clock does not help.
func (e *Exporter) CheckClock(stored checkpoint.Stored) error {
	now := e.ownClock()
	if stored.Serial == 0 || stored.Cursor.Sub(now) <= Apart {
		return nil
	}
	return failed(StageSource, fmt.Errorf("%w: this machine's clock says %s, and everything up to %s was exported already; the "+
		"server's clock is not known. Set the wrong clock right; until then every run ends with an error", ErrClock,
		stamp(now.Truncate(time.Second)), stamp(stored.Cursor)))
}

// goesOn returns the error that keeps the stream from going on; nil if the stream can go on.
func (c *cycle) goesOn(ctx context.Context) error {
	if c.behind() {
		if !c.reaches() {
			return c.farBehind()
		}
		return failed(StageSource, fmt.Errorf("%w: %s. Set the wrong clock right; until then each run searches the time behind "+
			"the position", ErrClock, c.clocks()))
	}
	return c.stands(ctx, walk{})
}
