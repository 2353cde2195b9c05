package compact

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

const (
	// keptBytes is how many bytes of a day's objects stay in memory after the first reading, for the merge. Most days have fewer.
	keptBytes = 8 << 20
	// smallBytes is the size of a small object: Houndtrail reads several small objects at a time.
	smallBytes = 256 << 10
	parallel   = 8
)

// A unit has the objects of one day and one format.
type unit struct {
	day       time.Time
	extension string
	objects   []read.Object
}

// due returns the units with more than one object whose day ended before an instant, oldest first.
func due(objects []read.Object, until time.Time) (units []*unit) {
	type name struct {
		day       time.Time
		extension string
	}
	all := map[name]*unit{}
	for _, o := range objects {
		if o.Day.AddDate(0, 0, 1).After(until) {
			continue
		}
		n := name{o.Day, o.Extension}
		if all[n] == nil {
			all[n] = &unit{day: o.Day, extension: o.Extension}
			units = append(units, all[n])
		}
		all[n].objects = append(all[n].objects, o)
	}
	units = slices.DeleteFunc(units, func(u *unit) bool { return len(u.objects) < 2 })
	slices.SortStableFunc(units, func(a, b *unit) int { return a.day.Compare(b.day) })
	return units
}

func (u *unit) keys() (keys []string) {
	for _, o := range u.objects {
		keys = append(keys, o.Key())
	}
	return keys
}

// An input is an old object. The second group of fields is known once Houndtrail has read the object.
type input struct {
	read.Object

	key    string
	sha256 string // as the journal has it; "" if no entry names the object
	bytes  int64  // as the journal says, until Houndtrail has read the object
	stands bool   // the object's records are a part of the archive

	window  window.Window
	first   time.Time // of its records
	last    time.Time
	records int
	need    int64             // the memory that it takes during a merge, in bytes
	places  checkpoint.Places // the places of its records in the new object, after the merge
	body    []byte            // nil if it is not kept
}

// choose returns two lists: the objects to merge, and the objects whose records another object already has. It leaves out the
// objects of attempts that may not be committed. If everything is in order, it also leaves out the large objects.
func (u *unit) choose(a *account, large int64) (inputs []*input, leftover []string) {
	there := map[string]bool{}
	for _, key := range u.keys() {
		there[key] = true
	}
	odd := false
	for _, o := range u.objects {
		key := o.Key()
		n, known := a.named[key]
		switch {
		case known && n.replaced != "" && there[n.replaced] && a.named[n.replaced].replaced == "":
			leftover = append(leftover, key)
			continue
		case !known && a.attempted(o):
			continue
		}
		in := &input{Object: o, key: key, sha256: n.sha256, bytes: n.bytes, stands: known || a.stands(o)}
		odd = odd || !known || n.replaced != ""
		inputs = append(inputs, in)
	}
	if !odd {
		inputs = slices.DeleteFunc(inputs, func(in *input) bool { return in.Compacted > 0 && in.bytes >= large })
	}
	if len(inputs) < 2 {
		return nil, leftover
	}
	return inputs, leftover
}

// survey reads the objects, compares them with the journal, and fills in the facts about them.
func (c *Compactor) survey(ctx context.Context, inputs []*input) error {
	abreast := parallel
	var total int64
	for _, in := range inputs {
		if total += in.bytes; in.bytes == 0 || in.bytes > smallBytes {
			abreast = 1
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(abreast)
	for _, in := range inputs {
		g.Go(func() error { return c.look(ctx, in, total <= min(keptBytes, c.share())) })
	}
	return g.Wait()
}

func (c *Compactor) look(ctx context.Context, in *input, keep bool) error {
	f, body, err := c.open(ctx, in)
	if err != nil {
		return err
	}
	longest := 0
	err = f.Records(func(r *record.Record) error {
		if in.records++; in.records == 1 {
			in.first = r.CreatedAt
		}
		in.last, longest = r.CreatedAt, max(longest, len(r.Raw))
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFinding, err)
	}
	in.bytes = int64(len(body))
	in.window, in.need = f.Window, in.bytes+f.Held()+2*int64(longest)
	if keep {
		in.body = body
	}
	return nil
}

// open opens an object, after it has compared it with the journal.
func (c *Compactor) open(ctx context.Context, in *input) (*read.File, []byte, error) {
	body := in.body
	if body == nil {
		var err error
		if body, err = c.fetch(ctx, in.key, in.sha256); err != nil {
			return nil, nil, err
		}
		in.sha256 = digest(body) // if no entry names it, it must not change from now on
	}
	f, err := read.Open(body, in.key)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrFinding, err)
	}
	return f, body, nil
}

// fetch reads an object whose SHA-256 is known; "" if it is not.
func (c *Compactor) fetch(ctx context.Context, key, sha string) ([]byte, error) {
	body, _, _, err := c.Files.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: see that nothing else removes objects of the archive, and run again", err)
	}
	if err != nil {
		return nil, err
	}
	if got := digest(body); sha != "" && got != sha {
		return nil, fmt.Errorf("%w: %s has the SHA-256 %s, and the journal says %s: it was changed, and its day is left as it is; "+
			"put back what Houndtrail wrote there (an earlier version of the object, or a backup)", ErrFinding, key, got, sha)
	}
	return body, nil
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// groups cuts the objects into groups that memory can hold while they are merged: one group, unless the day is very large. A group
// of one object has nothing to merge.
func (c *Compactor) groups(inputs []*input) (groups [][]*input) {
	slices.SortFunc(inputs, byFirst)
	var group []*input
	var bytes int64
	for _, in := range inputs {
		open := in.need
		for _, other := range group {
			if !other.last.Before(in.first) {
				open += other.need
			}
		}
		if len(group) > 0 && (bytes+in.bytes > c.share() || open > c.share()) {
			groups = append(groups, group)
			group, bytes = nil, 0
		}
		group, bytes = append(group, in), bytes+in.bytes
	}
	groups = append(groups, group)
	return slices.DeleteFunc(groups, func(g []*input) bool { return len(g) < 2 })
}

// next is the place of the object that takes the place of a group. No object has its number yet, and none had it before: the
// object of the highest number is replaced only by one with a higher one.
func (u *unit) next(group []*input) read.Object {
	to := read.Object{Tenant: group[0].Tenant, Day: u.day, Start: group[0].Start, Extension: u.extension}
	for _, in := range group {
		if in.Start.Before(to.Start) {
			to.Start = in.Start
		}
		to.Pass = max(to.Pass, in.Pass)
	}
	for _, o := range u.objects {
		to.Compacted = max(to.Compacted, o.Compacted)
	}
	to.Compacted++
	return to
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// byFirst orders objects by their first record.
func byFirst(a, b *input) int { return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.key, b.key)) }
