package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// spare is how many entries more a reader of the newest entries asks for: other processes may commit some meanwhile.
const spare = 64

// errRaced says that more entries came than a reader of the newest ones has asked for.
var errRaced = errors.New("the journal has grown too fast")

// catalog reads the journals. It reads the one of the backfill first: the archive's journal names the compactions of its objects.
func (a *Archive) catalog(ctx context.Context, q query) (*catalog, error) {
	c := a.newCatalog(q)
	err := c.read(ctx, a)
	if errors.Is(err, errRaced) {
		q.delta = false
		return a.catalog(ctx, q)
	}
	if err != nil || !c.unnamed() {
		return c, err
	}
	// Objects without an entry are a part of this archive, so the names of all others have to be known.
	q.delta = false
	c = a.newCatalog(q)
	c.names = map[string]struct{}{}
	if err := c.read(ctx, a); err != nil {
		return nil, err
	}
	return c, c.list(ctx, a)
}

func (a *Archive) newCatalog(q query) *catalog {
	return &catalog{query: q, live: map[string]Object{}, pieces: map[string][]piece{}, most: cmp.Or(a.most, mostObjects)}
}

// unnamed tells whether an object of the archive may have no entry: a new lineage knows the objects of attempts, and the oldest
// entries may have been removed. If only the newest entries matter, then only a lineage that began with them.
func (c *catalog) unnamed() bool {
	if c.delta {
		return len(c.events) > 0 && c.archive.Epoch > 0
	}
	return c.archive.Epoch > 0 || c.first > 1 || c.firstKin > 1
}

func (c *catalog) read(ctx context.Context, a *Archive) (err error) {
	kin := walk{journal: a.Backfill, name: "the backfill of the archive", from: c.from.Backfill}
	own := walk{journal: a.Journal, name: "the archive", from: c.from.Archive}
	if c.upto != nil {
		kin.upto, own.upto = &c.upto.Backfill, &c.upto.Archive
	}
	if c.backfill, c.firstKin, err = c.walk(ctx, kin, true); err != nil {
		return err
	}
	c.archive, c.first, err = c.walk(ctx, own, false)
	return err
}

// A walk reads one journal.
type walk struct {
	journal Journal
	name    string
	from    checkpoint.Mark
	upto    *checkpoint.Mark
}

// walk reads the entries of a journal, or those that matter. It returns the newest one that counts, and the first serial.
func (c *catalog) walk(ctx context.Context, w walk, kin bool) (last checkpoint.Stored, first uint64, err error) {
	tip, err := newest(ctx, w.journal) // Load checks the signature, and compares the journal with its remembered heads
	if err != nil {
		return last, 0, err
	}
	if tip.Serial < w.from.Serial {
		return last, 0, fmt.Errorf("%w: %s has the entries up to %d, and the stream has followed it up to entry %d%s", ErrUnfollowable, w.name,
			tip.Serial, w.from.Serial, advice)
	}
	n := math.MaxInt32 // the journal may grow meanwhile
	if c.delta {
		n = int(tip.Serial-w.from.Serial) + spare
	}
	for e, err := range w.journal.Last(ctx, n) {
		if err != nil {
			return last, first, err
		}
		if c.delta && e.Serial < w.from.Serial {
			continue
		}
		if first == 0 {
			first = e.Serial
			if !kin {
				c.pruned = e.Cursor
			}
			if c.delta && first > w.from.Serial+1 {
				return last, first, errRaced
			}
			if w.from.Serial > 0 && first > w.from.Serial+1 {
				return last, first, fmt.Errorf("%w: the entries of %s before %d were removed, and the stream has followed it up to entry %d%s",
					ErrUnfollowable, w.name, first, w.from.Serial, advice)
			}
		}
		if e.Serial == w.from.Serial && e.SHA256 != w.from.SHA256 {
			return last, first, fmt.Errorf("%w: entry %d of %s has the SHA-256 %s, and the stream has followed one with %s%s", ErrUnfollowable,
				e.Serial, w.name, e.SHA256, w.from.SHA256, advice)
		}
		counts := w.upto == nil || e.Serial <= w.upto.Serial
		if counts {
			last = e
			last.Delivered = nil // it may be large
		}
		c.take(&e, kin, counts, c.late && counts && e.Serial > w.from.Serial)
	}
	return last, first, nil
}

// advice is the end of an error that ends the following.
const advice = "; so Houndtrail cannot tell which late records the receiver lacks. Find out what changed the archive's journal. Then " +
	"run houndtrail accept-reset --stream webhook --reason \"...\": the stream goes on from its position, and searches the last days " +
	"again. If older records were archived late meanwhile, houndtrail replay sends their time again"

// list adds the objects of the archive that no entry names: those that a new lineage knows, and those whose entries were removed. The
// times of their records are not known, but the day.
func (c *catalog) list(ctx context.Context, a *Archive) error {
	open, err := attempts(ctx, a)
	if err != nil {
		return err
	}
	var before time.Time
	if c.first > 1 {
		before = c.pruned // an earlier entry accounted for an earlier window
	}
	return a.Files.List(ctx, func(key string, at, start time.Time, pass uint64) {
		if _, named := c.names[key]; named || open(start, pass) {
			return
		}
		removed := start.Before(before) || c.firstKin > 1 && pass == 0
		if !removed && pass >= c.archive.Epoch || at.Before(c.archive.ForgottenBefore) {
			return
		}
		o := Object{Key: key, From: at, To: at.Add(day - grain)}
		c.add(o)
		if c.late && !removed && len(c.events) > 0 {
			c.addLate(o)
		}
	})
}
