package compact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// ErrNotYet says that Houndtrail may not remove the objects of these days yet: the stream may still deliver records of these
// days.
var ErrNotYet = errors.New("these days are not closed yet")

// mostForgotten is how many objects an entry of kind forget names. A reader reads an entry as a whole, and S3 deletes as many
// with one request.
const mostForgotten = 1000

// An Order says what a person wants to remove, and why.
type Order struct {
	Before time.Time // a midnight in UTC: remove the objects of all days before it
	Reason string
	By     string // the person who asked for it; may be empty
	Most   int    // how many objects one entry names; 0 for the default
}

// A Forgotten is what one entry of kind forget has removed.
type Forgotten struct {
	Entry   uint64 `json:"entry"`
	First   string `json:"first_day"`
	Last    string `json:"last_day"`
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
	Records int    `json:"records"`
	Root    string `json:"root"` // the hash over the keys and the hashes, as the entry has it
}

// Forget removes the objects of all days before a day. It finishes the work that an earlier compactor left, plans the removal,
// and asks check whether it may go on. Then it calls done for each entry. While it works, no backfill can run, because a
// backfill could deliver such days again. Exports go on, as during a compaction.
//
// If an object is not as the journal says, it stays, and so does an object that no entry names. Each of them is a finding
// ([ErrFinding]). Forget removes the other objects first, and then returns the findings. Any other error ends Forget. Objects
// that it has removed stay removed, and the same call again removes the rest.
func (c *Compactor) Forget(ctx context.Context, o Order, check func(*Plan) error, done func(Forgotten)) error {
	if o.Most == 0 {
		o.Most = mostForgotten
	}
	if err := c.mayForget(ctx, o.Before); err != nil { // before it writes anything
		return err
	}
	lease, err := c.Backfill.Acquire(ctx)
	if errors.Is(err, checkpoint.ErrLeaseHeld) {
		return fmt.Errorf("a backfill works on the archive, or another removal does, and nothing was removed: run houndtrail forget again when "+
			"it has ended: %w", err)
	}
	if err != nil {
		return err
	}
	return c.under(ctx, lease, func(ctx context.Context, _ *checkpoint.Lease) error {
		if err := c.Finish(ctx); err != nil {
			return err
		}
		p, err := c.PlanForget(ctx, o.Before)
		if err != nil {
			return err
		}
		if err := check(p); err != nil {
			return err
		}
		if err := c.forgetAll(ctx, p, o, done); err != nil {
			return errors.Join(append(p.Findings, err)...)
		}
		return errors.Join(p.Findings...)
	})
}

func (c *Compactor) forgetAll(ctx context.Context, p *Plan, o Order, done func(Forgotten)) error {
	if len(p.leftovers) > 0 {
		err := c.holding(ctx, func(ctx context.Context, _ *checkpoint.Lease) error {
			if err := c.probe(ctx); err != nil {
				return err
			}
			return c.remove(ctx, p.leftovers)
		})
		if err != nil {
			return err
		}
	}
	serial := p.serial
	for some := range slices.Chunk(p.removals, o.Most) {
		f := checkpoint.Forgetting{Before: o.Before, Reason: o.Reason, By: o.By}
		told := Forgotten{First: day(some[0].day), Last: day(some[len(some)-1].day), Objects: len(some)}
		for _, r := range some {
			f.Removed = append(f.Removed, r.Removal)
			told.Bytes, told.Records = told.Bytes+r.Bytes, told.Records+r.Records
		}
		entry, err := c.forget(ctx, f, serial)
		if err != nil {
			return err
		}
		serial, told.Entry, told.Root = entry.Serial, entry.Serial, entry.Forgotten.Root.Base64()
		c.Log.Info("removed on purpose", zap.Uint64("entry", entry.Serial), zap.String("first_day", told.First),
			zap.String("last_day", told.Last), zap.Int("objects", told.Objects), zap.Int("records", told.Records))
		done(told)
	}
	return nil
}

// forget commits one entry, and removes the objects that the entry names. The plan has read the journal up to the entry with
// the given serial.
func (c *Compactor) forget(ctx context.Context, f checkpoint.Forgetting, serial uint64) (entry checkpoint.Stored, err error) {
	err = c.holding(ctx, func(ctx context.Context, lease *checkpoint.Lease) error {
		newest, err := c.Journal.Load(ctx)
		if err != nil {
			return err
		}
		err = c.fresh(ctx, &product{}, serial, newest.Serial)
		if err == nil {
			err = c.undisturbed(ctx, serial, newest.Serial)
		}
		if errors.Is(err, errStale) {
			return fmt.Errorf("%w: another process has changed the archive meanwhile: run houndtrail forget again, which removes the rest",
				checkpoint.ErrConflict)
		}
		if err != nil {
			return err
		}
		if err := c.probe(ctx); err != nil {
			return err
		}
		if err := c.State.Replace(ctx, Intent{At: time.Now().UTC(), Forget: &f}); err != nil {
			return fmt.Errorf("note what is about to be removed: %w", err)
		}
		// The entry is durable before Houndtrail deletes the first object. If Houndtrail crashes before this commit, nothing is
		// removed. If it crashes after it, some objects are left that the journal calls removed: the next compaction or removal
		// deletes them.
		if entry, err = c.Journal.Forget(ctx, lease, newest, f); err != nil {
			return err
		}
		return c.removeForgotten(ctx, keysOf(f.Removed))
	})
	return entry, err
}

// undisturbed returns errStale if a compaction was committed between two entries: it may have replaced one of the objects.
func (c *Compactor) undisturbed(ctx context.Context, from, to uint64) error {
	for entry, err := range c.Journal.Last(ctx, int(to-from)) {
		if err != nil {
			return err
		}
		if entry.Compacted != nil {
			return errStale
		}
	}
	return nil
}

// removeForgotten deletes the objects that an entry names, and clears the intent.
func (c *Compactor) removeForgotten(ctx context.Context, keys []string) error {
	if err := c.remove(ctx, keys); err != nil {
		return err
	}
	if err := c.State.Replace(ctx, Intent{}); err != nil {
		return fmt.Errorf("note that the removal is done: %w: the next compaction or removal does it", err)
	}
	return nil
}

func (c *Compactor) remove(ctx context.Context, keys []string) error {
	if err := c.Files.Delete(ctx, keys...); err != nil {
		return fmt.Errorf("remove %d objects of which the journal says that they are removed: %w: some are still there; put that right, and "+
			"run houndtrail forget again, which goes on", len(keys), err)
	}
	return nil
}

// finishForget ends a removal with a committed entry. If there is no entry, nothing was removed, and finishForget only clears
// the intent.
func (c *Compactor) finishForget(ctx context.Context, f *checkpoint.Forgetting) error {
	keys := keysOf(f.Removed)
	a, err := c.account(ctx, keys)
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return a.named[key].forgotten == 0 })
	if len(keys) == 0 {
		c.Log.Warn("a removal was cut off before it began: run houndtrail forget again, if its objects shall go",
			zap.Int("objects", len(f.Removed)), zap.Time("before", f.Before))
	}
	return c.removeForgotten(ctx, keys)
}

func keysOf(removed []checkpoint.Removal) (keys []string) {
	for _, r := range removed {
		keys = append(keys, r.Key)
	}
	return keys
}
