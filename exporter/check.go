package exporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"houndtrail/checkpoint"
)

// A Check is what a cycle would find at its beginning.
type Check struct {
	Stored checkpoint.Stored // the last commit; the zero value if there is none
	Now    time.Time         // the earlier of the two clocks
	Skew   time.Duration     // how far the server's clock is ahead of this machine's
}

// Check looks whether a cycle could go on from where the stream is: whether the journal is there, the clocks are not
// behind it, and the newest record that was delivered is still at the source. It takes one request, or two if the clock is
// not known, writes nothing and takes no lease. The attempt is what the stream's lease says that somebody was writing. The
// error is the one that a cycle would end with.
func (e *Exporter) Check(ctx context.Context, attempt *checkpoint.Window) (Check, error) {
	stored, err := e.Store.Load(ctx)
	none := errors.Is(err, checkpoint.ErrNotFound)
	if err != nil && !none {
		return Check{}, failed(StageCheckpoint, err)
	}
	if none {
		if err := e.vacant(ctx, attempt, time.Time{}); err != nil {
			return Check{}, err
		}
	}
	m, err := e.moment(ctx, false)
	if err != nil {
		return Check{Stored: stored}, err
	}
	c := &cycle{Exporter: e, moment: m, stored: stored}
	return Check{stored, m.now, m.skew}, c.goesOn(ctx)
}

// goesOn is the error that keeps the stream from going on, nil for none.
func (c *cycle) goesOn(ctx context.Context) error {
	if c.behind() {
		return failed(StageSource, fmt.Errorf("%w: %s. Set the wrong clock right; until then each run searches what lies behind "+
			"the position", ErrClock, c.clocks()))
	}
	if c.stored.Newest == nil {
		return nil
	}
	found, err := c.find(ctx, c.stored.Newest)
	if err != nil {
		return failed(StageSource, fmt.Errorf("look for the record with id %d once more: %w", c.stored.Newest.ID, err))
	}
	if found {
		return nil
	}
	return c.vanished(c.stored.Newest, c.now.Sub(c.stored.Cursor) > patience)
}
