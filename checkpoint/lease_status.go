package checkpoint

import (
	"context"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

// LeaseStatus is what a stream's lease looks like from outside, for people: nothing may be decided by it, since it can
// be otherwise by the time that it is read.
type LeaseStatus struct {
	Held   bool
	Holder Holder    // who holds it or, where it is not held, who left it without giving it back; the zero value otherwise
	Since  time.Time // when the holder took it, by the holder's clock
	// Expires is how long others still have to keep away if the lease is not renewed, by the store's clock. It is 0
	// where the lease is held for as long as the holder's process runs. Whether that process still runs only its own
	// machine knows: the object of one that was killed says held until the next runner takes it.
	Expires time.Duration
	// Intents are the windows that were declared, by this holder or an earlier one. Some may be committed since.
	Intents []window.Window
}

// LeaseStatus looks at the stream's lease and does not touch it: no runner is kept away or waits for that. A lease
// object that makes no sense is [ErrCorrupt], as it is for [Journal.Acquire].
func (j *Journal) LeaseStatus(ctx context.Context) (LeaseStatus, error) {
	found, err := j.readLease(ctx)
	if err != nil || found.State != stateHeld {
		return LeaseStatus{Intents: found.Intents}, err
	}
	status := LeaseStatus{Held: true, Intents: found.Intents, Holder: found.Holder, Since: found.AcquiredAt}
	if !found.Locked {
		status.Expires = max(0, found.remaining())
		status.Held = status.Expires > 0
	}
	return status, nil
}
