package simulation

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
)

// A view is a store as one process sees it.
type view struct {
	*process
	part  part
	store *checkpointtest.Memory
}

// The calls of a store.
const (
	opGet    = "get"
	opPut    = "put"
	opDelete = "delete"
	opList   = "list"
	opLock   = "lock"
)

func (v view) String() string { return v.store.String() }

// Get implements bucket.Bucket.
func (v view) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	type object struct {
		body    []byte
		version string
		age     time.Duration
	}
	o, err := do(ctx, v.process, call{v.part, opGet, key}, func(ctx context.Context) (o object, err error) {
		o.body, o.version, o.age, err = v.store.Get(ctx, key)
		return o, err
	})
	return o.body, o.version, o.age, err
}

// Put implements bucket.Bucket. The world judges its effect at once.
func (v view) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	body = slices.Clone(body) // the caller may use its buffer again before a delayed effect
	began, c := v.cycleBegan(), call{v.part, opPut, key}
	if v.part == positions {
		v.judgeHeads(v.name, body)
	}
	return do(ctx, v.process, c, func(ctx context.Context) (string, error) {
		v.overtake(c)
		v.world.mu.Lock()
		defer v.world.mu.Unlock()
		if v.violation != "" {
			return "", errOver
		}
		now, err := v.store.Put(ctx, key, body, version)
		switch {
		case err == nil:
			v.judgePut(v.process, v.part, key, body, began)
		case v.isSet(c) && errors.Is(err, fs.ErrExist):
			v.tally["sets that were there already"]++
		}
		return now, err
	})
}

// Delete implements bucket.Bucket.
func (v view) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := do(ctx, v.process, call{v.part, opDelete, keys[0]}, func(ctx context.Context) (struct{}, error) {
		v.world.mu.Lock()
		defer v.world.mu.Unlock()
		if v.violation != "" {
			return struct{}{}, errOver
		}
		for _, key := range keys {
			v.judgeDelete(v.process, key)
		}
		return struct{}{}, v.store.Delete(ctx, keys...)
	})
	return err
}

// List implements bucket.Bucket.
func (v view) List(ctx context.Context, prefix, after string) ([]string, error) {
	return do(ctx, v.process, call{v.part, opList, prefix}, func(ctx context.Context) ([]string, error) {
		return v.store.List(ctx, prefix, after)
	})
}

// Folders implements bucket.Bucket. No exporter calls it or the next four methods.
func (v view) Folders(ctx context.Context, folder string) ([]string, error) {
	return v.store.Folders(ctx, folder)
}

// Stat implements bucket.Bucket.
func (v view) Stat(ctx context.Context, key string) (bucket.Info, error) {
	return v.store.Stat(ctx, key)
}

// Hash implements bucket.Bucket.
func (v view) Hash(ctx context.Context, key string) (bucket.Info, error) {
	return v.store.Hash(ctx, key)
}

// Open implements bucket.Bucket.
func (v view) Open(ctx context.Context, key string, tail int) (bucket.Object, error) {
	return v.store.Open(ctx, key, tail)
}

// Walk implements bucket.Bucket.
func (v view) Walk(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return v.store.Walk(ctx, prefix)
}

// Lock implements bucket.Bucket.
func (v view) Lock(ctx context.Context, key string) (unlock func() error, locked bool, err error) {
	unlock, err = do(ctx, v.process, call{v.part, opLock, key}, func(ctx context.Context) (unlock func() error, err error) {
		unlock, locked, err = v.store.Lock(ctx, key)
		if locked && err == nil {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.unlocks = append(v.unlocks, unlock)
		}
		return unlock, err
	})
	return unlock, locked && err == nil, err
}
