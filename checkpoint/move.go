package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

// releaseTime bounds how long Move tries to give the lease back at its end.
const releaseTime = 10 * time.Second

// Move gives the journal this identity instead of the one that its newest entry has: the same archive at another address, a new
// host name of the source, another tenant. It commits one entry of kind move, which accounts for no window and leaves the
// position as it is. The lease's intents outlive the move, so the next run takes the window of an attempt that was not
// committed.
//
// at is the caller's clock, which the entry tells: a move asks no server.
//
// [ErrUnmoved] says that the journal has this identity already, and [ErrNotFound] that there is no journal. [ErrUnfinished]
// says that an attempt was not committed, and that the next run would not find its traces under the new name.
func (j *Journal) Move(ctx context.Context, reason string, at time.Time) (moved Stored, err error) {
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
	lease.Settle(prev.Window)
	if err := j.mayMove(prev, lease.Intents()); err != nil {
		return Stored{}, err
	}
	if err := lease.Tell(ctx); err != nil { // the entry of the move has no window, and no reader looks at an older entry
		return Stored{}, err
	}
	return j.Commit(ctx, prev, prev.moved(reason, at))
}

// Movable tells why Move would fail, as far as it can tell without taking the lease; nil if Move would not.
func (j *Journal) Movable(ctx context.Context) error {
	prev, err := j.load(ctx)
	if err != nil {
		return err
	}
	lease, err := j.LeaseStatus(ctx)
	if err != nil {
		return err
	}
	return j.mayMove(prev, after(lease.Intents, prev.Window))
}

func (j *Journal) mayMove(newest Stored, intents []window.Window) error {
	if newest.names() == j.id.names() {
		return fmt.Errorf("%w: %s has this run's tenant, source, destination and encoding already: change the "+
			"settings first, or leave the journal as it is", ErrUnmoved, j.at(j.Key(newest.Serial)))
	}
	if len(intents) == 0 || newest.Tenant == j.id.Tenant && newest.Encoding == j.id.Encoding {
		return nil
	}
	return j.settled(newest, intents)
}

// settled refuses to change tenant or encoding while an attempt is not committed. The attempt's objects bear the previous
// tenant and have the previous encoding: the next run would not replace them, and no receiver could tell that its records are
// the same.
func (j *Journal) settled(newest Stored, open []window.Window) error {
	if open[0].Pass < newest.Epoch && !j.scattered { // a later reset or adoption has dealt with the objects that it left
		return nil
	}
	again := "houndtrail run --once"
	if j.scattered {
		again = "houndtrail backfill"
	}
	return fmt.Errorf("%w: the window %s to %s was begun and not committed, and what it has left at the destination bears the "+
		"tenant %s and the encoding %s, where the next run would not find it. Nothing was moved. Set the previous settings again "+
		"(%s), run %s, which ends that window, and then move", ErrUnfinished, open[0].Start.UTC().Format(time.RFC3339Nano),
		open[0].End.UTC().Format(time.RFC3339Nano), newest.Tenant, newest.Encoding, newest.names().without(j.id.names()), again)
}

// moved is the entry after c that changes only the journal's identity.
func (c *Checkpoint) moved(reason string, at time.Time) Checkpoint {
	m := c.Standing(KindMove)
	m.Moved = &Move{From: c.names(), Reason: reason}
	m.CommittedAt = at
	return m
}

// Standing is an entry after c that accounts for no window and leaves the position as it is.
func (c *Checkpoint) Standing(k Kind) Checkpoint {
	m := *c
	m.Kind = k
	m.Window = window.Window{Start: c.Cursor, End: c.Cursor, Pass: c.Epoch}
	m.Reset, m.Moved, m.Adopted, m.Compacted, m.Forgotten = nil, nil, nil, nil, nil
	m.Delivered, m.DeliveredBase = c.Unchanged()
	m.Records, m.Filter, m.ServerCount, m.Objects = Counts{}, "", nil, nil
	m.Holes, m.Changed = nil, nil
	m.CommittedAt = time.Time{}
	return m
}

// Identity binds a journal to one stream of one tenant, source and destination, in one encoding. All of it is stored in every
// entry and appears in errors, so it must not contain credentials. A caller that only reads may leave a part out that it does
// not know; then the journal does not compare that part.
type Identity struct {
	Tenant      string // the name of the source in keys and event ids
	Stream      string // the journal's folder in the bucket: "archive", "webhook"
	Source      string // https://tenant.example
	Destination string // s3://bucket/prefix
	Encoding    string // of the records that are written: "parquet", "ndjson"
	Writer      Writer // who commits and who holds the lease; never compared
}

// Names is the part of an identity that [Journal.Move] can change.
type Names struct {
	Tenant      string `json:"tenant"`
	Source      string `json:"source"`
	Destination string `json:"destination"`
	Encoding    string `json:"encoding"`
}

func (i Identity) names() Names { return Names{i.Tenant, i.Source, i.Destination, i.Encoding} }

func (c *Checkpoint) names() Names { return Names{c.Tenant, c.Source, c.Destination, c.Encoding} }

// without lists the parts of n that differ from ours, theirs first. A part that is empty in ours may be anything.
func (n Names) without(ours Names) string {
	var differ []string
	for _, part := range []struct{ what, theirs, ours string }{
		{"tenant", n.Tenant, ours.Tenant},
		{"source", n.Source, ours.Source},
		{"destination", n.Destination, ours.Destination},
		{"encoding", n.Encoding, ours.Encoding},
	} {
		if part.ours != "" && part.theirs != part.ours {
			differ = append(differ, fmt.Sprintf("its %s is %q and this run's is %q", part.what, part.theirs, part.ours))
		}
	}
	return strings.Join(differ, ", ")
}

// belongs refuses a journal whose newest entry has another identity: its position means nothing to this run.
func (j *Journal) belongs(s Stored) error {
	differ := s.names().without(j.id.names())
	if differ == "" {
		return nil
	}
	return fmt.Errorf("%w: %s: %s: correct the setting; or, if the change is meant (the same archive at another address, "+
		"a new host name of BloodHound, another tenant), run houndtrail move --reason \"...\" once, which goes on from "+
		"this very position", ErrForeign, j.at(j.Key(s.Serial)), differ)
}

// ofStream refuses an entry of another stream. No move can make it one of this stream's.
func (j *Journal) ofStream(key string, s Stored) error {
	if s.Stream == j.id.Stream {
		return nil
	}
	return fmt.Errorf("%w: %s belongs to stream %q and lies in the folder of stream %q: put each stream's journal "+
		"back into the folder of its own name", ErrForeign, j.at(key), s.Stream, j.id.Stream)
}
