package read

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// A day looks for records that the archive has twice. The created_at of a record decides its place, so both copies are of one
// day.
//
// Ids are dense, and a bitmap of them is small. The same id may also come again with another record, since a restored database
// hands out ids a second time. So if the survey finds such ids, it reads the day once more, and compares exactly.
type day struct {
	objects []Object
	ids     *roaring64.Bitmap
	again   *roaring64.Bitmap // the ids that came more than once
}

func (d *day) add(r identity) {
	if d.ids == nil {
		d.ids, d.again = roaring64.New(), roaring64.New()
	}
	if !d.ids.CheckedAdd(uint64(r.id)) {
		d.again.Add(uint64(r.id))
	}
}

// A Repeated is a record that the archive has more than once.
type Repeated struct {
	ID        int64
	CreatedAt time.Time
	Keys      []string // the keys of its objects, one for each time that the archive has it
}

// Twice returns the records that a tenant's objects of one day have more than once, by id.
func Twice(ctx context.Context, b bucket.Reader, tenant string, at time.Time) ([]Repeated, error) {
	keys, err := b.List(ctx, DayPrefix(tenant, at), "")
	if err != nil {
		return nil, fmt.Errorf("look for the objects of %s: %w", at.UTC().Format(time.DateOnly), err)
	}
	var d day
	for _, key := range keys {
		if o, ok := Parse(key); ok {
			d.objects = append(d.objects, o)
		}
	}
	for c, err := range ahead(ctx, b, d.objects) {
		if err != nil {
			return nil, err
		}
		for _, r := range c.records {
			d.add(r)
		}
	}
	return d.repeated(ctx, b)
}

// repeated returns the records that the day has more than once, by id.
func (d *day) repeated(ctx context.Context, b bucket.Reader) (all []Repeated, err error) {
	if d.ids == nil || d.again.IsEmpty() {
		return nil, nil
	}
	type suspect struct {
		identity
		object int
	}
	var suspects []suspect
	object := 0
	for c, err := range ahead(ctx, b, d.objects) {
		if err != nil {
			return nil, err
		}
		for _, r := range c.records {
			if d.again.Contains(uint64(r.id)) {
				suspects = append(suspects, suspect{r, object})
			}
		}
		object++
	}
	slices.SortFunc(suspects, func(a, b suspect) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.createdAt, b.createdAt), cmp.Compare(a.object, b.object))
	})
	for i := 1; i < len(suspects); i++ {
		before, s := suspects[i-1], suspects[i]
		if s.identity != before.identity {
			continue
		}
		if last := len(all) - 1; last < 0 || all[last].ID != s.id || !all[last].CreatedAt.Equal(s.instant()) {
			all = append(all, Repeated{ID: s.id, CreatedAt: s.instant(), Keys: []string{d.objects[before.object].Key()}})
		}
		last := &all[len(all)-1]
		last.Keys = append(last.Keys, d.objects[s.object].Key())
	}
	return all, nil
}
