package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// ErrCompaction says that the archive's compaction is not well. The archive's export may still be well.
var ErrCompaction = errors.New("compaction")

var (
	errCompactionOverdue    = errors.New("it is overdue")
	errCompactionUnfinished = errors.New("it was cut off")
	errForgetUnfinished     = errors.New("a removal (houndtrail forget) was cut off")
)

const (
	compactionLateness = time.Hour // how long a compaction may take
	compactionTurns    = 2         // one compaction may fail for a passing reason
)

func openCompactionNote(b bucket.Bucket) checkpoint.State[Note] {
	return checkpoint.OpenState[Note](b, Archive, "compaction")
}

// note notes how a compaction ended. If it was told to stop, or another runner was at work, it notes nothing: that is no
// failure. If it happens again and again, the compaction becomes overdue.
func (c *Compaction) note(ctx context.Context, err error) {
	if c.DryRun || isA[*UsageError](err) || OutcomeOf(err) == Interrupted || OutcomeOf(err) == Conflicted {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	n, noted := c.notes.Read(ctx)
	if noted == nil {
		noted = c.notes.Write(ctx, n.AfterCompaction(err, time.Now().UTC()))
	}
	if noted != nil {
		c.Log.Warn("how the compaction ended could not be noted beside the journal: houndtrail status does not know of it", zap.Error(noted))
	}
}

// AfterCompaction is the note after a compaction.
func (n Note) AfterCompaction(err error, now time.Time) Note {
	switch {
	case errors.Is(err, compact.ErrDenied):
		return n.after(err, now, JobDenied)
	case errors.Is(err, compact.ErrFinding):
		return n.after(err, now, JobFinding)
	}
	return n.after(err, now, JobFailed)
}

// Begin notes that a daemon has a schedule for compactions. From then on, the first one can be overdue. It returns the note.
func (j *CompactionJob) Begin(ctx context.Context) Note {
	ctx, cancel := context.WithTimeout(ctx, recallTime)
	defer cancel()
	n, err := j.notes.Read(ctx)
	if err == nil && n.Since.IsZero() {
		n.Since = time.Now().UTC()
		err = j.notes.Write(ctx, n)
	}
	if err != nil {
		j.Log.Warn("how the last compaction ended is not known", zap.Error(err))
	}
	return n
}

// A CompactionLook has what a reader learns about the archive's compactions.
type CompactionLook struct {
	Note

	Intent   compact.Intent  // the next step of a compaction in progress; the zero value for none
	Schedule config.Schedule // empty if the daemon has no schedule for it
}

// LookAtCompaction reads how the last compaction ended. It writes nothing.
func (s *Set) LookAtCompaction(ctx context.Context) (CompactionLook, error) {
	b, err := s.Journals(ctx)
	if err != nil {
		return CompactionLook{Schedule: s.config.CompactSchedule}, err
	}
	return CompactionIn(ctx, b, s.config.CompactSchedule)
}

// CompactionIn is [Set.LookAtCompaction] for a reader of journals that has no settings of the streams.
func CompactionIn(ctx context.Context, b bucket.Bucket, schedule config.Schedule) (l CompactionLook, err error) {
	l.Schedule = schedule
	if l.Note, err = openCompactionNote(b).Read(ctx); err == nil {
		l.Intent, err = checkpoint.OpenState[compact.Intent](b, Archive, compact.StateName).Read(ctx)
	}
	if err != nil {
		err = At(exporter.StageCheckpoint, fmt.Errorf("read how the last compaction ended: %w", err))
	}
	return l, err
}

// Known tells whether there is any news about a compaction.
func (l *CompactionLook) Known() bool {
	return l.Schedule.Spec != "" || l.Note != Note{} || !l.Intent.IsZero()
}

// Due is when a compaction must have succeeded at the latest; zero if that is not known.
func (l *CompactionLook) Due() time.Time {
	return l.due(l.Schedule, compactionTurns, compactionLateness)
}

// Judge is the state of the compaction at a time, and the error about it; nil if it is well. If a lease is held since a time, its
// holder may be the compaction that is under way; zero if none is.
func (l *CompactionLook) Judge(now, held time.Time) (state string, err error) {
	due := l.Due()
	switch {
	case l.Intent.Forget != nil && (held.IsZero() || held.After(l.Intent.At)):
		return JobUnfinished, fmt.Errorf("%w: %w: %d files of days before %s are to go, and some may still be there: run "+
			"houndtrail forget again, which finishes it; the next compaction does so as well", ErrCompaction, errForgetUnfinished,
			len(l.Intent.Forget.Removed), l.Intent.Forget.Before.UTC().Format(time.DateOnly))
	case l.Intent.Made.Key != "" && (held.IsZero() || held.After(l.Intent.At)):
		return JobUnfinished, fmt.Errorf("%w: %w while it worked on %s: until the next one has succeeded, queries may see the "+
			"records of that day twice; nothing is lost; run houndtrail compact, or wait for the daemon's next compaction",
			ErrCompaction, errCompactionUnfinished, l.Intent.Day)
	case !l.FailedAt.IsZero():
		return l.State, &failedJobError{l.Note, ErrCompaction, "the last compaction", compact.ErrFinding}
	case !due.IsZero() && now.After(due):
		return JobOverdue, fmt.Errorf("%w: %w: with %sCOMPACT_SCHEDULE=%s one had to succeed by %s; find out whether the daemon "+
			"runs, whether its cycles end, and what its log says; nothing is lost, but queries open more files than they need",
			ErrCompaction, errCompactionOverdue, config.Prefix, l.Schedule.Spec, due.UTC().Format(time.RFC3339))
	}
	return JobOK, nil
}
