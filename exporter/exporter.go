package exporter

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/budget"
	"github.com/houndtrail/houndtrail/exporter/window"
)

const (
	// IdleCommit is how long a span without anything new has to be for a journal entry of its own: a stream that runs commits
	// that often at least.
	IdleCommit = time.Hour
	// releaseTime bounds the last writes after a cycle was told to stop.
	releaseTime = 15 * time.Second
)

// An Exporter moves one stream: one source, one destination, one position.
type Exporter struct {
	Source      Source
	Sink        Sink
	Store       Store
	Destination Destination

	Windows window.Planner    // how large a window may be
	Limits  bloodhound.Limits // what a window may hold in memory
	Memory  *budget.Share     // what all that are on their way may hold; nil for no bound
	Start   time.Time         // where a new stream starts; zero for the oldest record there is
	Settle  time.Duration     // how long records may take to become visible before they are read
	Overlap time.Duration     // how far back a cycle looks again for those that took longer

	Retention   Retention // how long the source keeps records
	ExcludeSelf bool      // leave out what our own requests leave in the log
	VerifyCount bool      // hold each window against the server's own count

	Rescan         time.Duration // how far back stragglers are searched for, by RescanSchedule; 0 for never
	RescanSchedule Schedule

	SmallSet int // bytes of the set of delivered ids that each journal entry has whole, and not as a change; 0 for 1 KiB

	Now      func() time.Time // our own clock; nil for this machine's
	Stopping func() bool      // no other window is begun once it is true; nil for never
	Log      *zap.Logger
	Observer Observer // may be nil

	last      *known // after a cycle; so that the next one need not read it
	announced bool   // that the stream is new
}

// A Schedule tells when something is due after an instant.
type Schedule interface {
	Next(after time.Time) time.Time
}

// RunOnce runs one cycle: every window that is due, oldest first, until nothing is left or something fails. Errors are
// of type [*Error] and name the stage. When it returns, whatever it says, every commit it made stands and nothing
// behind the last one is lost. [ErrStopped] says that it was told to stop before all was committed. Cycles of one Exporter
// run one after the other.
func (e *Exporter) RunOnce(ctx context.Context) error {
	// A cycle that finds nothing new writes nothing.
	return under(ctx, e.Store, func(ctx context.Context, lease *checkpoint.Lease) error {
		err := e.cycle(ctx, lease, true)
		if errors.Is(err, errGuess) {
			err = e.cycle(ctx, lease, false)
		}
		if errors.Is(err, ErrIncomplete) {
			e.Log.Warn("a window seems incomplete and is read again", zap.Error(err))
			err = e.cycle(ctx, lease, false)
		}
		return err
	})
}

// cycle does the work of a cycle under a lease, by the clocks or by a guess at them.
func (e *Exporter) cycle(ctx context.Context, lease *checkpoint.Lease, guess bool) error {
	m, err := e.moment(ctx, guess)
	if err != nil {
		return err
	}
	c := &cycle{Exporter: e, lease: lease, moment: m, mark: time.Now()}
	defer c.tellClocks()
	return c.run(ctx)
}

// run starts from the last commit and takes what an attempt left unfinished, what is due, and then what the time behind and
// ahead of the position may still have brought.
func (c *cycle) run(ctx context.Context) error {
	if founded, err := c.load(ctx); err != nil || !founded {
		return err
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

// take goes those walks that are due.
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

// under does something under a journal's lease, which it takes itself once it has something to write. The context that it
// gets ends with ours, and when the lease is lost. A panic gives the lease back as well: else no later cycle of this process
// would get it.
func under(ctx context.Context, journal Store, do func(context.Context, *checkpoint.Lease) error) (err error) {
	lease, err := journal.Look(ctx)
	if err != nil {
		return failed(StageCheckpoint, err)
	}
	defer func() { err = release(ctx, lease, err) }()
	return do(lease.Context(), lease) //nolint:contextcheck // it is derived from ours
}

// holding is under for what has something to write in any case: the lease is taken before.
func holding(ctx context.Context, journal Store, do func(context.Context, *checkpoint.Lease) error) error {
	return under(ctx, journal, func(ctx context.Context, lease *checkpoint.Lease) error {
		if err := lease.Hold(ctx); err != nil {
			return failed(StageCheckpoint, err)
		}
		return do(ctx, lease)
	})
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
