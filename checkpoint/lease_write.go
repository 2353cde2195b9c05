package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

// maxSwaps limits how often one write replaces earlier writes of this holder that arrived late.
const maxSwaps = 3

// update waits for earlier writes, and then writes the lease with one change to its record.
func (l *Lease) update(ctx context.Context, change func(*leaseRecord)) error {
	select {
	case l.writing <- struct{}{}:
		defer func() { <-l.writing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	next := l.record
	change(&next)
	return l.write(ctx, next)
}

// declare writes the lease with all intents, unless the last write had these windows already. It had them if an attempt is
// repeated.
func (l *Lease) declare(ctx context.Context, windows []window.Window) error {
	select {
	case l.writing <- struct{}{}:
		defer func() { <-l.writing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.declared(windows) {
		return nil
	}
	next := l.record
	next.CommitUncertain = false
	return l.write(ctx, next)
}

// declared tells whether the last write of the lease had the windows. A window that is in parts now has to be in parts there too.
// If the commit of an intent may still arrive, declared is false: the next write has to clear that mark.
func (l *Lease) declared(windows []window.Window) bool {
	missing := func(w window.Window) bool {
		return !slices.ContainsFunc(l.record.Intents, func(o window.Window) bool { return w.Equal(o) && (o.Parts || !w.Parts) })
	}
	return !l.record.CommitUncertain && !slices.ContainsFunc(windows, missing)
}

// write replaces the lease object by compare-and-swap and remembers what it wrote.
//
// A store may refuse because of a write of our own whose answer was lost. It may be this write, if the store's client repeated it,
// or an earlier renewal. The token tells our writes from another runner's. write replaces our own.
//
// Every write and every further try has its own revision, so that no two have the same bytes. Some stores (S3) tell versions by
// content. With the same bytes, a runner that saw the lease expired could replace it right after it was renewed.
func (l *Lease) write(ctx context.Context, next leaseRecord) error {
	key := l.journal.path(leaseName)
	if seen := l.journal.seen.Load(); seen > 0 {
		next.Serial = seen
	}
	next.Intents = l.intents.all()
	started := time.Now()
	for range maxSwaps {
		l.revision++
		next.Revision = l.revision
		body, err := marshal(next)
		if err != nil {
			return fmt.Errorf("encode the lease: %w", err)
		}
		version, err := l.journal.bucket.Put(ctx, key, body, l.version)
		if err == nil {
			l.wrote(next, version, started)
			return nil
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write the lease: %w", err)
		}
		found, err := l.journal.readLease(ctx)
		if err != nil {
			return err
		}
		if found.Token != l.token {
			return l.lose(l.journal.held(found, found.remaining()))
		}
		l.version = found.version
	}
	return fmt.Errorf("write the lease %s: the store refused %d times to replace this run's own version: "+
		"does it support conditional writes?", l.journal.at(key), maxSwaps)
}

// wrote remembers a write and extends the lease. The extension counts from the moment before the write was sent. So this holder
// never relies on the lease for longer than the store's clock allows.
func (l *Lease) wrote(r leaseRecord, version string, started time.Time) {
	l.record, l.version = r, version
	l.uncertainWritten.Store(r.CommitUncertain)
	if l.expiry != nil {
		l.expiry.Reset(l.journal.leaseTTL - time.Since(started))
	}
}

// renew writes the lease three times a TTL until the lease ends. While writing fails, it writes more often. A failure does not end
// the lease, unless another runner has taken the lease. If no write succeeds in time, expire ends it.
func (l *Lease) renew() {
	defer close(l.renewed)
	calm := l.journal.leaseTTL / 3
	ticker := time.NewTicker(calm)
	defer ticker.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-ticker.C:
		}
		if err := l.update(l.ctx, func(*leaseRecord) {}); err != nil {
			l.failure.Store(&err)
			ticker.Reset(calm / 4)
		} else {
			ticker.Reset(calm)
		}
	}
}

// lose ends the lease because another runner has it.
func (l *Lease) lose(cause error) error {
	l.cancel(cause)
	return cause
}

// expire ends the lease because this holder could not renew it: another runner may take it now.
func (l *Lease) expire() {
	cause := errors.New("no renewal was answered")
	if failure := l.failure.Load(); failure != nil {
		cause = *failure
	}
	l.cancel(fmt.Errorf("%w: the lease %s was not renewed for %s and may belong to another runner now: %w",
		ErrConflict, l.journal.at(l.journal.path(leaseName)), l.journal.leaseTTL, cause))
}

func (l *Lease) stopExpiry() {
	if l.expiry != nil {
		l.expiry.Stop()
	}
}
