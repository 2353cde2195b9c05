package read

import (
	"cmp"
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// A day looks for records that the archive has twice. Since created_at decides the place of a record, both are of one day.
//
// Ids are dense, and a bitmap of them is small. But an id that comes again need not be the same record, since a restored
// database hands out ids a second time. So the survey reads a day with such ids once more, and compares exactly.
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

// duplicates counts the records that the day has once too often, and returns some of their ids.
func (d *day) duplicates(ctx context.Context, b bucket.Reader) (n int64, ids []int64, err error) {
	if d.ids == nil || d.again.IsEmpty() {
		return 0, nil, nil
	}
	var suspects []identity
	for c, err := range ahead(ctx, b, d.objects) {
		if err != nil {
			return 0, nil, err
		}
		for _, r := range c.records {
			if d.again.Contains(uint64(r.id)) {
				suspects = append(suspects, r)
			}
		}
	}
	slices.SortFunc(suspects, func(a, b identity) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.createdAt, b.createdAt))
	})
	for i := 1; i < len(suspects); i++ {
		if suspects[i] == suspects[i-1] {
			n++
			if len(ids) < examples && !slices.Contains(ids, suspects[i].id) {
				ids = append(ids, suspects[i].id)
			}
		}
	}
	return n, ids, nil
}
