// Package stream builds a stream: one source and one destination, with their own journal.
//
// A [Set] knows which streams a configuration turns on, and the identity of each journal. It makes only the parts that a
// command needs: to read a journal, it needs no login, and no secret of the destination. It is the only code of the program
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
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream/alarm"
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

// replayMark, between a stream's name and the name of a replay, makes the name of the replay's journal.
const replayMark = "-replay-"

// A Stream is an exporter whose cycles are watched.
type Stream struct {
	Name string
	*exporter.Exporter
	Schedule cron.Schedule // when the daemon runs its cycles
	Anchors  cron.Schedule // when the daemon anchors its newest head

	watch *watch              // the exporter's Store, which wraps the journal
	guard *anchor.Guard       // nil if no place for anchors is set
	tells *teller             // nil unless this stream's receiver gets the heads
	alarm *alarm.Teller       // nil unless this stream's receiver gets the alarms
	told  []*Stream           // the streams of this process whose heads and alarms its receiver gets
	pause *pause              // the pause for which its receiver asks; nil for the archive
	turn  *semaphore.Weighted // the turn that its cycles share with compactions; nil if there are none
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

// clockOf returns our own clock: this machine's if now is nil.
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

// Letters is how many records were in the dead letter at the newest entry that this process knows.
func (s *Stream) Letters() int {
	if s.watch == nil { // the stream has no journal
		return 0
	}
	if p := s.watch.newest.Load(); p != nil {
		return p.Letters
	}
	return 0
}

// Anchor anchors the newest head that this process knows, if a place for anchors is set. It can run at the same time as a
// cycle. It returns an error only about integrity, and the stream's state shows it. If the place does not answer, the observer
// hears of it.
func (s *Stream) Anchor(ctx context.Context) error {
	if s.guard == nil || ctx.Err() != nil {
		return nil //nolint:nilerr // a run that has to stop at once leaves this to the next run
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

// Tell tells the receiver about the streams themselves, after a cycle that ended with that error. If it fails, no harm is done. It
// posts new alarms, if the receiver gets alarms, and unless the receiver asks for a pause. After a cycle that ended well, it posts
// the newest heads, if the receiver gets heads and the last post is an hour ago.
func (s *Stream) Tell(ctx context.Context, ended error) {
	if ctx.Err() != nil {
		return
	}
	if s.alarm != nil && !isA[*webhook.PostponedError](ended) {
		var facts []alarm.Facts
		for _, other := range s.told {
			if f, known := other.watch.facts(other.Name, other.Retention, clockOf(other.Now)); known {
				facts = append(facts, f)
			}
		}
		s.alarm.Tell(ctx, facts)
	}
	if s.tells == nil || ended != nil {
		return
	}
	var notes []string
	for _, other := range s.told {
		if head, known := other.watch.head.Load().(string); known && head != "" {
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
