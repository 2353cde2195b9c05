package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

const (
	stateHeld     = "held"
	stateReleased = "released"
)

// clockGrain is added to a lease's TTL before others may take it. The age of an S3 object is the difference of two
// headers, Date and Last-Modified, that count whole seconds, and so may be reported up to a second too high.
const clockGrain = 2 * time.Second

// longestTTL is for ever as far as leases go. A sum with it does not overflow; an overflow would set the lease free.
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
	Serial          uint64          `json:"serial,omitempty"`   // the newest entry that the holder knows: a witness that there were entries
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

// commitUncertain tells whether the commit of the intent may still arrive: a holder that did not release the lease may have sent one.
func (o foundLease) commitUncertain() bool {
	return len(o.Intents) > 0 && (o.CommitUncertain || o.State == stateHeld)
}

// remaining is how long others have to keep away; zero or negative if the lease is free.
func (o foundLease) remaining() time.Duration {
	if o.State != stateHeld {
		return 0
	}
	return min(o.ttl, longestTTL) + clockGrain - o.age
}

// readLease reads the lease object. If the object makes no sense, that is an error and not a free lease, because it may hold
// the intent of an attempt that left something at the destination.
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

// held says who has the lease.
func (j *Journal) held(o foundLease, remaining time.Duration) error {
	what := "it was removed or taken by another runner meanwhile: let only one runner work on the stream and run again"
	if o.State == stateHeld {
		what = fmt.Sprintf("by %s; it expires in %s unless it is renewed: wait for that runner or stop it; "+
			"if it has crashed, wait for the expiry", o.Holder.since(o.AcquiredAt), remaining.Round(time.Second))
	}
	return fmt.Errorf("%w: %s: %s", ErrLeaseHeld, j.at(j.path(leaseName)), what)
}

// lockedOut says who has the lock. The lease object tells, unless the holder has only just arrived.
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

// LeaseStatus describes a stream's lease as it was a moment ago. It never tells that the caller may write: only
// [Journal.Acquire] and [Journal.Look] do.
type LeaseStatus struct {
	Held   bool
	Holder Holder    // who holds it or, if it has expired, who left it without giving it back; the zero value otherwise
	Since  time.Time // when the holder took it, by the holder's clock
	// Expires is how long others still have to keep away if the lease is not renewed, by the store's clock. It is 0 if the
	// lease is bound to the holder's process. Only that process's machine knows whether it still runs: after a kill, the object
	// says held until the next runner takes the lease.
	Expires time.Duration
	// Intents are the windows that this holder or an earlier one declared. Some may be committed since.
	Intents []window.Window
	Serial  uint64 // the newest entry that the last holder knew; 0 if it knew none
}

// LeaseStatus reads the stream's lease and does not touch it: it keeps no runner away and makes no runner wait. A lease object
// that makes no sense is [ErrCorrupt], as it is for [Journal.Acquire].
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
