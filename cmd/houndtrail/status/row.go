// Package status looks at streams from the outside: how far each is, what the next run would say of it, and who holds its lease.
// It writes nothing and takes no lease.
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

// A Row is how far one stream is. Its JSON is what status -o json prints: keys are only ever added, and one whose
// value is not known is left out.
type Row struct {
	Stream      string     `json:"stream"`
	Status      string     `json:"status"`
	Problem     string     `json:"problem,omitempty"`
	Source      string     `json:"source"`
	Destination string     `json:"destination"`
	Serial      uint64     `json:"serial"` // of the last commit; 0 before the first
	CommittedAt time.Time  `json:"committed_at,omitzero"`
	Cursor      time.Time  `json:"cursor,omitzero"`        // everything created before it is delivered
	Lag         *float64   `json:"lag_seconds,omitempty"`  // from the cursor to now
	Clock       string     `json:"clock"`                  // whose now that is: the server's, or the local one
	Records     *int64     `json:"records,omitempty"`      // delivered so far; left out if the journal cannot be read
	Holes       int64      `json:"holes,omitempty"`        // records that could not be had
	HoledAt     time.Time  `json:"holed_at,omitzero"`      // when the newest of them was left out
	Changed     int64      `json:"changed,omitempty"`      // delivered records that were found altered or gone at the source
	Lease       leaseState `json:"lease,omitzero"`         // left out where it could not be read
	Asked       string     `json:"source_status"`          // ok, empty, failed or offline
	Oldest      time.Time  `json:"source_oldest,omitzero"` // no record that the source still has is before it

	NotBefore time.Time `json:"not_before,omitzero"` // the receiver asks to be left alone until then, and the stream is skipped

	Deadline time.Time `json:"retention_deadline,omitzero"`      // the source may begin then to drop what is not exported
	Left     *float64  `json:"retention_left_seconds,omitempty"` // from now to then

	Totals *checkpoint.Totals `json:"totals,omitempty"`             // of the records, and how they were counted
	Skew   *float64           `json:"clock_skew_seconds,omitempty"` // how far BloodHound's clock is ahead of this machine's

	stored   checkpoint.Stored
	failure  checkpoint.Failure // of the last run, if it failed and nothing was committed since
	failed   bool
	intents  []window.Window     // what the lease says that a run was about to write
	seen     checkpoint.Sighting // of the source's oldest record, as the journal remembers it
	holed    bool                // a hole is news still
	near     bool                // the deadline is
	alive    bool                // a run is under way for certain
	unproved bool                // not all links were verified, since the journal is long
}

// look reads the journal and the lease. The error is about either of them; what could be read is filled in all the same.
func (s *Row) look(ctx context.Context, j *checkpoint.Journal, full bool) error {
	err := s.read(ctx, j, full)
	if s.Status = s.stateAfter(err); s.Status == stream.StateUnreadable {
		return err // the same store has the lease
	}
	lease, leaseErr := j.LeaseStatus(ctx)
	if leaseErr == nil {
		s.intents = lease.Intents
		s.Lease = leaseOf(lease, time.Now(), gone)
		s.alive = lease.Expires > 0 // else its holder may be dead for long: on another machine, or if its number came again
		if err == nil {
			s.failure, s.failed, err = j.Failure(ctx, s.Serial)
			err = failedJournal(err)
			s.Status = s.stateAfter(err)
		}
		return err
	}
	err = errors.Join(err, failedJournal(leaseErr))
	s.Status = s.stateAfter(err)
	return err
}

// read takes in the newest entry, which is always verified against the previous one, and verifies the links of all. Of a
// journal that is not sound it takes in the newest entry that can be read.
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
		_, _, err := j.Delivered(ctx, newest) // what the next run needs of the journal, beside the newest entry
		return failedJournal(err)
	}
	return failedJournal(verifyChain(ctx, j, s.Serial))
}

// verifyChain verifies the links of a journal up to an entry. What is wrong before an adoption does not count: the position
// was rebuilt without it.
func verifyChain(ctx context.Context, j *checkpoint.Journal, last uint64) (problem error) {
	for entry, err := range j.Survey(ctx) {
		switch {
		case entry.Serial > last: // committed since
			return problem
		case err == nil && entry.Kind == checkpoint.KindAdopt:
			problem = nil
		case problem == nil:
			problem = err
		}
	}
	return problem
}

// take is what an entry says of the stream.
func (s *Row) take(newest checkpoint.Stored) {
	if newest.Serial == 0 {
		return
	}
	s.seen, s.Source = newest.Oldest, cmp.Or(s.Source, newest.Source)
	s.Serial, s.CommittedAt, s.Cursor = newest.Serial, newest.CommittedAt.UTC(), newest.Cursor.UTC()
	s.Records, s.Totals = &newest.Totals.Delivered, &newest.Totals
	s.Holes, s.HoledAt, s.Changed = newest.HolesTotal, newest.HoledAt.UTC(), newest.ChangedTotal
	s.holed = newest.Holed()
}

// newestReadable is the newest entry that can be read of a journal that is not sound; the zero value for none.
func newestReadable(ctx context.Context, j *checkpoint.Journal) (newest checkpoint.Stored) {
	if tip, err := j.Tip(ctx); err == nil && tip.Readable() {
		return tip
	}
	for entry, err := range j.Survey(ctx) {
		_ = err // its problems are told already
		if entry.Readable() {
			newest = entry
		}
	}
	return newest
}

func failedJournal(err error) error { return stream.At(exporter.StageCheckpoint, err) }

// stateAfter is how the stream stands, when looking at it ended in an error or in none.
func (s *Row) stateAfter(err error) string {
	if err == nil && s.Serial == 0 {
		return stream.StateNotStarted
	}
	return stream.StateOf(err, stream.Position{Serial: s.Serial, Holed: s.holed})
}

// compare takes in what the source says, and where it says nothing, what the journal remembers of it.
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
