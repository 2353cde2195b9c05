// Package status looks at streams from the outside: how far each stream is, how its next run would end, and who holds its
// lease. It writes nothing and takes no lease.
package status

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A Row says how far one stream is. status -o json prints its JSON: keys are only ever added, and a key without a known value
// is left out.
type Row struct {
	Stream      string     `json:"stream"`
	Status      string     `json:"status"`
	Problem     string     `json:"problem,omitempty"`
	Source      string     `json:"source"`
	Destination string     `json:"destination"`
	Serial      uint64     `json:"serial"`         // the serial of the last commit; 0 before the first
	Head        string     `json:"head,omitempty"` // over all commits up to the last: a note, signed if the journal has keys
	CommittedAt time.Time  `json:"committed_at,omitzero"`
	Cursor      time.Time  `json:"cursor,omitzero"`        // everything created before it is delivered
	Lag         *float64   `json:"lag_seconds,omitempty"`  // from the cursor to now
	Clock       string     `json:"clock"`                  // the clock for now: server or local
	Records     *int64     `json:"records,omitempty"`      // delivered so far; left out if the journal cannot be read
	Holes       int64      `json:"holes,omitempty"`        // records that Houndtrail could not get
	HoledAt     time.Time  `json:"holed_at,omitzero"`      // when Houndtrail left the newest hole out
	Waiting     int        `json:"waiting,omitempty"`      // intents that wait for their outcomes, in the journal
	Letters     int        `json:"dead_letters,omitempty"` // records that the destination refuses, also of a backfill: it lacks them
	Changed     int64      `json:"changed,omitempty"`      // delivered records that the source has changed or removed
	Lease       leaseState `json:"lease,omitzero"`         // left out if it could not be read
	Asked       string     `json:"source_status"`          // ok, empty, failed or offline
	Oldest      time.Time  `json:"source_oldest,omitzero"` // the source has no record before it

	NotBefore time.Time `json:"not_before,omitzero"` // the receiver asks for a pause until then: runs skip the stream

	Deadline time.Time `json:"retention_deadline,omitzero"`      // from then on the source may drop records that are not exported
	Left     *float64  `json:"retention_left_seconds,omitempty"` // from now to then

	Totals     *checkpoint.Totals `json:"totals,omitempty"`    // of the records, by the server's own count
	Compaction compactionState    `json:"compaction,omitzero"` // left out if there is no note of a compaction

	Verification *verificationState `json:"verification,omitempty"` // nil if there is no note of a verification

	Anchor *anchorState `json:"anchor,omitempty"`             // nil if no place is set for anchors
	Skew   *float64     `json:"clock_skew_seconds,omitempty"` // how far BloodHound's clock is ahead of this machine's

	stored      checkpoint.Stored
	failure     checkpoint.Failure // the last run's failure, if no run has committed since
	failed      bool
	intents     []window.Window     // the windows that a run has declared in the lease
	seen        checkpoint.Sighting // the source's oldest record, as the journal remembers it
	holed       bool                // a hole is recent enough to be reported
	near        bool                // the deadline is near
	alive       bool                // a run is certainly under way
	uncompacted bool                // no daemon with the schedule has run yet
	unproved    bool                // not all links are verified, because the journal is long
}

// look reads the journal and the lease. The error is about one of them. Even with an error, look sets everything that it could
// read.
func (s *Row) look(ctx context.Context, j *checkpoint.Journal, full bool) error {
	err := s.read(ctx, j, full)
	if s.Status = s.stateAfter(err); s.Status == stream.StateUnreadable {
		return err // the lease is in the same store
	}
	lease, leaseErr := j.LeaseStatus(ctx)
	if leaseErr == nil {
		s.intents = lease.Intents
		s.Lease = leaseOf(lease, time.Now(), gone)
		s.alive = lease.Expires > 0 // if not, it may be dead: on another machine, or its number has a new owner
		if err == nil {
			s.failure, s.failed, err = j.Failure(ctx, &s.stored.Checkpoint)
			err = failedJournal(err)
			s.Status = s.stateAfter(err)
		}
		return err
	}
	err = errors.Join(err, failedJournal(leaseErr))
	s.Status = s.stateAfter(err)
	return err
}

// read sets the newest entry, which it always verifies against the previous entry. It also verifies the links of all entries.
// If the journal is not sound, it sets the newest entry that it can read.
func (s *Row) read(ctx context.Context, j *checkpoint.Journal, full bool) error {
	newest, err := j.Load(ctx)
	switch {
	case stream.UnsoundJournal(err):
		s.take(newestReadable(ctx, j))
		return failedJournal(err)
	case errors.Is(err, checkpoint.ErrNotFound):
	case err != nil:
		return failedJournal(err)
	}
	s.stored, s.Records = newest, new(int64)
	s.take(newest)
	if s.Serial > LongJournal && !full {
		s.unproved = true
		_, _, err := j.Delivered(ctx, newest) // the next run needs these entries of the journal too
		return failedJournal(err)
	}
	return failedJournal(verifyChain(ctx, j, s.Serial))
}

// verifyChain verifies the links of a journal up to an entry. Problems before an adoption do not count: the adoption rebuilt
// the position without the older entries.
func verifyChain(ctx context.Context, j *checkpoint.Journal, last uint64) (problem error) {
	for entry, err := range j.Survey(ctx) {
		switch {
		case entry.Serial > last: // entries that were committed after the survey began
			return problem
		case err == nil && entry.Kind == checkpoint.KindAdopt:
			problem = nil
		case problem == nil:
			problem = err
		}
	}
	return problem
}

// take sets the fields of the row from an entry.
func (s *Row) take(newest checkpoint.Stored) {
	if newest.Serial == 0 {
		return
	}
	s.seen, s.Source = newest.Oldest, cmp.Or(s.Source, newest.Source)
	s.Serial, s.CommittedAt, s.Cursor = newest.Serial, newest.Progress().CommittedAt.UTC(), newest.Cursor.UTC()
	s.Records, s.Totals = &newest.Totals.Delivered, &newest.Totals
	s.Holes, s.HoledAt, s.Changed = newest.HolesTotal, newest.HoledAt.UTC(), newest.ChangedTotal
	s.holed, s.Head = newest.Holed(), newest.Head
	s.Letters, s.Waiting = len(newest.DeadLetters), len(newest.Waiting)
}

// newestReadable is the newest readable entry of a journal that is not sound; the zero value if it has none.
func newestReadable(ctx context.Context, j *checkpoint.Journal) (newest checkpoint.Stored) {
	if tip, err := j.Tip(ctx); err == nil && tip.Readable() {
		return tip
	}
	for entry, err := range j.Survey(ctx) {
		_ = err // the row already has a problem
		if entry.Readable() {
			newest = entry
		}
	}
	return newest
}

func failedJournal(err error) error { return stream.At(exporter.StageCheckpoint, err) }

// stateAfter is the state of the stream after a look with the error err.
func (s *Row) stateAfter(err error) string {
	if err == nil && s.Serial == 0 {
		return stream.StateNotStarted
	}
	return stream.StateOf(err, stream.Position{Serial: s.Serial, Holed: s.holed, Letters: s.Letters})
}

// compare sets the source's answers. If the source gave none, it uses the oldest record that the journal remembers.
func (s *Row) compare(source sourceState, retention exporter.Retention) {
	s.Asked, s.Oldest = source.status, source.oldest
	now, clock := source.lagsBehind()
	if s.Clock = clock; source.clock == "server" {
		skew := source.now.Sub(source.own).Seconds()
		s.Skew = &skew
	}
	if s.Status == stream.StateNotStarted && (source.status == sourceEmpty || source.status == sourceOK && !source.oldest.Before(now)) {
		s.Status = stream.StateWaiting
	}
	if !s.Cursor.IsZero() {
		lag := max(0, now.Sub(s.Cursor).Seconds())
		s.Lag = &lag
	}
	if source.status == sourceOK {
		s.seen = s.seen.Next(source.oldest, source.now)
	}
	if s.Deadline = retention.Deadline(s.Cursor, s.seen); !s.Deadline.IsZero() {
		left := s.Deadline.Sub(source.now).Seconds()
		s.Left = &left
		s.near = retention.Near(s.Cursor, s.seen, source.now)
	}
}
