package main

import (
	"context"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter"
	"houndtrail/sink/archive/read"
)

// archiveDestination is what an exporter can ask of the archive's files.
func archiveDestination(b read.Bucket, tenant string) exporter.Destination {
	attempt := func(ctx context.Context, w checkpoint.Window) (keys []string, err error) {
		objects, _, err := read.Objects(ctx, b, tenant)
		for _, o := range objects {
			if o.Start.Equal(w.Start) && o.Pass == w.Pass {
				keys = append(keys, o.Key())
			}
		}
		return keys, err
	}
	return exporter.Destination{
		Occupied: func(ctx context.Context, before time.Time, own *checkpoint.Window) (string, error) {
			objects, unknown, err := read.Objects(ctx, b, tenant)
			if before.IsZero() && len(unknown) > 0 { // it may be an object that was renamed
				return unknown[0], err
			}
			for _, o := range objects {
				if own != nil && o.Start.Equal(own.Start) && o.Pass == own.Pass {
					continue
				}
				if before.IsZero() || o.Start.Before(before) {
					return o.Key(), err
				}
			}
			return "", err
		},
		Attempt: attempt,
		Recall: func(ctx context.Context, key string, add func(int64, time.Time)) error {
			body, _, _, err := b.Get(ctx, key)
			if err != nil {
				return err
			}
			file, err := read.Open(body, key)
			if err != nil {
				return err
			}
			return file.Each(func(id int64, createdAt time.Time) error {
				add(id, createdAt)
				return nil
			})
		},
	}
}
