package sinktest

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bucket is the part of a checkpoint.Bucket that an archive uses, and List, to see what it did.
type Bucket interface {
	Get(ctx context.Context, key string) (body []byte, version string, age time.Duration, err error)
	Put(ctx context.Context, key string, body []byte, version string) (string, error)
	List(ctx context.Context, prefix, after string) ([]string, error)
	String() string
}

// ErrFault is what a [Faults] bucket fails with.
var ErrFault = errors.New("injected fault")

// Faults is a bucket that fails one Put of many, the two ways that a network can: the request is lost, or its answer.
type Faults struct {
	Bucket

	mu    sync.Mutex
	puts  int
	fault Fault
}

// A Fault says which Put fails, counted from 1, and whether it has taken effect by then. The zero Fault never happens.
type Fault struct {
	Put     int
	Applied bool
}

// Next arms the fault and counts from the start.
func (f *Faults) Next(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.puts, f.fault = 0, fault
}

// Puts is how many there were since [Faults.Next].
func (f *Faults) Puts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.puts
}

// Put fails if it is its turn.
func (f *Faults) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	f.mu.Lock()
	f.puts++
	fails, applied := f.puts == f.fault.Put, f.fault.Applied
	f.mu.Unlock()
	if fails && !applied {
		return "", ErrFault
	}
	next, err := f.Bucket.Put(ctx, key, body, version)
	if fails && err == nil {
		return "", ErrFault
	}
	return next, err
}
