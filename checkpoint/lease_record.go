package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

const (
	stateHeld     = "held"
	stateReleased = "released"
)

// clockGrain is added to a lease's TTL before others may take the lease. The age of an S3 object is the difference of two headers,
// Date and Last-Modified. Both count whole seconds, so the age may be up to a second too high.
const clockGrain = 2 * time.Second

// longestTTL means for ever. A sum with it does not overflow: an overflow would set the lease free.
const longestTTL = 100 * 365 * 24 * time.Hour

// leaseRecord is the object <stream>/state/lease.json.
type leaseRecord struct {
	Holder          Holder          `json:"holder"`
	Token           string          `json:"token"`              // random, one for each Acquire
	AcquiredAt      time.Time       `json:"acquired_at"`        // by the holder's clock: for people only
	TTL             string          `json:"ttl"`                // a Go duration
	Locked          bool            `json:"locked,omitempty"`   // a lock of the holder's process decides, not TTL: for people only
	State           string          `json:"state"`              // held or released
	Intents         []window.Window `json:"intents,omitempty"`  // see Lease.Intents
	CommitUncertain bool            `json:"in_doubt,omitempty"` // whether the commit of one of them may still be under way
	Serial          uint64          `json:"serial,omitempty"`   // the newest entry that the holder knows: a witness of entries
	Revision        int             `json:"revision"`           // of this holder's writes
}

// Holder is the process that holds a lease.
type Holder struct {
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Version string `json:"version"` // of houndtrail
}

// foundLease is a leaseRecord as the store has it; the zero value if there is none.
type foundLease struct {
	leaseRecord
	ttl     time.Duration
	version string
	age     time.Duration
}

// commitUncertain tells whether the commit of the intent may still arrive. A holder that did not release the lease may have sent
// such a commit.
func (o foundLease) commitUncertain() bool {
	return len(o.Intents) > 0 && (o.CommitUncertain || o.State == stateHeld)
}

// remaining is the time for which others have to keep away; zero or negative if the lease is free.
func (o foundLease) remaining() time.Duration {
	if o.State != stateHeld {
		return 0
	}
	return min(o.ttl, longestTTL) + clockGrain - o.age
}

// readLease reads the lease object. If the object makes no sense, that is an error and not a free lease. It may hold the intent of
// an attempt that left objects at the destination.
func (j *Journal) readLease(ctx context.Context) (foundLease, error) {
	key := j.path(leaseName)
	body, version, age, err := j.bucket.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return foundLease{}, nil
	}
	if err != nil {
		return foundLease{}, fmt.Errorf("read the lease: %w", err)
	}
	o := foundLease{version: version, age: age}
	if err = json.Unmarshal(body, &o.leaseRecord); err == nil {
		o.ttl, err = time.ParseDuration(o.TTL)
	}
	if err == nil && o.State != stateHeld && o.State != stateReleased {
		err = fmt.Errorf("unknown state %q", o.State)
	}
	if err != nil {
		return foundLease{}, fmt.Errorf("%w: the lease %s is not readable: %w: restore it from an earlier version or, "+
			"if it has no \"intents\", or only windows that were committed since, remove it", ErrCorrupt, j.at(key), err)
	}
	return o, nil
}

// held names the holder of the lease.
func (j *Journal) held(o foundLease, remaining time.Duration) error {
	what := "it was removed or taken by another runner meanwhile: let only one runner work on the stream and run again"
	if o.State == stateHeld {
		what = fmt.Sprintf("by %s; it expires in %s unless it is renewed: wait for that runner or stop it; "+
			"if it has crashed, wait for the expiry", o.Holder.since(o.AcquiredAt), remaining.Round(time.Second))
	}
	return fmt.Errorf("%w: %s: %s", ErrLeaseHeld, j.at(j.path(leaseName)), what)
}

// lockedOut names the holder of the lock. The lease object has its name, unless the holder has only just taken the lock.
func (j *Journal) lockedOut(ctx context.Context, key string) error {
	who := "another process"
	if o, err := j.readLease(ctx); err == nil && o.State == stateHeld {
		who = o.Holder.since(o.AcquiredAt)
	}
	return fmt.Errorf("%w: %s is locked by %s for as long as that process runs: wait for it or stop it",
		ErrLeaseHeld, j.at(key), who)
}

func (h Holder) since(t time.Time) string {
	return fmt.Sprintf("houndtrail %s on %s (pid %d) since %s", h.Version, h.Host, h.PID, t.UTC().Format(time.RFC3339))
}

// LeaseStatus describes a stream's lease at one moment. It never allows the caller to write: only [Journal.Acquire] and
// [Journal.Look] do.
type LeaseStatus struct {
	Held   bool
	Holder Holder    // the holder or, if the lease has expired, the one that left it without giving it back; the zero value otherwise
	Since  time.Time // the time when the holder took it, by the holder's clock
	// Expires is the time for which others still have to keep away if the lease is not renewed, by the store's clock. It is 0 if
	// the lease is bound to the holder's process. Only that process's machine knows whether the process still runs. After a kill,
	// the object says held until the next runner takes the lease.
	Expires time.Duration
	// Intents are the windows that this holder or an earlier one declared. Some of them may be committed by now.
	Intents []window.Window
	Serial  uint64 // the newest entry that the last holder knew; 0 if it knew none
}

// LeaseStatus reads the stream's lease and does not touch it: it keeps no runner away and makes no runner wait. If the lease
// object makes no sense, the error is [ErrCorrupt], as it is for [Journal.Acquire].
func (j *Journal) LeaseStatus(ctx context.Context) (LeaseStatus, error) {
	found, err := j.readLease(ctx)
	if err != nil || found.State != stateHeld {
		return LeaseStatus{Intents: found.Intents, Serial: found.Serial}, err
	}
	status := LeaseStatus{Held: true, Intents: found.Intents, Serial: found.Serial, Holder: found.Holder, Since: found.AcquiredAt}
	if !found.Locked {
		status.Expires = max(0, found.remaining())
		status.Held = status.Expires > 0
	}
	return status, nil
}

// intents are windows that the holder is about to write, oldest first. Each write of a lease has all of them.
type intents struct {
	mu      sync.Mutex
	windows []window.Window
}

func (i *intents) all() []window.Window {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.windows)
}

func (i *intents) set(windows []window.Window) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.windows = slices.Clone(windows)
}

// add appends windows to the others. It does not add a window twice. A window that is in parts stays in parts.
func (i *intents) add(windows []window.Window) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, w := range windows {
		w.Start, w.End = w.Start.UTC(), w.End.UTC()
		if known := slices.IndexFunc(i.windows, w.Equal); known < 0 {
			i.windows = append(i.windows, w)
		} else if w.Parts {
			i.windows[known].Parts = true
		}
	}
}

// Intents are the windows that this holder or an earlier one declared with Intend, oldest first. A window that a holder has
// settled or dropped since is not among them. They outlive Release and crashes. If a window was not committed, parts of it may
// have been written already. The next attempt has to take exactly these windows, and in this order.
func (l *Lease) Intents() []window.Window { return l.intents.all() }

// Intend declares windows that the caller is about to write to the destination, oldest first, in addition to earlier ones. When
// Intend returns without an error, the declaration is durable. The caller must not write any part of the windows before that.
func (l *Lease) Intend(ctx context.Context, windows ...window.Window) error {
	l.intents.add(windows)
	err := l.Hold(ctx)
	if err == nil {
		err = l.declare(ctx, windows)
	}
	if err == nil {
		err = l.ended() // if the lease ended during the write, it protects nothing any more
	}
	if err != nil {
		first, last := windows[0], windows[len(windows)-1]
		return fmt.Errorf("declare the window %s to %s: %w",
			first.Start.UTC().Format(time.RFC3339Nano), last.End.UTC().Format(time.RFC3339Nano), err)
	}
	return nil
}

// Declared tells that Intend has nothing to write for these windows: an earlier attempt has declared them. If a write is under
// way, Declared does not wait for it and returns false.
func (l *Lease) Declared(windows ...window.Window) bool {
	select {
	case l.writing <- struct{}{}:
		defer func() { <-l.writing }()
		return l.declared(windows)
	default:
		return false
	}
}

// Settle says that a window was committed: this window and the ones before it are no intents any more. The next write of the lease
// says so. Until that write, a reader sees it in the journal: the newest entry has that window.
func (l *Lease) Settle(w window.Window) {
	l.intents.mu.Lock()
	defer l.intents.mu.Unlock()
	l.intents.windows = after(l.intents.windows, w)
}

// after returns the intents that are left after a window was committed. If that window was no intent, all of them are left.
func after(intents []window.Window, committed window.Window) []window.Window {
	return slices.Clone(intents[slices.IndexFunc(intents, committed.Equal)+1:])
}

// Tell writes the lease with the intents that are left. Settle leaves that to the next write, and Tell does it at once. If the
// newest entry of the journal has no window, a reader cannot see in the journal that the last window was committed.
func (l *Lease) Tell(ctx context.Context) error {
	if err := l.update(ctx, func(*leaseRecord) {}); err != nil {
		return fmt.Errorf("tell which of the windows that were declared are committed: %w", err)
	}
	return nil
}

// Drop gives all intents up. The next write of the lease says so. The caller knows that each was committed long ago.
func (l *Lease) Drop() { l.intents.set(nil) }

// Forget drops the intents. When it returns, this is durable. The caller accounts in another way for the objects that attempts
// have left at the destination.
func (l *Lease) Forget(ctx context.Context) error {
	l.Drop()
	err := l.Hold(ctx)
	if err == nil {
		err = l.update(ctx, func(r *leaseRecord) { r.CommitUncertain = false })
	}
	if err != nil {
		return fmt.Errorf("drop the windows that were declared: %w", err)
	}
	return nil
}
