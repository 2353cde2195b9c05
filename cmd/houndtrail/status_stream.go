package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A standing is how far one stream is. Its JSON is what status -o json prints: keys are only ever added, and one whose
// value is not known is left out.
type standing struct {
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

// The states of a lease.
const (
	leaseFree      = "free"
	leaseHeld      = "held"
	leaseAbandoned = "abandoned" // its holder is gone and did not give it back: the next runner takes it
)

// leaseState is who may write to the stream.
type leaseState struct {
	State   string            `json:"state"`
	Holder  checkpoint.Holder `json:"holder,omitzero"`
	Since   time.Time         `json:"since,omitzero"`
	Expires time.Time         `json:"expires,omitzero"` // unless it is renewed; left out where the holder's process decides
}

// look reads the journal and the lease. The error is about either of them; what could be read is filled in all the same.
func (s *standing) look(ctx context.Context, j *checkpoint.Journal, full bool) error {
	err := s.read(ctx, j, full)
	if s.Status = s.stateAfter(err); s.Status == stateUnreadable {
		return err // the same store has the lease
	}
	lease, leaseErr := j.LeaseStatus(ctx)
	if leaseErr == nil {
		s.intents = lease.Intents
		s.Lease = leaseOf(lease, time.Now(), gone)
		s.alive = s.Lease.State == leaseHeld && (lease.Expires > 0 || here(lease.Holder))
		if err == nil {
			s.failure, s.failed, err = j.Failure(ctx, s.Serial)
			err = failedCheckpoint(err)
			s.Status = s.stateAfter(err)
		}
		return err
	}
	err = errors.Join(err, failedCheckpoint(leaseErr))
	s.Status = s.stateAfter(err)
	return err
}

// read takes in the newest entry, which is always verified against the previous one, and verifies the links of all. Of a
// journal that is not sound it takes in the newest entry that can be read.
func (s *standing) read(ctx context.Context, j *checkpoint.Journal, full bool) error {
	newest, err := j.Load(ctx)
	switch {
	case isAny(err, unsound):
		s.take(newestReadable(ctx, j))
		return failedCheckpoint(err)
	case errors.Is(err, checkpoint.ErrNotFound):
	case err != nil:
		return failedCheckpoint(err)
	}
	s.stored, s.Records = newest, new(int64)
	s.take(newest)
	if s.Serial > provable && !full {
		s.unproved = true
		_, _, err := j.Delivered(ctx, newest) // what the next run needs of the journal, beside the newest entry
		return failedCheckpoint(err)
	}
	return failedCheckpoint(verifyChain(ctx, j, s.Serial))
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
func (s *standing) take(newest checkpoint.Stored) {
	if newest.Serial == 0 {
		return
	}
	s.seen = newest.Oldest
	s.Serial, s.CommittedAt, s.Cursor = newest.Serial, newest.CommittedAt.UTC(), newest.Cursor.UTC()
	s.Records, s.Totals = &newest.Totals.Delivered, &newest.Totals
	s.Holes, s.HoledAt, s.Changed = newest.HolesTotal, newest.HoledAt.UTC(), newest.ChangedTotal
	s.holed = newest.Holed()
}

// newestReadable is the newest entry that can be read of a journal that is not sound; the zero value for none.
func newestReadable(ctx context.Context, j *checkpoint.Journal) (newest checkpoint.Stored) {
	if tip, err := j.Tip(ctx); err == nil && readable(tip) {
		return tip
	}
	for entry, err := range j.Survey(ctx) {
		_ = err // its problems are told already
		if readable(entry) {
			newest = entry
		}
	}
	return newest
}

// readable tells whether more of an entry is known than that it is there.
func readable(s checkpoint.Stored) bool { return s.Kind != "" }

func failedCheckpoint(err error) error {
	if err == nil {
		return nil
	}
	return &exporter.Error{Stage: exporter.StageCheckpoint, Err: err}
}

// stateAfter is how the stream stands, when looking at it ended in an error or in none.
func (s *standing) stateAfter(err error) string {
	if err == nil && s.Serial == 0 {
		return stateNotStarted
	}
	return stateOf(err, position{s.Serial, s.holed})
}

// compare takes in what the source says, and where it says nothing, what the journal remembers of it.
func (s *standing) compare(source sourceState, retention exporter.Retention) {
	s.Asked, s.Oldest = source.status, source.oldest
	now, clock := source.lagsBehind()
	if s.Clock = clock; source.clock == "server" {
		skew := source.now.Sub(source.own).Seconds()
		s.Skew = &skew
	}
	if s.Status == stateNotStarted && (source.status == sourceEmpty || source.status == sourceOK && !source.oldest.Before(now)) {
		s.Status = stateWaiting
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

// leaseOf is the lease at a time. Where it is bound to a process only that process's machine can tell whether it is
// still held: gone is asked whether this is that machine, and the process is not there.
func leaseOf(s checkpoint.LeaseStatus, now time.Time, gone func(checkpoint.Holder) bool) leaseState {
	lease := leaseState{State: leaseFree, Holder: s.Holder, Since: s.Since.UTC()}
	switch {
	case s.Held && s.Expires > 0:
		lease.State, lease.Expires = leaseHeld, now.Add(s.Expires).UTC().Truncate(time.Second)
	case s.Held && !gone(s.Holder):
		lease.State = leaseHeld
	case s.Holder != checkpoint.Holder{}:
		lease.State = leaseAbandoned
	}
	return lease
}

// here tells that a process runs or ran on this machine.
func here(h checkpoint.Holder) bool {
	host, err := os.Hostname()
	return err == nil && host != "" && h.Host == host && h.PID > 0
}

// gone tells that a process ran on this machine and does not any more. Where that cannot be known it is false.
func gone(h checkpoint.Holder) bool {
	if !here(h) {
		return false
	}
	process, err := os.FindProcess(h.PID)
	if err != nil {
		return false
	}
	defer func() { _ = process.Release() }() // nothing is held but a number
	return errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
