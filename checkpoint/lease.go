package checkpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// errReleased ends a lease's context after [Lease.Release].
var errReleased = errors.New("the lease was released")

// Lease keeps other runners away from a stream and says what its holder is about to write. It saves work, and spares
// the destination two different attempts at one window; the journal itself is safe without it, since of two commits
// of one serial only one succeeds. It is safe for concurrent use.
//
// Where the store has a lock that dies with the process, that lock decides, and the object <stream>/state/lease.json
// only informs. Elsewhere the object is the lease: it is written by compare-and-swap, renewed while it is held, and free
// to take once it has not been renewed for its TTL by the store's own clock. It is never deleted.
type Lease struct {
	journal *Journal
	token   string
	unlock  func() error

	ctx     context.Context //nolint:containedctx // ends with the lease: a lost one has to stop its cycle
	cancel  context.CancelCauseFunc
	renewed chan struct{}         // closed when the renewing goroutine is gone
	expiry  *time.Timer           // by the monotonic clock; nil where a lock decides
	failure atomic.Pointer[error] // of the last renewal that failed
	intent  atomic.Pointer[Window]
	inDoubt atomic.Bool // as last written
	doubted atomic.Bool // since

	writing  chan struct{} // has room for the one goroutine that writes, and guards the fields below
	record   leaseRecord   // as last written
	version  string        // of the object
	revision int           // of the last attempt to write, successful or not

	release    sync.Once
	releaseErr error
}

// Acquire takes the stream's lease. [ErrLeaseHeld] says that another runner holds it, and which. The lease lives
// until [Lease.Release]; when ctx ends, it is no longer renewed and runs out.
//
// The first time that a lease is taken in a place the store is tried: [ErrUnconditional] says that it carries out writes
// whose conditions do not hold, so that two runners could both commit one serial.
func (j *Journal) Acquire(ctx context.Context) (*Lease, error) {
	key := j.path(lockName)
	unlock, locked, err := j.bucket.Lock(ctx, key)
	if errors.Is(err, fs.ErrExist) {
		return nil, j.lockedOut(ctx, key)
	}
	if err != nil {
		return nil, fmt.Errorf("take the lease: %w", err)
	}
	if unlock == nil {
		unlock = func() error { return nil }
	}
	l := &Lease{journal: j, token: rand.Text(), unlock: unlock, writing: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	if err := l.take(ctx, locked); err != nil {
		l.cancel(err)
		return nil, errors.Join(err, unlock())
	}
	return l, nil
}

// take writes this holder into the lease object and starts to renew it, where no lock decides.
func (l *Lease) take(ctx context.Context, locked bool) error {
	found, err := l.journal.readLease(ctx)
	if err != nil {
		return err
	}
	if remaining := found.remaining(); !locked && remaining > 0 {
		return l.journal.held(found, remaining)
	}
	if found.version == "" {
		if err := l.journal.probe(ctx); err != nil {
			return err
		}
	}
	if !locked {
		l.expiry = time.AfterFunc(l.journal.leaseTTL, l.expire)
	}
	l.version = found.version
	writer := l.journal.id.Writer
	err = l.write(ctx, leaseRecord{
		Holder:     Holder{Host: writer.Host, PID: os.Getpid(), Version: writer.Version},
		Token:      l.token,
		AcquiredAt: time.Now().UTC(),
		TTL:        l.journal.leaseTTL.String(),
		Locked:     locked,
		State:      stateHeld,
		Intent:     found.Intent,
		InDoubt:    found.inDoubt(),
		Serial:     found.Serial,
	})
	if err != nil {
		l.stopExpiry()
		return err
	}
	if !locked {
		l.renewed = make(chan struct{})
		go l.renew()
	}
	return nil
}

// Context is derived from the one given to Acquire and ends with the lease, so that a cycle which works under it
// stops when the lease is lost. [context.Cause] then wraps [ErrLeaseHeld] where another runner has taken it, and
// [ErrConflict] where it could not be renewed in time.
func (l *Lease) Context() context.Context { return l.ctx }

// Intent is the window that a holder of the lease, this one or one before it, last declared with Intend; ok is false
// where there was none. It outlives Release and crashes: if it starts at the cursor, then parts of it may have been
// written already, and the next attempt has to take exactly this window.
func (l *Lease) Intent() (w Window, ok bool) {
	if intent := l.intent.Load(); intent != nil {
		return *intent, true
	}
	return Window{}, false
}

// Intend declares what is about to be written to the destination. It is durable when Intend returns without an error;
// nothing of the window may be written before.
func (l *Lease) Intend(ctx context.Context, w Window) error {
	w.Start, w.End = w.Start.UTC(), w.End.UTC()
	err := l.ended()
	if err == nil {
		err = l.update(ctx, func(r *leaseRecord) { r.Intent, r.InDoubt = &w, false })
	}
	if err == nil {
		err = l.ended() // a lease that ended while the write was under way protects nothing any more
	}
	if err != nil {
		return fmt.Errorf("declare the window %s to %s: %w",
			w.Start.Format(time.RFC3339Nano), w.End.Format(time.RFC3339Nano), err)
	}
	return nil
}

// Forget drops the intent: what an attempt has left at the destination is accounted for by other means.
func (l *Lease) Forget(ctx context.Context) error {
	err := l.ended()
	if err == nil {
		err = l.update(ctx, func(r *leaseRecord) { r.Intent, r.InDoubt = nil, false })
	}
	if err != nil {
		return fmt.Errorf("drop the window that was declared: %w", err)
	}
	return nil
}

// InDoubt tells whether the commit of the intent may still be under way, on behalf of a holder that died, lost the lease
// or had no answer: that must not arrive between the next attempt at the window and the commit of that one.
func (l *Lease) InDoubt() bool { return l.inDoubt.Load() || l.doubted.Load() }

// Doubt says that it is not known what became of the commit of the intent. Whoever holds the lease next is told.
func (l *Lease) Doubt() { l.doubted.Store(true) }

// Release gives the lease up, keeps the intent, and ends the lease's context. Its own ctx should still be alive when
// the cycle's is not. An error means that others may have to wait for the lease to expire. A lease that is known to be
// lost has nothing to release. Only the first call does anything; the others return what it returned.
func (l *Lease) Release(ctx context.Context) error {
	l.release.Do(func() { l.releaseErr = l.giveUp(ctx) })
	return l.releaseErr
}

func (l *Lease) giveUp(ctx context.Context) error {
	known := errors.Is(l.ended(), ErrLeaseHeld)
	l.cancel(errReleased) // also ends a renewal that is under way
	if l.renewed != nil {
		<-l.renewed
	}
	err := l.update(ctx, func(r *leaseRecord) { r.State, r.InDoubt = stateReleased, l.InDoubt() })
	if known && errors.Is(err, ErrLeaseHeld) {
		err = nil
	}
	l.stopExpiry()
	return errors.Join(err, l.unlock())
}

// ended says why the lease is no longer held, nil while it is.
func (l *Lease) ended() error { return context.Cause(l.ctx) }
