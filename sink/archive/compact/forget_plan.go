package compact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// A Plan says which objects a removal would delete.
type Plan struct {
	Before   time.Time
	Days     []GoneDay
	Findings []error  // about objects that would stay
	Others   []string // other tenants that have objects of such days too; these objects would stay

	serial    uint64 // the archive's newest entry when the plan was made
	removals  []*removal
	leftovers []string // objects that still exist, although the journal calls them removed or replaced
}

// A GoneDay says what a removal would delete of one day.
type GoneDay struct {
	Day     string `json:"day"`
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
	Records int    `json:"records"`
	// Versions is how many of the objects the store only hides with a delete marker: their versions still hold the records.
	Versions int `json:"versions,omitempty"`
	// Locked is how many of these versions are under a lock, as far as this program may see. LockedUntil is the end of the last
	// lock.
	Locked      int       `json:"locked,omitempty"`
	LockedUntil time.Time `json:"locked_until,omitzero"`
	Hold        bool      `json:"legal_hold,omitempty"` // a lock is a legal hold, which has no end
}

// Total adds up the days.
func (p *Plan) Total() (all GoneDay) {
	for _, d := range p.Days {
		all.Objects, all.Bytes, all.Records = all.Objects+d.Objects, all.Bytes+d.Bytes, all.Records+d.Records
		all.Versions, all.Locked, all.Hold = all.Versions+d.Versions, all.Locked+d.Locked, all.Hold || d.Hold
		if d.LockedUntil.After(all.LockedUntil) {
			all.LockedUntil = d.LockedUntil
		}
	}
	return all
}

// A removal is an object to be removed.
type removal struct {
	checkpoint.Removal

	day     time.Time
	version bool
	lock    bucket.Lock
	raw     bool // it has the bytes of an element that is no record: the journal knows only their hash
}

// PlanForget says what Forget would remove. It writes nothing.
func (c *Compactor) PlanForget(ctx context.Context, before time.Time) (*Plan, error) {
	if err := c.mayForget(ctx, before); err != nil {
		return nil, err
	}
	objects, _, err := read.Objects(ctx, c.Files, c.Tenant)
	if err != nil {
		return nil, err
	}
	objects = slices.DeleteFunc(objects, func(o read.Object) bool { return !o.Day.Before(before) })
	keys := make([]string, len(objects))
	for i, o := range objects {
		keys[i] = o.Key()
	}
	a, err := c.accountFrom(ctx, math.MaxInt, keys)
	if err != nil {
		return nil, err
	}
	p := &Plan{Before: before, serial: a.serial}
	extents, err := read.Extents(ctx, c.Files)
	if err != nil {
		return nil, err
	}
	for _, e := range extents {
		if e.Tenant != c.Tenant && e.First.Before(before) {
			p.Others = append(p.Others, e.Tenant)
		}
	}
	all, err := c.candidates(ctx, p, a, objects)
	if err == nil {
		err = c.compare(ctx, p, all)
	}
	if err != nil {
		return nil, err
	}
	p.count(time.Now())
	return p, nil
}

// count fills in the days.
func (p *Plan) count(now time.Time) {
	slices.SortFunc(p.removals, func(a, b *removal) int { return cmp.Or(a.day.Compare(b.day), cmp.Compare(a.Key, b.Key)) })
	for _, r := range p.removals {
		if n := len(p.Days); n == 0 || p.Days[n-1].Day != day(r.day) {
			p.Days = append(p.Days, GoneDay{Day: day(r.day)})
		}
		d := &p.Days[len(p.Days)-1]
		d.Objects, d.Bytes, d.Records = d.Objects+1, d.Bytes+r.Bytes, d.Records+r.Records
		if r.version {
			d.Versions++
		}
		if r.version && r.lock.Holds(now) {
			d.Locked++
			d.Hold = d.Hold || r.lock.Hold
			if r.lock.Until.After(d.LockedUntil) {
				d.LockedUntil = r.lock.Until.UTC()
			}
		}
	}
}

// mayForget makes sure that no run and no backfill will still deliver records of these days.
func (c *Compactor) mayForget(ctx context.Context, before time.Time) error {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	newest, err := c.Journal.Load(ctx)
	if err != nil {
		return err
	}
	if err := c.closed(&newest.Checkpoint, before); err != nil {
		return err
	}
	own, err := c.Journal.LeaseStatus(ctx)
	if err != nil {
		return err
	}
	attempts := own.Intents[slices.IndexFunc(own.Intents, newest.Window.Equal)+1:]
	filled, err := c.Backfill.Load(ctx)
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		return err
	}
	backfill, err := c.Backfill.LeaseStatus(ctx)
	if err != nil {
		return err
	}
	for _, w := range backfill.Intents {
		attempts = append(attempts, window.Gaps(w, filled.Covered)...)
	}
	for _, w := range attempts {
		if w.Start.Before(before) {
			return fmt.Errorf("%w: the window %s to %s was begun and not committed: run houndtrail run --once and, if it is of a "+
				"backfill, houndtrail backfill, which end it", ErrNotYet, stamp(w.Start), stamp(w.End))
		}
	}
	return nil
}

// closed refuses days of which the stream may still deliver records. It returns nil if all days are old enough.
func (c *Compactor) closed(newest *checkpoint.Checkpoint, before time.Time) error {
	limit := newest.Cursor.Add(-c.OlderThan)
	if newest.DeliveredSince.Before(limit) {
		limit = newest.DeliveredSince
	}
	limit = limit.UTC().Truncate(24 * time.Hour)
	if before.After(limit) {
		return fmt.Errorf("%w: the stream still looks for late records of the days before %s: the latest day that can be given is %s",
			ErrNotYet, day(before), day(limit))
	}
	if h := newest.History; h != nil && h.Next.Before(before) {
		return fmt.Errorf("%w: the stream still delivers records that appeared before its start, of %s to %s: run houndtrail run --once until "+
			"that is done", ErrNotYet, stamp(h.Next), stamp(h.Until))
	}
	return nil
}

// candidates returns the objects to remove, as far as the journals know them. Every other object is a finding.
func (c *Compactor) candidates(ctx context.Context, p *Plan, a *account, objects []read.Object) (all []*removal, err error) {
	for _, o := range objects {
		key := o.Key()
		n, known := a.named[key]
		r := &removal{day: o.Day, Removal: checkpoint.Removal{Key: key, Bytes: n.bytes, SHA256: n.sha256, Records: n.records}}
		switch {
		case n.forgotten > 0 || n.replaced != "":
			p.leftovers = append(p.leftovers, key)
			continue
		case known:
		case a.stands(o): // only its own bytes tell which records it holds
			in := &input{Object: o, key: key}
			err := c.look(ctx, in, false)
			if errors.Is(err, ErrFinding) {
				p.Findings = append(p.Findings, err)
				continue
			}
			if err != nil {
				return nil, err
			}
			r.Bytes, r.SHA256, r.Records = in.bytes, in.sha256, in.records
		default:
			p.Findings = append(p.Findings, fmt.Errorf("%w: no entry names %s, and it stays: find out who wrote it, and move it out of the "+
				"archive", ErrFinding, key))
			continue
		}
		all = append(all, r)
	}
	for key, raw := range a.raw {
		if raw.at.Before(p.Before) {
			at := raw.at.UTC().Truncate(24 * time.Hour)
			r := &removal{day: at, raw: true, Removal: checkpoint.Removal{Key: key, SHA256: raw.sha256}}
			if raw.forgotten {
				p.leftovers = append(p.leftovers, key) // if it is still there
				continue
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// compare compares the objects with the journal. It leaves out an object that is gone: the journal must not say that this
// removal deleted it.
func (c *Compactor) compare(ctx context.Context, p *Plan, all []*removal) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	answers := make([]error, len(all))
	for i, r := range all {
		g.Go(func() error {
			answers[i] = c.compareOne(ctx, r)
			if err := answers[i]; errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrFinding) {
				return nil
			}
			return answers[i]
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, r := range all {
		switch err := answers[i]; {
		case err == nil:
			p.removals = append(p.removals, r)
		case errors.Is(err, ErrFinding):
			p.Findings = append(p.Findings, err)
		}
	}
	return nil
}

func (c *Compactor) compareOne(ctx context.Context, r *removal) error {
	info, err := c.Files.Stat(ctx, r.Key)
	if err != nil {
		return err
	}
	r.version, r.lock = info.Version, info.Lock
	if info.SHA256 == "" {
		if info, err = c.Files.Hash(ctx, r.Key); err != nil && !errors.Is(err, bucket.ErrDamaged) {
			return err
		}
	}
	if r.raw {
		r.Bytes = info.Bytes
	}
	if err != nil || info.SHA256 != r.SHA256 || info.Bytes != r.Bytes {
		return fmt.Errorf("%w: %s has %d bytes and the SHA-256 %s, and the journal says %d bytes and %s: it was changed, and stays as "+
			"evidence; put back what Houndtrail wrote there, or move it out of the archive", ErrFinding, r.Key, info.Bytes, info.SHA256,
			r.Bytes, r.SHA256)
	}
	return nil
}
