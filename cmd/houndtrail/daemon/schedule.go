package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// schedule runs a cycle of each stream at once, and then by the stream's schedule. It returns in two cases: ctx has ended and
// no cycle runs any more, or every stream has failed in a way that no later cycle can repair.
func schedule(
	ctx context.Context, grace time.Duration, all []*stream.Stream, health *health, log *zap.Logger,
) error {
	work, abandon := stream.Finishing(ctx, grace)
	defer abandon()
	var g errgroup.Group
	for _, s := range all {
		g.Go(func() error { return loop(ctx, work, s, health, log.With(zap.String("stream", s.Name))) })
	}
	watching := context.AfterFunc(ctx, func() { log.Info("stopping", zap.Duration("grace", grace)) })
	defer watching()
	err := g.Wait()
	log.Info("stopped")
	return err
}

// loop runs the cycles of one stream. If a cycle is due while another one still runs, loop skips it: the next cycle takes its
// records.
func loop(ctx, work context.Context, s *stream.Stream, health *health, log *zap.Logger) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer health.over(s.Name)
	logger := cronLog{log.Sugar()}
	var left error // set if the last cycle was told to stop before it had committed everything
	cycle := cron.NewChain(cron.SkipIfStillRunning(logger), cron.Recover(logger)).Then(cron.FuncJob(func() {
		if ctx.Err() != nil {
			return
		}
		health.turns(s.Name, true)
		defer health.turns(s.Name, false)
		err := stream.Abandoned(work, s.Cycle(work))
		health.ended(s.Name, err, time.Now())
		s.Tell(work, err)
		switch {
		case err == nil:
		case stream.Incurable(err):
			stop(&stream.Error{Stream: s.Name, Err: err})
		case errors.As(err, new(*webhook.PostponedError)):
			log.Warn("the receiver asks for a pause: the stream is skipped until it ends", zap.Error(err))
		case errors.Is(err, exporter.ErrStopped):
			left = &stream.Error{Stream: s.Name, Err: err}
			log.Warn("told to stop before everything was committed; the next run starts from the last commit")
		default:
			fields := []zap.Field{zap.Error(err)}
			if stream.Unexplained(err) {
				fields = append(fields, zap.String("next", stream.LookCloser))
			}
			log.Error("cycle failed; the next one starts from the last commit", fields...)
		}
	}))
	clock := cron.New(cron.WithLogger(logger))
	clock.Schedule(s.Schedule, cycle)
	if s.Anchors != nil {
		clock.Schedule(s.Anchors, cron.NewChain(cron.SkipIfStillRunning(logger), cron.Recover(logger)).Then(cron.FuncJob(func() {
			if err := anchors(work, s, health); err != nil {
				stop(err)
			}
		})))
	}
	clock.Start()
	first := make(chan struct{})
	go func() { defer close(first); cycle.Run() }()
	<-ctx.Done()
	<-clock.Stop().Done()
	<-first
	left = errors.Join(left, anchors(work, s, health)) // the windows that were committed since the last time
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		log.Error("stream stopped", zap.Error(cause))
		return cause
	}
	return left
}

// anchors remembers the newest head elsewhere. It returns an error only if no later cycle can repair it.
func anchors(work context.Context, s *stream.Stream, health *health) error {
	err := s.Anchor(work)
	if err == nil {
		return nil
	}
	health.ended(s.Name, err, time.Now())
	return &stream.Error{Stream: s.Name, Err: err}
}

// cronLog makes the scheduler log through zap.
type cronLog struct{ *zap.SugaredLogger }

func (l cronLog) Info(msg string, kv ...any) { l.Debugw("schedule: "+msg, kv...) }

func (l cronLog) Error(err error, msg string, kv ...any) {
	l.Errorw("schedule: "+msg, append(kv, "error", err)...)
}
