// Package stream puts a stream together: one source and one destination, with a journal of their own.
//
// A [Set] knows which streams a configuration turns on, and the identity of each journal. It makes only the parts that a
// command asks for: reading a journal needs neither a login nor a secret of the destination. It is the only code of the program
// that opens buckets.
package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// The names of the streams, in journals and metrics.
const (
	Archive = "archive"
	Webhook = "webhook"
)

// backfillSuffix, after a stream's name, makes the name of its backfill's journal.
const backfillSuffix = "-backfill"

// BackfillOf is the name of the journal of a stream's backfill.
func BackfillOf(name string) string { return name + backfillSuffix }

// A Stream is an exporter with a watch on its cycles.
type Stream struct {
	Name string
	*exporter.Exporter
	Schedule cron.Schedule // when the daemon runs its cycles
	Anchors  cron.Schedule // when the daemon remembers its newest head elsewhere

	watch *watch              // its Store, which wraps the journal
	guard *anchor.Guard       // nil if no place for anchors is set
	tells *teller             // nil unless this stream's receiver is told of heads
	heads []*watch            // of all streams of this process whose heads it is told of
	pause *pause              // the pause that its receiver asks for; nil for the archive
	turn  *semaphore.Weighted // that its cycles share with compactions; nil if there are none
}

// New makes a stream of an exporter without a store. The store becomes the journal.
func New(name string, e *exporter.Exporter, j *checkpoint.Journal, o Observer) *Stream {
	w := &watch{
		Journal: j, tell: o.Ended, log: e.Log,
		found: func(newest checkpoint.Stored) { o.Found(newest, clockOf(e.Now), e.Retention) },
	}
	e.Store, e.Observer = w, o
	return &Stream{Name: name, Exporter: e, watch: w}
}

// clockOf is our own clock: this machine's if now is nil.
func clockOf(now func() time.Time) time.Time {
	if now == nil {
		return time.Now()
	}
	return now()
}

// errDefect says that a cycle ended in a panic.
var errDefect = errors.New("a defect of Houndtrail: please report it, with the stack that the log has")

// Cycle runs one cycle, and tells the observer how it ended. A panic ends it like any other failure: the stream is not well,
// and the next cycle starts from the last commit.
func (s *Stream) Cycle(ctx context.Context) (err error) {
	defer func() {
		if defect := recover(); defect != nil {
			s.Log.Error("panic", zap.Any("value", defect), zap.ByteString("panic_stack", debug.Stack()))
			err = fmt.Errorf("%w: %v", errDefect, defect)
		}
		s.watch.ended(ctx, err)
	}()
	if s.turn == nil {
		return s.RunOnce(ctx)
	}
	return inTurn(s.turn)(ctx, func() error { return s.RunOnce(ctx) })
}

// Anchor remembers the newest head elsewhere, as far as this process knows it, if a place for that is set. It can run beside a
// cycle. Only an integrity error is an error, and the stream's state tells it; if the place does not answer, the observer is told.
func (s *Stream) Anchor(ctx context.Context) error {
	if s.guard == nil || ctx.Err() != nil {
		return nil //nolint:nilerr // a run that was told to stop at once leaves it to the next one
	}
	head, known := s.watch.head.Load().(string)
	if !known {
		return nil
	}
	err := At(exporter.StageCheckpoint, s.guard.Anchor(ctx, head))
	if err != nil {
		s.watch.ended(ctx, err)
	}
	return err
}

// Tell tells the receiver the newest heads of all streams, if it is to be told of any and the last time is an hour ago. Nothing
// depends on it. The caller has seen a cycle that ended well.
func (s *Stream) Tell(ctx context.Context) {
	if s.tells == nil || ctx.Err() != nil {
		return
	}
	var notes []string
	for _, w := range s.heads {
		if head, known := w.head.Load().(string); known && head != "" {
			notes = append(notes, head)
		}
	}
	s.tells.tell(ctx, notes)
}

// RunOnce runs one cycle, unless the receiver has asked for a pause.
func (s *Stream) RunOnce(ctx context.Context) error {
	if s.pause == nil {
		return s.Exporter.RunOnce(ctx)
	}
	if until := s.pause.pending(ctx); !until.IsZero() {
		return At(exporter.StageSink, &webhook.PostponedError{Until: until})
	}
	err := s.Exporter.RunOnce(ctx)
	if postponed, ok := errors.AsType[*webhook.PostponedError](err); ok {
		s.pause.remember(ctx, postponed)
	}
	return err
}
