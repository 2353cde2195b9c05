package observe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// A view is a folder of a store as a store of its own. It can only read and list: every other call fails before it reaches the
// store. So an observer needs no other right, and cannot harm a journal.
type view struct {
	store  bucket.Bucket
	folder string // "" for the root, else it ends with a slash
}

// errReadOnly is the answer to every call that an observer does not need.
var errReadOnly = fmt.Errorf("%w: an observer only reads and lists", errors.ErrUnsupported)

// String implements [bucket.Bucket].
func (v view) String() string {
	return strings.TrimSuffix(strings.TrimSuffix(v.store.String(), "/")+"/"+v.folder, "/")
}

// Get implements [bucket.Bucket].
func (v view) Get(ctx context.Context, key string) (body []byte, version string, age time.Duration, err error) {
	return v.store.Get(ctx, v.folder+key)
}

// List implements [bucket.Bucket].
func (v view) List(ctx context.Context, prefix, after string) ([]string, error) {
	if after != "" {
		after = v.folder + after
	}
	keys, err := v.store.List(ctx, v.folder+prefix, after)
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], v.folder)
	}
	return keys, err
}

// Folders implements [bucket.Bucket].
func (v view) Folders(ctx context.Context, folder string) ([]string, error) {
	return v.store.Folders(ctx, v.folder+folder)
}

// Put implements [bucket.Bucket].
func (view) Put(context.Context, string, []byte, string) (string, error) { return "", errReadOnly }

// Delete implements [bucket.Bucket].
func (view) Delete(context.Context, ...string) error { return errReadOnly }

// Lock implements [bucket.Bucket].
func (view) Lock(context.Context, string) (func() error, bool, error) { return nil, false, errReadOnly }

// Stat implements [bucket.Bucket].
func (view) Stat(context.Context, string) (bucket.Info, error) { return bucket.Info{}, errReadOnly }

// Hash implements [bucket.Bucket].
func (view) Hash(context.Context, string) (bucket.Info, error) { return bucket.Info{}, errReadOnly }

// Open implements [bucket.Bucket].
func (view) Open(context.Context, string, int) (bucket.Object, error) { return nil, errReadOnly }

// Walk implements [bucket.Bucket].
func (view) Walk(context.Context, string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) { yield(bucket.Info{}, errReadOnly) }
}
