package read

import (
	"context"
	"fmt"
	"slices"
	"time"

	"houndtrail/exporter/window"
)

// Bucket is where the objects are. It is the part that a reader needs of a checkpoint.Bucket, and has its contract.
type Bucket interface {
	Get(ctx context.Context, key string) (body []byte, version string, age time.Duration, err error)
	List(ctx context.Context, prefix, after string) ([]string, error)
	String() string
}

// Objects lists a tenant's objects, by day, and within a day by window. unknown are the keys beside them that no
// archive writes: a reader that goes by the folder, as Athena does, may take them for part of the archive.
func Objects(ctx context.Context, b Bucket, tenant string) (objects []Object, unknown []string, err error) {
	keys, err := list(ctx, b, tenant)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range keys {
		if o, ok := Parse(key); ok {
			objects = append(objects, o)
		} else {
			unknown = append(unknown, key)
		}
	}
	return objects, unknown, nil
}

// Days are the first and the last day that the tenant has records of; ok is false where it has none.
func Days(ctx context.Context, b Bucket, tenant string) (first, last time.Time, ok bool, err error) {
	objects, _, err := Objects(ctx, b, tenant)
	if err != nil || len(objects) == 0 {
		return time.Time{}, time.Time{}, false, err
	}
	return objects[0].Day, objects[len(objects)-1].Day, true, nil
}

// Occupied returns the key of an object that the tenant has, and "" where it has none. It is what stops a stream whose
// journal is gone: it would write records that the archive has already. A name that no archive writes counts as well,
// since it may be an object that somebody renamed.
//
// Objects that an attempt at the window left do not count, since the next attempt replaces them; nil is for no attempt.
// It replaces those that end in the extension that it writes itself; with none given, any will do.
func Occupied(
	ctx context.Context, b Bucket, tenant string, attempt *window.Window, extension ...string,
) (key string, err error) {
	keys, err := list(ctx, b, tenant)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		o, ok := Parse(key)
		replaced := ok && attempt != nil && o.Start.Equal(attempt.Start) && o.Pass == attempt.Pass &&
			(len(extension) == 0 || slices.Contains(extension, o.Extension))
		if !replaced {
			return key, nil
		}
	}
	return "", nil
}

func list(ctx context.Context, b Bucket, tenant string) ([]string, error) {
	if err := CheckTenant(tenant); err != nil {
		return nil, err
	}
	keys, err := b.List(ctx, Prefix(tenant), "")
	if err != nil {
		return nil, fmt.Errorf("look for the objects of tenant %s: %w", tenant, err)
	}
	return keys, nil
}
