// Package checkpointtest has the parts that tests of a journal need: a store in memory, a store that fails on demand, and the
// conformance suite. A real store has to pass the suite before a journal may rely on it.
package checkpointtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Memory is a [bucket.Bucket] in memory. The zero value is an empty store. It is safe for concurrent use. Two processes on one
// store are two users of the same Memory.
//
// As in S3, the version of an object is a hash of its content: the same bytes always have the same version.
type Memory struct {
	// Now is the store's clock; time.Now if it is nil. Set it before the first call, like Locks.
	Now func() time.Time
	// Locks gives the store a lock, as a directory has. Without it, leases expire, as in S3.
	Locks bool

	mu      sync.Mutex
	objects map[string]object
	locked  map[string]bool
}

type object struct {
	body    []byte
	written time.Time
}

func (o object) version() string {
	sum := sha256.Sum256(o.body)
	return hex.EncodeToString(sum[:])
}

// String implements bucket.Bucket.
func (m *Memory) String() string { return "memory://test" }

// Get implements bucket.Bucket.
func (m *Memory) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return nil, "", 0, fmt.Errorf("get %s: %w", key, fs.ErrNotExist)
	}
	return slices.Clone(o.body), o.version(), m.now().Sub(o.written), nil
}

// Put implements bucket.Bucket.
func (m *Memory) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch old, ok := m.objects[key]; {
	case !ok && version != "":
		return "", fmt.Errorf("replace %s: %w", key, fs.ErrNotExist)
	case ok && version != old.version():
		return "", fmt.Errorf("put %s: %w", key, fs.ErrExist)
	}
	if m.objects == nil {
		m.objects = map[string]object{}
	}
	o := object{body: slices.Clone(body), written: m.now()}
	m.objects[key] = o
	return o.version(), nil
}

// Delete implements bucket.Bucket.
func (m *Memory) Delete(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, key := range keys {
		m.Remove(key)
	}
	return nil
}

// List implements bucket.Bucket.
func (m *Memory) List(ctx context.Context, prefix, after string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// Folders implements bucket.Bucket.
func (m *Memory) Folders(ctx context.Context, folder string) (names []string, err error) {
	keys, err := m.List(ctx, folder, "")
	for _, key := range keys {
		if name, _, is := strings.Cut(strings.TrimPrefix(key, folder), "/"); is && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, errors.Join(err, bucket.CheckFolder(folder))
}

// Lock implements bucket.Bucket.
func (m *Memory) Lock(ctx context.Context, key string) (unlock func() error, locked bool, err error) {
	if err := ctx.Err(); err != nil || !m.Locks {
		return func() error { return nil }, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked[key] {
		return nil, false, fmt.Errorf("lock %s: %w", key, fs.ErrExist)
	}
	if m.locked == nil {
		m.locked = map[string]bool{}
	}
	m.locked[key] = true
	return sync.OnceValue(func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.locked, key)
		return nil
	}), true, nil
}

// Remove takes an object away. No code of a journal ever does that.
func (m *Memory) Remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
}

func (m *Memory) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}
