package read

import (
	"context"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Objects lists a tenant's objects, by day, and within a day by window. unknown are the keys beside them that no
// archive writes: a reader of the whole folder, such as Athena, may take them for part of the archive.
func Objects(ctx context.Context, b bucket.Reader, tenant string) (objects []Object, unknown []string, err error) {
	keys, err := list(ctx, b, tenant)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range keys {
		if o, ok := Parse(key); ok {
			objects = append(objects, o)
		} else if !Rewritten(key) {
			unknown = append(unknown, key)
		}
	}
	return objects, unknown, nil
}

// Days are the first and the last day with records of the tenant. If it has none, ok is false.
func Days(ctx context.Context, b bucket.Reader, tenant string) (first, last time.Time, ok bool, err error) {
	objects, _, err := Objects(ctx, b, tenant)
	if err != nil || len(objects) == 0 {
		return time.Time{}, time.Time{}, false, err
	}
	return objects[0].Day, objects[len(objects)-1].Day, true, nil
}

func list(ctx context.Context, b bucket.Reader, tenant string) ([]string, error) {
	if err := CheckTenant(tenant); err != nil {
		return nil, err
	}
	keys, err := b.List(ctx, Prefix(tenant), "")
	if err != nil {
		return nil, fmt.Errorf("look for the objects of tenant %s: %w", tenant, err)
	}
	return keys, nil
}
