package source

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

const (
	// blockUnits is the number of units for which one repeated count vouches.
	blockUnits = 32
	// mostTries is the number of counts of a block after which its bounds must be enough.
	mostTries = 3
)

// A unit is a time that is counted together: a day, or several days on which the archive has no record.
type unit struct {
	first, last int64           // days
	parts       []window.Window // the compared time of these days
	recent      []window.Window // the part of it at which the next run looks again

	least, most int64 // the server's records
	undue       int64 // at most so many of them are in recent
	below       int64 // the server's records before the unit's end
}

// edges returns the instants at which the server's counts must end.
func (u *unit) edges() (at []time.Time) {
	for _, w := range slices.Concat(u.parts, u.recent) {
		at = append(at, w.Start, w.End)
	}
	return at
}

// count counts units, block by block.
func (c *comparison) count(ctx context.Context, units []*unit) error {
	for block := range slices.Chunk(units, blockUnits) {
		for try := 1; ; try++ {
			slack, err := c.block(ctx, block)
			if err != nil {
				return err
			}
			if slack == 0 || try == mostTries {
				break
			}
		}
		c.step(int64(len(block)))
	}
	return nil
}

// block counts the units of a block. slack is the change of the number of records in the compared time since the first count. Each
// difference is wrong by at most that number.
func (c *comparison) block(ctx context.Context, units []*unit) (slack int64, err error) {
	var edges []time.Time
	for _, u := range units {
		edges = append(edges, u.edges()...)
	}
	slices.SortFunc(edges, time.Time.Compare)
	edges = slices.CompactFunc(edges, time.Time.Equal)
	before := map[int64]int64{} // by microsecond
	begun, err := c.before(ctx, c.end)
	if err != nil {
		return 0, err
	}
	for _, at := range edges {
		if before[at.UnixMicro()], err = c.before(ctx, at); err != nil {
			return 0, err
		}
	}
	ended, err := c.before(ctx, c.end)
	if err != nil {
		return 0, err
	}
	slack = max(ended-begun, begun-ended)
	for _, u := range units {
		n, undue := int64(0), int64(0)
		for _, w := range u.parts {
			n += before[w.End.UnixMicro()] - before[w.Start.UnixMicro()]
			u.below = before[w.End.UnixMicro()]
		}
		for _, w := range u.recent {
			undue += before[w.End.UnixMicro()] - before[w.Start.UnixMicro()]
		}
		if n < 0 && slack == 0 { // the server dropped and gained more than the repeated count shows
			slack = -n
		}
		u.least, u.most, u.undue = max(n-slack, 0), max(n+slack, 0), max(undue+slack, 0)
	}
	return slack, nil
}

// before asks the server how many records are older than an instant.
func (c *comparison) before(ctx context.Context, t time.Time) (int64, error) {
	n, known, err := c.Server.CountBefore(ctx, t)
	switch {
	case err != nil:
		return 0, fmt.Errorf("count the server's records that are older than %s: %w", stamp(t), err)
	case !known:
		return 0, fmt.Errorf("%w: this version of BloodHound tells no count, so ask it for the records of a sample of days instead "+
			"(houndtrail logs)", ErrUncounted)
	}
	return n, nil
}

// obeys returns an error if the server's count ignores the filter that bounds it. It uses a filter that no record can pass: older
// than the beginning of time.
func (c *comparison) obeys(ctx context.Context) error {
	n, err := c.before(ctx, time.Time{})
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: its count ignores the filter that bounds it (it counts %d records from before the beginning of time), so no "+
			"day can be counted; is there a proxy or cache in between that drops the query?", ErrUncounted, n)
	}
	return err
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
