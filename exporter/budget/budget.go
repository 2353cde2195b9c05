// Package budget limits the memory of a process in bytes: how much all pages, records, encoders and objects together may hold.
//
// Each stream has its own share. So if a destination is down, it holds up no other stream. Besides the shares, there is room
// for one thing that is larger than a share. In the whole process, only one such thing is in memory at a time.
//
// A borrower takes all the memory that a window may need in one step, and later gives back the part that it did not need. So no
// borrower holds a part while it waits for more.
package budget

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"golang.org/x/sync/semaphore"
)

// A Share is the memory that one stream may hold. A nil Share has no limit.
type Share struct {
	size  int64
	bytes *semaphore.Weighted
	large *semaphore.Weighted // the bytes of all shares together
}

// Split returns n shares of a total in bytes. All of them share the room for one large thing.
func Split(total int64, n int) []*Share {
	large := semaphore.NewWeighted(1)
	shares := make([]*Share, n)
	for i := range shares {
		size := total / int64(n)
		shares[i] = &Share{size: size, bytes: semaphore.NewWeighted(size), large: large}
	}
	return shares
}

// Open starts an account for the loans of one walk.
func (s *Share) Open() *Account {
	return &Account{share: s, loans: map[*Loan]struct{}{}, returned: make(chan struct{}, 1)}
}

// An Account knows the loans that their holders have not given back. Only one goroutine may borrow.
type Account struct {
	share *Share

	mu       sync.Mutex
	loans    map[*Loan]struct{} // nil after Close
	returned chan struct{}      // a loan gave bytes back since the last call of Returned
}

// A Loan is so many bytes of a share.
type Loan struct {
	account *Account
	bytes   int64 // guarded by the account's mutex
	large   bool
}

// Borrow waits until so many bytes are free. If bytes is more than the share, Borrow takes the whole share.
//
// The holder of the newest loan may keep it until Borrow has the next loan. If Borrow has no other loan to wait for, it calls
// release, once. release has to make that holder give its loan back.
func (a *Account) Borrow(ctx context.Context, bytes int64, release func() error) (*Loan, error) {
	if a.share == nil {
		return a.lend(0), nil
	}
	bytes = min(bytes, a.share.size)
	for !a.share.bytes.TryAcquire(bytes) {
		if a.open() <= 1 && release != nil {
			if err := release(); err != nil {
				return nil, err
			}
			release = nil
			continue
		}
		select {
		case <-a.returned:
		case <-ctx.Done():
			return nil, waited(ctx)
		}
	}
	return a.lend(bytes), nil
}

// TryBorrow takes so many bytes if they are free; nil if not.
func (a *Account) TryBorrow(bytes int64) *Loan {
	if a.share == nil {
		return a.lend(0)
	}
	bytes = min(bytes, a.share.size)
	if !a.share.bytes.TryAcquire(bytes) {
		return nil
	}
	return a.lend(bytes)
}

// BorrowAlone waits until the stream holds nothing else, and no other stream holds a large thing. Before it returns, it runs
// the garbage collector for the previous large thing: Go's collector does not run before a single large allocation that goes
// beyond its goal.
func (a *Account) BorrowAlone(ctx context.Context, release func() error) (*Loan, error) {
	if a.share == nil {
		return a.lend(0), nil
	}
	all, err := a.Borrow(ctx, a.share.size, release)
	if err != nil {
		return nil, err
	}
	if err := a.share.large.Acquire(ctx, 1); err != nil {
		all.Return()
		return nil, waited(ctx)
	}
	debug.FreeOSMemory()
	a.mu.Lock()
	defer a.mu.Unlock()
	all.large = true
	return all, nil
}

// Returned tells from time to time that a loan gave bytes back. If [Account.TryBorrow] failed before, it may succeed now.
func (a *Account) Returned() <-chan struct{} { return a.returned }

func waited(ctx context.Context) error {
	return fmt.Errorf("wait for memory that the previous window still holds: %w", context.Cause(ctx))
}

func (a *Account) open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.loans)
}

func (a *Account) lend(bytes int64) *Loan {
	l := &Loan{account: a, bytes: bytes}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loans[l] = struct{}{}
	return l
}

// Close gives back every loan. After that, the caller must borrow nothing.
func (a *Account) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for l := range a.loans {
		l.free(0)
	}
	clear(a.loans)
}

// Keep gives back all but so many bytes. A large loan stays whole. On nil it does nothing.
func (l *Loan) Keep(bytes int64) {
	if l == nil {
		return
	}
	l.account.mu.Lock()
	defer l.account.mu.Unlock()
	if !l.large {
		l.free(bytes)
	}
}

// Return gives the whole loan back. On nil, and on a second call, it does nothing.
func (l *Loan) Return() {
	if l == nil {
		return
	}
	l.account.mu.Lock()
	defer l.account.mu.Unlock()
	l.free(0)
	delete(l.account.loans, l)
	l.account.notify() // even if it had no bytes: Borrow has one loan less to wait for
}

// free gives back all bytes beyond keep. The caller holds the account's mutex.
func (l *Loan) free(keep int64) {
	s := l.account.share
	if s == nil || l.bytes <= keep {
		return
	}
	s.bytes.Release(l.bytes - keep)
	l.bytes = keep
	if l.large {
		l.large = false
		s.large.Release(1)
	}
	l.account.notify()
}

func (a *Account) notify() {
	select {
	case a.returned <- struct{}{}:
	default:
	}
}
