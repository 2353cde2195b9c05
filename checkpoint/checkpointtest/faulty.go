package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// ErrDead is the answer to every call after [Faulty.Kill].
var ErrDead = errors.New("this process is dead")

// Op names a call of a bucket.
type Op string

// The calls of a bucket.
const (
	Get    Op = "get"
	Put    Op = "put"
	Delete Op = "delete"
	List   Op = "list"
	Lock   Op = "lock"
	Stat   Op = "stat" // Stat and Hash
	Walk   Op = "walk"
	Part   Op = "part" // Open, and each ReadAt of its result
)

// Fault says how a call fails. The zero value is a call that does not fail.
type Fault struct {
	Before error // the call has no effect and returns this
	After  error // the call has its effect, and still returns this error: "failed but persisted"
}

// Hook decides about a call before the call is made. It may also block, for example until ctx ends. For a List and a Walk, key is
// the prefix. For a Delete, key is the first key. Several goroutines may call a hook at the same time.
type Hook func(ctx context.Context, op Op, key string) Fault

// Once fails only the first call of op on a key with the suffix.
func Once(op Op, suffix string, f Fault) Hook {
	var done atomic.Bool
	return func(_ context.Context, called Op, key string) Fault {
		if called == op && strings.HasSuffix(key, suffix) && done.CompareAndSwap(false, true) {
			return f
		}
		return Fault{}
	}
}

// Always fails every call of op on a key with the suffix.
func Always(op Op, suffix string, f Fault) Hook {
	return func(_ context.Context, called Op, key string) Fault {
		if called == op && strings.HasSuffix(key, suffix) {
			return f
		}
		return Fault{}
	}
}

// Faulty is the view that one process has of a bucket. It fails when its hook says so. It stands for the process: after Kill,
// other processes go on with their own views of the same bucket.
type Faulty struct {
	bucket.Bucket

	mu    sync.Mutex
	hook  Hook
	dead  bool
	locks []func() error
}

// NewFaulty returns a view of the bucket without faults.
func NewFaulty(b bucket.Bucket) *Faulty { return &Faulty{Bucket: b} }

// On installs the hook in place of the previous one; nil ends the faults.
func (f *Faulty) On(hook Hook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Kill makes every later call fail and drops the locks, as the end of a process does.
func (f *Faulty) Kill() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
	var errs []error
	for _, unlock := range f.locks {
		errs = append(errs, unlock())
	}
	return errors.Join(errs...)
}

// ask returns the fault of a call.
func (f *Faulty) ask(ctx context.Context, op Op, key string) Fault {
	f.mu.Lock()
	hook, dead := f.hook, f.dead
	f.mu.Unlock()
	switch {
	case dead:
		return Fault{Before: ErrDead}
	case hook == nil:
		return Fault{}
	}
	fault := hook(ctx, op, key)
	return Fault{Before: naming(key, fault.Before), After: naming(key, fault.After)}
}

// naming makes the error name the object, as every bucket does.
func naming(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}

// Get implements bucket.Bucket.
func (f *Faulty) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	fault := f.ask(ctx, Get, key)
	if err := errors.Join(fault.Before, fault.After); err != nil {
		return nil, "", 0, err
	}
	return f.Bucket.Get(ctx, key)
}

// Put implements bucket.Bucket.
func (f *Faulty) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	fault := f.ask(ctx, Put, key)
	if fault.Before != nil {
		return "", fault.Before
	}
	version, err := f.Bucket.Put(ctx, key, body, version)
	if fault.After != nil {
		return "", fault.After
	}
	return version, err
}

// Delete implements bucket.Bucket.
func (f *Faulty) Delete(ctx context.Context, keys ...string) error {
	key := ""
	if len(keys) > 0 {
		key = keys[0]
	}
	fault := f.ask(ctx, Delete, key)
	if fault.Before != nil {
		return fault.Before
	}
	return errors.Join(f.Bucket.Delete(ctx, keys...), fault.After)
}

// Folders implements bucket.Bucket. A hook gets it as a List.
func (f *Faulty) Folders(ctx context.Context, folder string) ([]string, error) {
	fault := f.ask(ctx, List, folder)
	if fault.Before != nil {
		return nil, fault.Before
	}
	names, err := f.Bucket.Folders(ctx, folder)
	return names, errors.Join(fault.After, err)
}

// List implements bucket.Bucket.
func (f *Faulty) List(ctx context.Context, prefix, after string) ([]string, error) {
	fault := f.ask(ctx, List, prefix)
	if err := errors.Join(fault.Before, fault.After); err != nil {
		return nil, err
	}
	return f.Bucket.List(ctx, prefix, after)
}

// Lock implements bucket.Bucket. A lock has no "after": if the call fails, it has not taken the lock.
func (f *Faulty) Lock(ctx context.Context, key string) (func() error, bool, error) {
	fault := f.ask(ctx, Lock, key)
	if err := errors.Join(fault.Before, fault.After); err != nil {
		return nil, false, err
	}
	unlock, locked, err := f.Bucket.Lock(ctx, key)
	if !locked || err != nil {
		return unlock, locked, err
	}
	unlock = sync.OnceValue(unlock) // Release may come after Kill
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locks = append(f.locks, unlock)
	return unlock, true, nil
}
