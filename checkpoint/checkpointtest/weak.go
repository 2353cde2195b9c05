package checkpointtest

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// StaleList is a bucket whose listings are behind: they lack each object for which Hides is true.
type StaleList struct {
	bucket.Bucket
	Hides func(key string) bool
}

// List implements bucket.Bucket.
func (s StaleList) List(ctx context.Context, prefix, after string) ([]string, error) {
	keys, err := s.Bucket.List(ctx, prefix, after)
	return slices.DeleteFunc(keys, s.Hides), err
}

// Unconditional is a bucket that ignores conditions, like some gateways. With Creates, a Put that should only create an object
// replaces an existing one. With Replaces, a Put that should replace one version replaces any version.
type Unconditional struct {
	bucket.Bucket
	Creates, Replaces bool
}

// Put implements bucket.Bucket.
func (u Unconditional) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	ignores := u.Replaces
	if version == "" {
		ignores = u.Creates
	}
	for {
		stored, err := u.Bucket.Put(ctx, key, body, version)
		if !ignores || !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return stored, err
		}
		if _, version, _, err = u.Get(ctx, key); errors.Is(err, fs.ErrNotExist) {
			version = ""
		} else if err != nil {
			return "", err
		}
	}
}
