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

// Lease keeps other runners away from a stream and names the windows that its holder is about to write. It saves work, and saves
// the destination from two different attempts at one window. The journal itself is safe without it: of two commits of one serial
// only one succeeds. It is safe for concurrent use.
//
// If the store has a lock that dies with the process, that lock decides, and the object <stream>/state/lease.json only informs.
// Otherwise the object is the lease. The holder writes it by compare-and-swap and renews it. If the holder has not renewed it for
// its TTL, by the store's own clock, another runner may take it. Houndtrail never deletes it.
type Lease struct {
	journal *Journal
	token   string
	unlock  func() error

	locked           bool
	taking           sync.Mutex
	tried            bool            // Hold was called
	held             bool            // Hold took the lease
	ctx              context.Context //nolint:containedctx // ends with the lease: if the lease is lost, its cycle has to stop
	cancel           context.CancelCauseFunc
	renewed          chan struct{}         // closed when the renewing goroutine has ended
	expiry           *time.Timer           // by the monotonic clock; nil if a lock decides
	failure          atomic.Pointer[error] // of the last renewal that failed
	intents          intents
	uncertainWritten atomic.Bool // as in the last write of the lease
	uncertainNow     atomic.Bool // as this process has found since that write

	writing  chan struct{} // has room for the one goroutine that writes, and guards the fields below
	record   leaseRecord   // as in the last write
	version  string        // of the object
	revision int           // of the last attempt to write, successful or not

	release    sync.Once
	releaseErr error
}

// Acquire takes the stream's lease. If another runner holds it, the error is [ErrLeaseHeld] and names that runner. The lease lives
// until [Lease.Release]. When ctx ends, Houndtrail no longer renews the lease, and it expires.
//
// If the stream has no lease object yet, Acquire tries the store. [ErrUnconditional] says that the store carries out a write whose
// condition does not hold. In such a store, two runners could both commit one serial.
func (j *Journal) Acquire(ctx context.Context) (*Lease, error) {
	l, err := j.Look(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.Hold(ctx); err != nil {
		return nil, errors.Join(err, l.unlock())
	}
	return l, nil
}

// Look is [Journal.Acquire] for a caller that may have nothing to write. If the last holder gave the lease back, only [Lease.Hold]
// takes it. If another runner has taken the lease since Look, Hold fails with [ErrLeaseHeld], even if that runner gave it back. So
// if Hold succeeds, an entry that the caller loaded between the two calls is still the newest.
func (j *Journal) Look(ctx context.Context) (*Lease, error) {
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
	l := &Lease{journal: j, token: rand.Text(), unlock: unlock, locked: locked, writing: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	if err := l.look(ctx); err != nil {
		l.cancel(err)
		return nil, errors.Join(err, unlock())
	}
	return l, nil
}

// look reads the last holder's lease object. If that holder did not give the lease back, or if there was no holder, look takes the
// lease at once.
func (l *Lease) look(ctx context.Context) error {
	found, err := l.journal.readLease(ctx)
	if err != nil {
		return err
	}
	if remaining := found.remaining(); !l.locked && remaining > 0 {
		return l.journal.held(found, remaining)
	}
	l.version, l.record = found.version, leaseRecord{Intents: found.Intents, CommitUncertain: found.commitUncertain(), Serial: found.Serial}
	l.intents.set(found.Intents)
	l.uncertainWritten.Store(l.record.CommitUncertain)
	if found.State == stateReleased {
		return nil
	}
	if found.version == "" {
		if err := l.journal.probe(ctx); err != nil {
			return err
		}
	}
	return l.Hold(ctx)
}

// Hold takes the lease, and starts to renew it if no lock decides. Only the first call does that. The caller must not write to the
// destination or to the journal before it.
func (l *Lease) Hold(ctx context.Context) error {
	l.taking.Lock()
	defer l.taking.Unlock()
	if l.tried {
		return l.ended()
	}
	l.tried = true
	if !l.locked {
		l.expiry = time.AfterFunc(l.journal.leaseTTL, l.expire)
	}
	writer := l.journal.id.Writer
	err := l.update(ctx, func(r *leaseRecord) {
		r.Holder = Holder{Host: writer.Host, PID: os.Getpid(), Version: writer.Version}
		r.Token, r.AcquiredAt, r.TTL = l.token, time.Now().UTC(), l.journal.leaseTTL.String()
		r.Locked, r.State = l.locked, stateHeld
	})
	if err != nil {
		l.stopExpiry()
		l.cancel(err)
		return err
	}
	l.held = true
	l.journal.notes.begin()
	if !l.locked {
		l.renewed = make(chan struct{})
		go l.renew()
	}
	return nil
}

// Context is derived from the context given to Acquire. It ends with the lease, so that a cycle that works under the lease stops
// when the lease is lost. If another runner has taken the lease, [context.Cause] wraps [ErrLeaseHeld]. If this holder could not
// renew the lease in time, it wraps [ErrConflict].
func (l *Lease) Context() context.Context { return l.ctx }

// CommitUncertain tells whether a commit of an intent may still arrive. Its sender died, lost the lease or had no answer. That
// commit must not arrive between the next attempt at the window and the commit of the next attempt.
func (l *Lease) CommitUncertain() bool { return l.uncertainWritten.Load() || l.uncertainNow.Load() }

// MarkCommitUncertain says that the caller does not know whether the commit of an intent succeeded. The lease tells this to its
// next holder.
func (l *Lease) MarkCommitUncertain() { l.uncertainNow.Store(true) }

// Release gives the lease up, keeps the intents, and ends the lease's context. Its ctx should outlive the cycle's. An error means
// that others may have to wait until the lease expires. If it is known that the lease is lost, Release gives nothing up. Only the
// first call does anything. Later calls return its error.
func (l *Lease) Release(ctx context.Context) error {
	l.release.Do(func() { l.releaseErr = l.giveUp(ctx) })
	return l.releaseErr
}

func (l *Lease) giveUp(ctx context.Context) error {
	l.taking.Lock()
	defer l.taking.Unlock()
	if !l.held { // a write of Hold that failed may have had its effect: then the lease expires
		l.cancel(errReleased)
		return l.unlock()
	}
	known := errors.Is(l.ended(), ErrLeaseHeld)
	l.cancel(errReleased) // this also ends a renewal that is under way
	if l.renewed != nil {
		<-l.renewed
	}
	err := l.update(ctx, func(r *leaseRecord) { r.State, r.CommitUncertain = stateReleased, l.CommitUncertain() })
	if known && errors.Is(err, ErrLeaseHeld) {
		err = nil
	}
	l.stopExpiry()
	noted := l.journal.end(ctx) // after the lease: if the store does not answer, no other runner has to wait for that
	return errors.Join(err, noted, l.unlock())
}

// ended is the reason why the lease is no longer held; nil while it is held.
func (l *Lease) ended() error { return context.Cause(l.ctx) }
