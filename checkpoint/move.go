package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// releaseTime bounds how long a lease is given back after the work under it ended.
const releaseTime = 10 * time.Second

// Move carries the journal over to this identity from the one that its newest entry has: the same archive at another
// address, a new host name of the source, another tenant. It commits one entry of kind move, which accounts for no window
// and leaves the position as it is. The lease's intent outlives it, and so the next run takes the window of an attempt
// that was not committed.
//
// [ErrUnmoved] says that the journal has this identity already, [ErrNotFound] that there is none to move.
func (j *Journal) Move(ctx context.Context, reason string) (moved Stored, err error) {
	if strings.TrimSpace(reason) == "" {
		return Stored{}, errors.New("a move needs a reason, which stands in the journal: give one")
	}
	lease, err := j.Acquire(ctx)
	if err != nil {
		return Stored{}, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		err = errors.Join(err, lease.Release(ctx))
	}()
	ctx = lease.Context() //nolint:contextcheck // derived from ours
	prev, err := j.load(ctx)
	if err != nil {
		return Stored{}, err
	}
	if prev.names() == j.id.names() {
		return Stored{}, fmt.Errorf("%w: %s has this run's tenant, source, destination and encoding already: change the "+
			"settings first, or leave the journal as it is", ErrUnmoved, j.at(j.key(prev.Serial)))
	}
	return j.Commit(ctx, prev, prev.moved(reason))
}

// moved is the entry after c that changes nothing but whose the journal is.
func (c *Checkpoint) moved(reason string) Checkpoint {
	m := *c
	m.Kind, m.Moved = KindMove, &Move{From: c.names(), Reason: reason}
	m.Window = Window{Start: c.Cursor, End: c.Cursor, Pass: c.Epoch}
	m.Reset, m.Adopted = nil, nil
	m.Delivered, m.DeliveredBase = c.Unchanged()
	m.Records, m.ServerCount, m.Objects = Counts{}, nil, nil
	m.Holes, m.Changed = nil, nil
	m.CommittedAt = time.Time{}
	return m
}
