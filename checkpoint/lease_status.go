package checkpoint

import (
	"context"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

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
}

// LeaseStatus reads the stream's lease and does not touch it: it keeps no runner away and makes no runner wait. A lease object
// that makes no sense is [ErrCorrupt], as it is for [Journal.Acquire].
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
