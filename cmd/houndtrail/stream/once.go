package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
)

// leasePoll is how often a job asks for a lease that another runner holds.
const leasePoll = 5 * time.Second

// Once runs one cycle of every stream, all at the same time: if a SIEM is down, the archive does not wait for it. At the end it
// anchors the newest heads. If it is told to stop, it ends within the grace period. If all went well, but a destination lacks records
// that are in the dead letter, the error says so.
func Once(ctx context.Context, all []*Stream, grace, wait time.Duration) error {
	work, abandon := Finishing(ctx, grace)
	defer abandon()
	errs := make([]error, len(all))
	cycle := func(i int, s *Stream) {
		err := Abandoned(work, patiently(ctx, work, s, wait))
		// Also after a failure: the heads of earlier commits have to be remembered elsewhere.
		if err = errors.Join(err, s.Anchor(work)); err != nil {
			errs[i] = &Error{s.Name, err}
		}
	}
	var g errgroup.Group
	for i, s := range all {
		g.Go(func() error {
			cycle(i, s)
			return nil
		})
	}
	_ = g.Wait()
	for i, s := range all {
		// The archive has committed meanwhile what a stream that follows it delivers now.
		if s.Archive != nil && errs[i] == nil && ctx.Err() == nil {
			cycle(i, s)
		}
	}
	for i, s := range all {
		s.Tell(work, errs[i])
		if err := Lacks(s.Letters()); err != nil && errs[i] == nil {
			errs[i] = &Error{s.Name, err}
		}
	}
	return errors.Join(errs...)
}

// patiently runs one cycle. While another runner holds the lease, it waits: if that runner has died, its lease ends by itself.
func patiently(ctx, work context.Context, s *Stream, wait time.Duration) error {
	return waiting(ctx, wait, func() error { return s.Cycle(work) }, func(err error) {
		s.Log.Warn("another runner holds the lease: waiting for its end", zap.Duration("at_most", wait), zap.Error(err))
	})
}

// UnderLease calls do under a journal's lease. While another runner holds the lease, it waits. The context of do ends with the lease.
func UnderLease(
	ctx context.Context, j *checkpoint.Journal, wait time.Duration, do func(context.Context, *checkpoint.Lease) error,
) error {
	return waiting(ctx, wait, func() error {
		lease, err := j.Acquire(ctx)
		if err != nil {
			return At(exporter.StageCheckpoint, err)
		}
		err = do(lease.Context(), lease) //nolint:contextcheck // the lease's context is derived from ours
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
		defer cancel()
		return errors.Join(err, At(exporter.StageCheckpoint, lease.Release(release)))
	}, func(error) {})
}

// waiting tries again while another runner holds the lease. It calls told before the first pause.
func waiting(ctx context.Context, wait time.Duration, try func() error, told func(error)) error {
	for until, first := time.Now().Add(wait), true; ; first = false {
		err := try()
		if !errors.Is(err, checkpoint.ErrLeaseHeld) || time.Now().Add(leasePoll).After(until) {
			return err
		}
		if first {
			told(err)
		}
		select {
		case <-time.After(leasePoll):
		case <-ctx.Done():
			return err
		}
	}
}

// Finishing returns a context for work that may go on for the grace period after ctx has ended. After that, Houndtrail abandons
// the work. No record is lost: the next run starts from the last commit.
func Finishing(ctx context.Context, grace time.Duration) (work context.Context, abandon context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return work, func() {
		stop()
		cancel()
	}
}

// Abandoned returns the error of abandoned work. It says that the work was told to stop, and hides the errors of its requests.
func Abandoned(work context.Context, err error) error {
	if work.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: it did not come to its end in time", exporter.ErrStopped)
}
