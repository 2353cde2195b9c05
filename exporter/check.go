package exporter

import (
	"context"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Begins looks whether a stream that has no journal may begin now. It may if its destination holds only records that attempts
// before the first commit may have left, and if its start is not in the future. The stream's lease names these attempts. The
// error is the one with which a cycle ends.
func (e *Exporter) Begins(ctx context.Context, attempts []window.Window, now time.Time) error {
	if err := e.vacant(ctx, attempts, time.Time{}); err != nil || len(attempts) > 0 {
		return err
	}
	if e.Start.After(now) {
		return failed(StageSource, fmt.Errorf("%w: it is %s, and now it is %s by the earlier of the server's clock and this "+
			"machine's; nothing was exported; correct START, or wait", ErrStart, stamp(e.Start), stamp(now.Truncate(time.Second))))
	}
	return nil
}

// Check looks whether a cycle could go on from the last commit: whether the clocks are not behind it, and whether the newest
// record that was delivered is still at the source. Check makes one request, or two if the clock is not known. It writes
// nothing and takes no lease. The error is the one with which a cycle would end. The skew is how far the server's clock is
// ahead of this machine's.
func (e *Exporter) Check(ctx context.Context, stored checkpoint.Stored) (skew time.Duration, err error) {
	m, err := e.moment(ctx, false)
	if err != nil {
		return 0, err
	}
	c := &cycle{Exporter: e, moment: m, stored: stored}
	return m.skew, c.goesOn(ctx)
}

// CheckClock is the part of [Exporter.Check] that needs no source: it looks whether this machine's clock is behind the last
// commit. A cycle goes by the earlier of two clocks, so the server's clock cannot make up for a slow one of this machine.
func (e *Exporter) CheckClock(stored checkpoint.Stored) error {
	now := e.ownClock()
	if stored.Serial == 0 || stored.Cursor.Sub(now) <= Apart {
		return nil
	}
	return failed(StageSource, fmt.Errorf("%w: this machine's clock says %s, and everything up to %s was exported already; the "+
		"server's clock is not known. Set the wrong clock right; until then no run is well", ErrClock,
		stamp(now.Truncate(time.Second)), stamp(stored.Cursor)))
}

// goesOn returns the error that keeps the stream from going on; nil if the stream can go on.
func (c *cycle) goesOn(ctx context.Context) error {
	if c.behind() {
		if !c.reaches() {
			return c.farBehind()
		}
		return failed(StageSource, fmt.Errorf("%w: %s. Set the wrong clock right; until then each run searches what lies behind "+
			"the position", ErrClock, c.clocks()))
	}
	return c.stands(ctx, walk{})
}
