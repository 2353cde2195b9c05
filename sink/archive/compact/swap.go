package compact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// An Intent is the next step of a compactor. If the compactor died, the step may be done in part. The zero value means that
// there is none.
type Intent struct {
	At         time.Time             `json:"at,omitzero"` // when the compactor noted it, for people
	Day        string                `json:"day,omitempty"`
	Made       checkpoint.Object     `json:"made,omitzero"`
	Replaced   []checkpoint.Replaced `json:"replaced,omitempty"`
	Duplicates int                   `json:"duplicates,omitempty"`
	// Forget is a removal. Then only At is set besides.
	Forget *checkpoint.Forgetting `json:"forget,omitempty"`
}

// IsZero tells whether there is no intent.
func (i *Intent) IsZero() bool { return i.Made.Key == "" && i.Forget == nil }

func (p *product) intent() Intent {
	i := Intent{At: time.Now().UTC(), Made: p.made, Duplicates: p.duplicates, Day: day(p.made.MinCreatedAt)}
	runs := 0
	for _, in := range p.inputs {
		i.Replaced = append(i.Replaced, checkpoint.Replaced{
			Key: in.key, Bytes: in.bytes, SHA256: in.sha256, Records: in.records, Rows: in.places,
		})
		runs += len(in.places) / 2
	}
	if runs > max(mostRuns, 2*len(p.inputs)) {
		for n := range i.Replaced {
			i.Replaced[n].Rows = nil
		}
	}
	return i
}

// mostRuns is how many runs of places an entry may have: some 150 KB of text. If the records of two objects alternate, there
// are as many runs as records.
const mostRuns = 10_000

// errStale says that another process has compacted after this one read the journal.
var errStale = errors.New("another process compacted meanwhile")

// swap replaces the inputs by the product. The compactor has read the journal up to the entry with the given serial.
func (c *Compactor) swap(ctx context.Context, p *product, serial uint64) error {
	return c.holding(ctx, func(ctx context.Context, lease *checkpoint.Lease) error {
		newest, err := c.Journal.Load(ctx)
		if err != nil {
			return err
		}
		if err := c.fresh(ctx, p, serial, newest.Serial); err != nil {
			return err
		}
		if err := c.probe(ctx); err != nil {
			return err
		}
		if err := c.State.Replace(ctx, p.intent()); err != nil {
			return fmt.Errorf("note what is about to be compacted: %w", err)
		}
		return c.complete(ctx, lease, newest, p)
	})
}

// fresh returns errStale if another compactor has an intent, or has replaced one of the inputs.
func (c *Compactor) fresh(ctx context.Context, p *product, from, to uint64) error {
	left, err := c.State.Read(ctx)
	if err != nil {
		return fmt.Errorf("read what an earlier compaction left: %w", err)
	}
	if !left.IsZero() {
		return errStale
	}
	if to == from {
		return nil
	}
	for entry, err := range c.Journal.Last(ctx, int(to-from)) {
		if err != nil {
			return err
		}
		if entry.Kind == checkpoint.KindReset || entry.Kind == checkpoint.KindAdopt {
			return errStale // another set of objects may now be part of the archive without an entry
		}
		if entry.Forgotten != nil { // the removed object may be an input
			return errStale
		}
		if entry.Compacted != nil && slices.ContainsFunc(entry.Compacted.Replaced, func(r checkpoint.Replaced) bool {
			return slices.ContainsFunc(p.inputs, func(in *input) bool { return in.key == r.Key })
		}) {
			return errStale
		}
	}
	return nil
}

// probe makes sure that this program may delete objects of the archive. It tries to delete an object that is no part of it. If
// the program may not delete, a compaction would leave every record twice.
func (c *Compactor) probe(ctx context.Context) error {
	if c.probed {
		return nil
	}
	key := read.ProbeKey(c.Tenant)
	_, err := c.Files.Put(ctx, key, []byte("houndtrail tries here whether it may delete objects\n"), "")
	if err != nil && !errors.Is(err, fs.ErrExist) { // an earlier try died before the deletion, or was not allowed to delete
		return fmt.Errorf("try whether objects of the archive can be deleted: %w", err)
	}
	err = c.Files.Delete(ctx, key)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w, and nothing was changed: %w", ErrDenied, err)
	}
	if err != nil {
		return fmt.Errorf("try whether objects of the archive can be deleted; nothing was changed: %w", err)
	}
	c.probed = true
	return nil
}

// complete makes all steps after the intent. The new object is written and checked before the entry names it. The entry is
// durable before Houndtrail deletes an old object.
func (c *Compactor) complete(ctx context.Context, lease *checkpoint.Lease, newest checkpoint.Stored, p *product) error {
	if err := c.put(ctx, p); err != nil {
		return err
	}
	i := p.intent()
	_, err := c.Journal.Compact(ctx, lease, newest, checkpoint.Compaction{
		Day: i.Day, Replaced: i.Replaced, Duplicates: i.Duplicates,
	}, p.made)
	if err != nil {
		return err
	}
	keys := make([]string, len(p.inputs))
	for n, in := range p.inputs {
		keys[n] = in.key
	}
	return c.clear(ctx, i.Day, keys)
}

// put writes the object and reads it back. If an object has the key already, an earlier attempt wrote it, or its request
// arrived late. It has the same records, and stays.
func (c *Compactor) put(ctx context.Context, p *product) error {
	_, err := c.Files.Put(ctx, p.made.Key, p.body, "")
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	stored, _, _, err := c.Files.Get(ctx, p.made.Key)
	if err != nil {
		return fmt.Errorf("read back what is to replace the objects of %s, which are left as they are: %w", p.intent().Day, err)
	}
	if bytes.Equal(stored, p.body) {
		return nil
	}
	if err := p.holds(stored); err != nil {
		return fmt.Errorf("%w: %w: it is to replace the objects of %s, which are left as they are: move %s out of the archive, and run "+
			"houndtrail compact again", ErrFinding, err, p.intent().Day, p.made.Key)
	}
	p.body, p.made.Bytes, p.made.SHA256 = stored, int64(len(stored)), digest(stored)
	return nil
}

// clear deletes the old objects, and then the intent.
func (c *Compactor) clear(ctx context.Context, day string, keys []string) error {
	if err := c.Files.Delete(ctx, keys...); err != nil {
		return fmt.Errorf("delete the %d objects of %s whose records another object has by now: %w: until they are gone, a query sees "+
			"these records twice; nothing is lost; put that right, and run houndtrail compact again", len(keys), day, err)
	}
	if err := c.State.Replace(ctx, Intent{}); err != nil {
		return fmt.Errorf("note that %s is compacted: %w: the next compaction does it", day, err)
	}
	return nil
}

// Finish completes the step that an earlier compactor left, in the same way, and does nothing else. Run first calls it.
func (c *Compactor) Finish(ctx context.Context) error {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	left, err := c.State.Read(ctx)
	if err != nil {
		return fmt.Errorf("read what an earlier compaction left: %w", err)
	}
	if left.IsZero() || c.DryRun {
		return nil
	}
	return c.holding(ctx, func(ctx context.Context, lease *checkpoint.Lease) error {
		left, err := c.State.Read(ctx)
		if err != nil || left.IsZero() {
			return err
		}
		if left.Forget != nil {
			return c.finishForget(ctx, left.Forget)
		}
		keys := []string{left.Made.Key}
		for _, r := range left.Replaced {
			keys = append(keys, r.Key)
		}
		a, err := c.account(ctx, keys)
		if err != nil {
			return err
		}
		made := a.named[left.Made.Key]
		replaced := slices.DeleteFunc(keys[1:], func(key string) bool { return a.named[key].replaced == "" })
		switch {
		case made.sha256 != "" && made.replaced == "": // committed
			return c.sweep(ctx, a, left.Day, replaced)
		case made.sha256 != "" || len(replaced) > 0: // a late request of a compactor that seemed dead has written the intent again
			return c.clear(ctx, left.Day, nil)
		default:
			return c.resume(ctx, lease, left)
		}
	})
}

// resume repeats a compaction that was not committed.
func (c *Compactor) resume(ctx context.Context, lease *checkpoint.Lease, left Intent) error {
	newest, err := c.Journal.Load(ctx)
	if err != nil {
		return err
	}
	to, ok := read.Parse(left.Made.Key)
	var inputs []*input
	for _, r := range left.Replaced {
		o, parsed := read.Parse(r.Key)
		ok = ok && parsed
		inputs = append(inputs, &input{Object: o, key: r.Key, sha256: r.SHA256, bytes: r.Bytes, stands: true})
	}
	if !ok {
		return fmt.Errorf("%w: the state of the compaction names %s, which is no name of an object", ErrFinding, left.Made.Key)
	}
	err = c.survey(ctx, inputs)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: an earlier compaction of %s did not end, and one of its objects is gone: %w; put it back (an earlier "+
			"version of the object, or a backup), and run houndtrail compact again", ErrFinding, left.Day, err)
	}
	if err != nil {
		return err
	}
	slices.SortFunc(inputs, byFirst)
	p, err := c.merge(ctx, inputs, to)
	if err != nil {
		return err
	}
	if err := c.probe(ctx); err != nil {
		return err
	}
	if err := c.State.Replace(ctx, p.intent()); err != nil {
		return fmt.Errorf("note what is about to be compacted: %w", err)
	}
	return c.complete(ctx, lease, newest, p)
}

// sweep deletes objects whose records another object has, as the journal says. Both have to be as the journal names them.
func (c *Compactor) sweep(ctx context.Context, a *account, day string, replaced []string) error {
	var keys []string
	seen := map[string]bool{}
	for _, key := range replaced {
		n := a.named[key]
		if by := n.replaced; !seen[by] {
			seen[by] = true
			if _, err := c.fetch(ctx, by, a.named[by].sha256); err != nil {
				return err
			}
		}
		_, err := c.fetch(ctx, key, n.sha256)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	return c.clear(ctx, day, keys)
}
