package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/exporter"
)

// Finishing is a context for work that may go on for a while after ctx has ended, and is abandoned then: that loses nothing,
// since the next run starts from the last commit.
func Finishing(ctx context.Context, grace time.Duration) (work context.Context, abandon context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return work, func() {
		stop()
		cancel()
	}
}

// Abandoned is the error of work that was abandoned: that it was told to stop, and not what became of its requests.
func Abandoned(work context.Context, err error) error {
	if work.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: it did not come to its end in time", exporter.ErrStopped)
}
