package main

import (
	"context"
	"errors"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"houndtrail/config"
	"houndtrail/sink/webhook"
)

// finishTime is what running cycles are given to end by themselves once the daemon is told to stop. After it they are
// abandoned, which loses nothing: the next run starts from the last commit. It leaves room for the lease to be given
// back within the 30 seconds that Kubernetes waits by default.
const finishTime = 10 * time.Second

// schedule runs a cycle of each stream now, and then by the schedule. It returns when ctx has ended and no cycle runs
// any more, or when every stream has failed in a way that no later cycle can heal.
func schedule(ctx context.Context, spec config.Schedule, all []stream, health *health, log *zap.Logger) error {
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	var g errgroup.Group
	for _, s := range all {
		g.Go(func() error { return loop(ctx, work, spec, s, health, log.With(zap.String("stream", s.name))) })
	}
	watching := context.AfterFunc(ctx, func() {
		log.Info("stopping", zap.Duration("grace", finishTime))
		time.AfterFunc(finishTime, abandon)
	})
	defer watching()
	err := g.Wait()
	log.Info("stopped")
	return err
}

// loop runs the cycles of one stream. Those that are due while one is still running are skipped: the next one takes
// what they would have taken.
func loop(ctx, work context.Context, spec config.Schedule, s stream, health *health, log *zap.Logger) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	logger := cronLog{log.Sugar()}
	cycle := cron.NewChain(cron.SkipIfStillRunning(logger), cron.Recover(logger)).Then(cron.FuncJob(func() {
		if ctx.Err() != nil {
			return
		}
		err := s.cycle(work)
		health.ended(s.name, err, time.Now())
		switch {
		case err == nil:
		case isAny(err, incurable):
			stop(&streamError{s.name, err})
		case isA[*webhook.PostponedError](err):
			log.Warn("the receiver asks for a pause: the stream is skipped until it ends", zap.Error(err))
		case errors.Is(err, context.Canceled) && work.Err() != nil:
			log.Warn("cycle abandoned; the next run starts from the last commit")
		default:
			log.Error("cycle failed; the next one starts from the last commit", zap.Error(err))
		}
	}))
	clock := cron.New(cron.WithLogger(logger))
	clock.Schedule(spec.Schedule, cycle)
	clock.Start()
	first := make(chan struct{})
	go func() { defer close(first); cycle.Run() }()
	<-ctx.Done()
	<-clock.Stop().Done()
	<-first
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		log.Error("stream stopped", zap.Error(cause))
		return cause
	}
	return nil
}
