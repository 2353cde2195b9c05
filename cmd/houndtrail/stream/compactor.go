package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// leastAge is how far the stream has to be past the end of a day before Houndtrail compacts the day. With the default RESCAN,
// the rescans of the day are over by then. If a late record came after that, Houndtrail would write the day once more.
const leastAge = 48 * time.Hour

// CompactAge is the age from which on Houndtrail compacts a day if the user names no age. The last rescan of a day goes RESCAN
// back, to the start of a day. So it is over one day after RESCAN.
func (s *Set) CompactAge() time.Duration { return max(leastAge, s.config.Rescan+24*time.Hour) }

// A Compaction is one compaction of the archive. It notes its result beside the archive's journal.
type Compaction struct {
	*compact.Compactor
	notes checkpoint.State[Note]
}

// Compaction makes a compaction. It can also remove objects on purpose. A dry run commits nothing, so it opens no file of a
// signing key.
func (s *Set) Compaction(ctx context.Context, dry bool) (*Compaction, error) {
	files, err := s.Files(ctx)
	if err != nil {
		return nil, err
	}
	open := s.CommitJournal
	if dry {
		open = s.Journal
	}
	own, err := open(ctx, Archive)
	if err != nil {
		return nil, err
	}
	backfill, err := s.Journal(ctx, BackfillOf(Archive))
	if err != nil {
		return nil, err
	}
	return &Compaction{
		Compactor: &compact.Compactor{
			Files: files, Journal: own, Backfill: backfill,
			State:  checkpoint.OpenState[compact.Intent](s.journals, Archive, compact.StateName),
			Tenant: s.config.Tenant, Version: s.process.Version, Memory: s.process.Memory,
			OlderThan: s.CompactAge(), DryRun: dry, Log: s.log(Archive),
		},
		notes: openCompactionNote(s.journals),
	}, nil
}

// Run compacts the archive. Its error has the same outcome as an error of a cycle. A panic ends it like any other failure.
func (c *Compaction) Run(ctx context.Context) error { return c.noted(ctx, c.Compactor.Run) }

// Finish only does the work that an earlier compaction left.
func (c *Compaction) Finish(ctx context.Context) error {
	err := c.guarded(ctx, c.Compactor.Finish)
	if err != nil {
		c.note(ctx, err)
	}
	return err
}

func (c *Compaction) noted(ctx context.Context, do func(context.Context) error) error {
	err := c.explain(ctx, c.guarded(ctx, do))
	c.note(ctx, err)
	return err
}

// PlanForget says which objects Forget would remove. It writes nothing.
func (c *Compaction) PlanForget(ctx context.Context, before time.Time) (p *compact.Plan, err error) {
	err = c.forgetting(ctx, func(ctx context.Context) error {
		p, err = c.Compactor.PlanForget(ctx, before)
		return err
	})
	return p, err
}

// Forget removes objects on purpose.
func (c *Compaction) Forget(ctx context.Context, o compact.Order, check func(*compact.Plan) error, done func(compact.Forgotten)) error {
	return c.forgetting(ctx, func(ctx context.Context) error { return c.Compactor.Forget(ctx, o, check, done) })
}

func (c *Compaction) forgetting(ctx context.Context, do func(context.Context) error) error {
	err := c.explain(ctx, c.guarded(ctx, do))
	if errors.Is(err, compact.ErrNotYet) {
		return Usage(err)
	}
	return err
}

func (c *Compaction) guarded(ctx context.Context, do func(context.Context) error) error {
	err := guarded(c.Log, func() error { return do(ctx) })
	if err != nil {
		err = &Error{Stream: Archive, Err: At(exporter.StageSink, err)}
	}
	return err
}

// explain tells two cases apart: an archive that never began, and an archive without its journal.
func (c *Compaction) explain(ctx context.Context, err error) error {
	if !errors.Is(err, checkpoint.ErrNotFound) {
		return err
	}
	switch extents, look := read.Extents(ctx, c.Files, c.Tenant); {
	case look != nil:
		return &Error{Stream: Archive, Err: At(exporter.StageSink, look)}
	case len(extents) > 0:
		return &Error{Stream: Archive, Err: At(exporter.StageSink, fmt.Errorf(
			"%w: nothing was changed; houndtrail status tells what to do: %w", exporter.ErrJournalGone, err))}
	}
	return Usagef("there is nothing to compact or to remove: %w", err)
}

// A CompactionJob makes the compactions of a daemon, by a schedule. Its writes take turns with the cycles of the archive's
// stream: both need the archive's lease. So a compaction waits for the end of a cycle. A cycle waits only for the few requests
// of one swap.
type CompactionJob struct {
	Schedule config.Schedule
	Log      *zap.Logger

	begin func(ctx context.Context) (*Compaction, error)
	notes checkpoint.State[Note]
}

// leaseWait is how long a daemon's compaction waits for a lease that another process holds.
const leaseWait = 90 * time.Second

// compacted makes the job that compacts the archive of these streams. The job may use that much memory. It is nil if
// COMPACT_SCHEDULE is not set.
func (s *Set) compacted(all []*Stream, memory int64) *CompactionJob {
	schedule := s.config.CompactSchedule
	if schedule.Spec == "" || s.config.Archive.URL == "" {
		return nil
	}
	turn := semaphore.NewWeighted(1)
	for _, stream := range all {
		if stream.Name == Archive {
			stream.turn = turn
		}
	}
	job := &CompactionJob{Schedule: schedule, Log: s.log(Archive), notes: openCompactionNote(s.journals)}
	job.begin = func(ctx context.Context) (*Compaction, error) {
		c, err := s.Compaction(ctx, false)
		if err != nil {
			return nil, err
		}
		c.Memory, c.Wait, c.Turn = memory, leaseWait, inTurn(turn)
		return c, nil
	}
	return job
}

// inTurn waits for its turn, and then calls a function.
func inTurn(turn *semaphore.Weighted) func(context.Context, func() error) error {
	return func(ctx context.Context, do func() error) error {
		if err := turn.Acquire(ctx, 1); err != nil {
			return context.Cause(ctx)
		}
		defer turn.Release(1)
		return do()
	}
}

// Run compacts the days that are due, and calls done for each day. If there is no record yet, no day is due.
func (j *CompactionJob) Run(ctx context.Context, done func(compact.Day)) error {
	c, err := j.begin(ctx)
	if err != nil {
		return err
	}
	c.Done = done
	err = c.Run(ctx)
	if isA[*UsageError](err) {
		return nil
	}
	return err
}

// Finish only does the work that an earlier compaction left: after a restart, the daemon does not wait for its schedule before
// it does this.
func (j *CompactionJob) Finish(ctx context.Context) error {
	c, err := j.begin(ctx)
	if err != nil {
		return err
	}
	return c.Finish(ctx)
}
