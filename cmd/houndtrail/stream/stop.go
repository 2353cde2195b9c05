package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/exporter"
)

// Finishing is a context for work that may go on for the grace after ctx has ended. After that the work is abandoned, which
// loses nothing, since the next run starts from the last commit.
func Finishing(ctx context.Context, grace time.Duration) (work context.Context, abandon context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return work, func() {
		stop()
		cancel()
	}
}

// Abandoned is the error of abandoned work: it says that the work was told to stop, and hides the errors of its requests.
func Abandoned(work context.Context, err error) error {
	if work.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: it did not come to its end in time", exporter.ErrStopped)
}
