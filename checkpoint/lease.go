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

	locked           bool
	taking           sync.Mutex
	tried            bool            // to take it
	held             bool            // since
	ctx              context.Context //nolint:containedctx // ends with the lease: a lost one has to stop its cycle
	cancel           context.CancelCauseFunc
	renewed          chan struct{}         // closed when the renewing goroutine is gone
	expiry           *time.Timer           // by the monotonic clock; nil where a lock decides
	failure          atomic.Pointer[error] // of the last renewal that failed
	intents          intents
	uncertainWritten atomic.Bool // as the lease was last written
	uncertainNow     atomic.Bool // as this process has found since

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
	l, err := j.Look(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.Hold(ctx); err != nil {
		return nil, errors.Join(err, l.unlock())
	}
	return l, nil
}

// Look is [Journal.Acquire] for a holder that may turn out to have nothing to write: where nothing is left of another holder
// the lease is taken by [Lease.Hold] only. That fails with [ErrLeaseHeld] if another runner has taken it since Look, even if
// it gave it back: and so whatever was loaded in between is still the newest.
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

// look reads what the last holder left, and takes over from one that did not give the lease back.
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

// Hold takes the lease, if that was not done yet, and starts to renew it where no lock decides. Nothing may be written to the
// destination or to the journal before.
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

// Context is derived from the one given to Acquire and ends with the lease, so that a cycle which works under it
// stops when the lease is lost. [context.Cause] then wraps [ErrLeaseHeld] where another runner has taken it, and
// [ErrConflict] where it could not be renewed in time.
func (l *Lease) Context() context.Context { return l.ctx }

// CommitUncertain tells whether the commit of an intent may still be under way, on behalf of a holder that died, lost the lease
// or had no answer: that must not arrive between the next attempt at the window and the commit of that one.
func (l *Lease) CommitUncertain() bool { return l.uncertainWritten.Load() || l.uncertainNow.Load() }

// MarkCommitUncertain says that it is not known what became of the commit of an intent. The next holder of the lease is told.
func (l *Lease) MarkCommitUncertain() { l.uncertainNow.Store(true) }

// Release gives the lease up, keeps the intents, and ends the lease's context. Its own ctx should still be alive when
// the cycle's is not. An error means that others may have to wait for the lease to expire. A lease that is known to be
// lost has nothing to release. Only the first call does anything; the others return what it returned.
func (l *Lease) Release(ctx context.Context) error {
	l.release.Do(func() { l.releaseErr = l.giveUp(ctx) })
	return l.releaseErr
}

func (l *Lease) giveUp(ctx context.Context) error {
	l.taking.Lock()
	defer l.taking.Unlock()
	if !l.held { // if it was tried, the write may have had its effect: then the lease expires
		l.cancel(errReleased)
		return l.unlock()
	}
	known := errors.Is(l.ended(), ErrLeaseHeld)
	l.cancel(errReleased) // also ends a renewal that is under way
	if l.renewed != nil {
		<-l.renewed
	}
	err := l.update(ctx, func(r *leaseRecord) { r.State, r.CommitUncertain = stateReleased, l.CommitUncertain() })
	if known && errors.Is(err, ErrLeaseHeld) {
		err = nil
	}
	l.stopExpiry()
	l.journal.end(ctx) // after the lease, so that a store which does not answer keeps no other runner away
	return errors.Join(err, l.unlock())
}

// ended says why the lease is no longer held, nil while it is.
func (l *Lease) ended() error { return context.Cause(l.ctx) }
