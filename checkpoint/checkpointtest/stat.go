package checkpointtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Stat implements bucket.Bucket. The store keeps the SHA-256 of each object, as S3 does.
func (m *Memory) Stat(ctx context.Context, key string) (bucket.Info, error) {
	if err := ctx.Err(); err != nil {
		return bucket.Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return bucket.Info{}, fmt.Errorf("stat %s: %w", key, fs.ErrNotExist)
	}
	return bucket.Info{Key: key, Bytes: int64(len(o.body)), SHA256: o.version()}, nil
}

// Hash implements bucket.Bucket.
func (m *Memory) Hash(ctx context.Context, key string) (bucket.Info, error) { return m.Stat(ctx, key) }

// Walk implements bucket.Bucket.
func (m *Memory) Walk(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		keys, err := m.List(ctx, prefix, "")
		if err != nil {
			yield(bucket.Info{}, err)
			return
		}
		for _, key := range keys {
			info, err := m.Stat(ctx, key)
			if errors.Is(err, fs.ErrNotExist) { // another process has just removed it
				continue
			}
			info.SHA256 = ""
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// Open implements bucket.Bucket. Like a directory, the store keeps the body while it is open.
func (m *Memory) Open(ctx context.Context, key string, _ int) (bucket.Object, error) {
	body, _, _, err := m.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return opened{bytes.NewReader(body)}, nil
}

type opened struct{ *bytes.Reader }

func (opened) Close() error { return nil }

// Stat implements bucket.Bucket.
func (f *Faulty) Stat(ctx context.Context, key string) (bucket.Info, error) {
	fault := f.ask(ctx, Stat, key)
	if err := errors.Join(fault.Before, fault.After); err != nil {
		return bucket.Info{}, err
	}
	return f.Bucket.Stat(ctx, key)
}

// Hash implements bucket.Bucket.
func (f *Faulty) Hash(ctx context.Context, key string) (bucket.Info, error) {
	fault := f.ask(ctx, Stat, key)
	if err := errors.Join(fault.Before, fault.After); err != nil {
		return bucket.Info{}, err
	}
	return f.Bucket.Hash(ctx, key)
}

// Walk implements bucket.Bucket.
func (f *Faulty) Walk(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	fault := f.ask(ctx, Walk, prefix)
	if err := errors.Join(fault.Before, fault.After); err != nil {
		return func(yield func(bucket.Info, error) bool) { yield(bucket.Info{}, err) }
	}
	return f.Bucket.Walk(ctx, prefix)
}

// Open implements bucket.Bucket.
func (f *Faulty) Open(ctx context.Context, key string, tail int) (bucket.Object, error) {
	fault := f.ask(ctx, Part, key)
	if err := errors.Join(fault.Before, fault.After); err != nil {
		return nil, err
	}
	o, err := f.Bucket.Open(ctx, key, tail)
	if err != nil {
		return nil, err
	}
	return faultyObject{o, func() error {
		fault := f.ask(ctx, Part, key)
		return errors.Join(fault.Before, fault.After)
	}}, nil
}

type faultyObject struct {
	bucket.Object

	fault func() error
}

func (o faultyObject) ReadAt(p []byte, off int64) (int, error) {
	if err := o.fault(); err != nil {
		return 0, err
	}
	return o.Object.ReadAt(p, off)
}
