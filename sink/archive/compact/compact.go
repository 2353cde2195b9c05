package compact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// ErrFinding says that an object of the archive is not as Houndtrail wrote it, or that no entry of the journal names the
// object. Houndtrail leaves the day of this object as it is.
var ErrFinding = errors.New("the archive is not as Houndtrail wrote it")

// ErrDenied says that this program may not delete objects of the archive, so it has changed nothing.
var ErrDenied = errors.New("this needs the right to delete objects of the archive")

// StateName is the name of the state in which a compactor notes its next step, beside the archive's journal. A removal uses the
// same state: so a compaction and a removal are never under way at the same time.
const StateName = "compact"

const (
	// atOnce is the number of objects for which the compactor reads the journal at a time: their names take memory.
	atOnce = 100_000
	// leasePoll is how often a compactor asks for a lease that another process holds.
	leasePoll = time.Second
	// releaseTime is how long it tries to give the lease back.
	releaseTime = 10 * time.Second
)

// A Compactor compacts the archive of one tenant. Every field except Log and Turn has to be set.
type Compactor struct {
	Files    bucket.Bucket
	Journal  *checkpoint.Journal // the journal of the archive
	Backfill *checkpoint.Journal // the journal of its backfill
	State    checkpoint.State[Intent]
	Tenant   string
	Version  string // the version of the program

	OlderThan time.Duration // how far the stream's position has to be past the end of a day
	Wait      time.Duration // how long to wait for a lease that another process holds
	Memory    int64         // about how many bytes it may hold
	DryRun    bool          // only tell what it would do

	Log *zap.Logger // nil is silent
	// Turn calls a function when no other part of this process needs the lease. The compactor waits for another process's lease
	// outside of its turn. If Turn is nil, the compactor calls the function at once.
	Turn func(ctx context.Context, do func() error) error
	// The compactor calls Done for each day.
	Done func(Day)

	probed  bool
	encoder *parquet.Encoder // nil at first
}

// A Day says what the compactor did with the objects of one day and one format. In a dry run, it says what the compactor would
// do.
type Day struct {
	Day     string `json:"day"`
	Objects int    `json:"objects"` // the objects that were replaced
	Bytes   int64  `json:"bytes"`   // their bytes; in a dry run, as far as the journal names them
	Records int64  `json:"records"`
	Made    int    `json:"made"` // the objects that replaced them
	Size    int64  `json:"size"` // their bytes; 0 in a dry run
}

// share is a third of the memory: one third is for the objects that the compactor reads, one for the object that it makes, and
// one for the rest.
func (c *Compactor) share() int64 { return c.Memory / 3 }

// Run compacts every day that ended long enough ago. The stream's position tells the time, and not a clock: so a wrong clock
// has no effect. A stream that stands still is not compacted before its rescans are done. Run first finishes the work that an
// earlier compactor left.
//
// A finding ([ErrFinding]) leaves its day as it is, and Run goes on. Any other error ends Run. In all cases, the days that it
// has compacted stay compacted.
func (c *Compactor) Run(ctx context.Context) error {
	if err := c.Finish(ctx); err != nil {
		return err
	}
	newest, err := c.Journal.Load(ctx)
	if err != nil {
		return err
	}
	objects, _, err := read.Objects(ctx, c.Files, c.Tenant)
	if err != nil {
		return err
	}
	var findings []error
	// A day before that time was removed on purpose: the compaction must not keep the rest of it.
	objects = slices.DeleteFunc(objects, func(o read.Object) bool { return o.Day.Before(newest.ForgottenBefore) })
	for units := due(objects, newest.Cursor.Add(-c.OlderThan)); len(units) > 0; {
		n, some := 0, 0
		for n < len(units) && (n == 0 || some+len(units[n].objects) <= atOnce) {
			some += len(units[n].objects)
			n++
		}
		found, err := c.units(ctx, units[:n])
		if findings = append(findings, found...); err != nil {
			return errors.Join(append(findings, err)...)
		}
		units = units[n:]
	}
	return errors.Join(findings...)
}

func (c *Compactor) units(ctx context.Context, units []*unit) (findings []error, err error) {
	var keys []string
	for _, u := range units {
		keys = append(keys, u.keys()...)
	}
	a, err := c.account(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		err := c.unit(ctx, u, a)
		if errors.Is(err, fs.ErrNotExist) && c.compactedSince(ctx, a.serial) {
			err = errStale
		}
		switch {
		case errors.Is(err, ErrFinding):
			findings = append(findings, err)
		case errors.Is(err, errStale):
			c.Log.Info("another process compacts the archive as well: the day is left to it", zap.String("day", day(u.day)))
		case err != nil:
			return findings, err
		}
	}
	return findings, nil
}

// compactedSince tells whether a compaction or a removal was committed after an entry. If so, it is no finding that an object
// is gone.
func (c *Compactor) compactedSince(ctx context.Context, serial uint64) bool {
	newest, err := c.Journal.Load(ctx)
	if err != nil || newest.Serial <= serial {
		return false
	}
	for entry, err := range c.Journal.Last(ctx, int(newest.Serial-serial)) {
		if err == nil && (entry.Compacted != nil || entry.Forgotten != nil) {
			return true
		}
	}
	return false
}

// unit compacts the objects of one day and one format.
func (c *Compactor) unit(ctx context.Context, u *unit, a *account) error {
	inputs, leftover := u.choose(a, c.share()/2)
	done := Day{Day: day(u.day)}
	if c.DryRun {
		for _, in := range inputs {
			done.Objects, done.Bytes, done.Records = done.Objects+1, done.Bytes+in.bytes, done.Records+int64(a.named[in.key].records)
		}
		if done.Objects > 0 {
			done.Made = 1
			c.Done(done)
		}
		return nil
	}
	if len(leftover) > 0 {
		err := c.holding(ctx, func(ctx context.Context, _ *checkpoint.Lease) error { return c.sweep(ctx, a, done.Day, leftover) })
		if err != nil {
			return err
		}
	}
	if len(inputs) == 0 {
		return nil
	}
	if err := c.survey(ctx, inputs); err != nil {
		return err
	}
	for _, group := range c.groups(inputs) {
		to := u.next(group)
		p, err := c.merge(ctx, group, to)
		if err == nil {
			err = c.swap(ctx, p, a.serial)
		}
		if err != nil {
			return err
		}
		u.objects = append(u.objects, to) // so the next object gets another number
		for _, in := range group {
			done.Objects, done.Bytes = done.Objects+1, done.Bytes+in.bytes
			in.body = nil
		}
		done.Made, done.Size, done.Records = done.Made+1, done.Size+p.made.Bytes, done.Records+int64(p.made.Records)
	}
	if done.Made > 0 {
		c.Log.Info("compacted", zap.String("day", done.Day), zap.Int("objects", done.Objects), zap.Int("made", done.Made),
			zap.Int64("bytes", done.Bytes), zap.Int64("size", done.Size), zap.Int64("records", done.Records))
		c.Done(done)
	}
	return nil
}

// holding calls do under the lease of the archive's journal. It waits while another process holds the lease.
func (c *Compactor) holding(ctx context.Context, do func(context.Context, *checkpoint.Lease) error) error {
	turn := c.Turn
	if turn == nil {
		turn = func(_ context.Context, do func() error) error { return do() }
	}
	for until, told := time.Now().Add(c.Wait), false; ; told = true {
		elsewhere := false
		err := turn(ctx, func() error {
			lease, err := c.Journal.Acquire(ctx)
			if err != nil {
				elsewhere = errors.Is(err, checkpoint.ErrLeaseHeld)
				return err
			}
			return c.under(ctx, lease, do)
		})
		if !elsewhere || !time.Now().Before(until) {
			return err
		}
		if !told {
			c.Log.Info("another process holds the lease: waiting for it", zap.Duration("at_most", c.Wait), zap.Error(err))
		}
		select {
		case <-time.After(leasePoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// under calls do under a lease, and gives the lease back.
func (c *Compactor) under(ctx context.Context, lease *checkpoint.Lease, do func(context.Context, *checkpoint.Lease) error) (err error) {
	defer func() {
		if cause := context.Cause(lease.Context()); err != nil && cause != nil && ctx.Err() == nil { //nolint:contextcheck // about the lease
			err = fmt.Errorf("%w: %w", cause, err)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		err = errors.Join(err, lease.Release(ctx))
	}()
	return do(lease.Context(), lease) //nolint:contextcheck // the context is derived from ours
}
