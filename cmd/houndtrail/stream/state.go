package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/replay"
)

// The states of a stream. The command status and the metric stream_state use the same words, with _ for a space in the metric.
const (
	StateOK         = "ok"
	StateNotStarted = "not started"  // nothing was committed yet; only status says so, since it sees no run
	StateWaiting    = "waiting"      // nothing was committed yet, because no record is old enough
	StateFuture     = "future"       // the configured start is in the future
	StateLetters    = "dead letter"  // the destination refuses records, and they are in the dead letter: it lacks them
	StateHoles      = "holes"        // a short time ago a record could not be read, and it is not at the destination
	StateClock      = "clock"        // a clock is behind the position
	StateChanged    = "changed"      // the source is not the previous one
	StateNoJournal  = "no journal"   // the destination holds records, but no journal accounts for them
	StateIncomplete = "incomplete"   // the server counts more records than it shows
	StateBadRecord  = "bad record"   // a record cannot be read, and the stream stops before that record
	StateDamaged    = "damaged"      // the journal has changed since Houndtrail wrote it, or a part of it is missing
	StateRolledBack = "rolled back"  // the journal has fewer entries than a head that is remembered elsewhere
	StateForked     = "forked"       // the journal has another history than a head that is remembered elsewhere
	StateForeign    = "foreign"      // the journal is of another source, destination or stream
	StateSignature  = "signature"    // the journal is signed, but not by a key of this run
	StateNewer      = "newer"        // a later version of houndtrail wrote the journal
	StateUnreadable = "unreadable"   // the store of the journal does not answer
	StateCompaction = "compaction"   // the stream is well, but the archive's compaction is not; only status says so
	StateVerified   = "verification" // the stream is well, but a verification found something, failed or is overdue; only status says so
	StateKilled     = "killed"       // the last run did not end by itself; only status says so
	StateStale      = "stale"        // no run has committed anything for too long; only status says so
	StateArchive    = "archive"      // the archive that the stream follows stands still, or does not hold what the stream needs
	StateFailed     = "failed"       // any other error
)

// AllStates are all states of a stream: those in which a cycle can end, and those that only a look from outside finds.
func AllStates() []string {
	return append(States(), StateNotStarted, StateKilled, StateStale, StateVerified, StateCompaction)
}

// States are the states in which a cycle can end.
func States() []string {
	return []string{
		StateOK, StateWaiting, StateFuture, StateLetters, StateHoles, StateClock, StateChanged, StateNoJournal, StateIncomplete,
		StateBadRecord, StateDamaged, StateRolledBack, StateForked, StateForeign, StateSignature, StateNewer, StateUnreadable,
		StateArchive, StateFailed,
	}
}

// stateErrors are the errors that have their own state.
//
//nolint:gochecknoglobals // a constant
var stateErrors = []struct {
	err  error
	word string
}{
	{ErrDeadLetters, StateLetters},
	{ErrCompaction, StateCompaction},
	{ErrVerification, StateVerified},
	{replay.ErrUnfollowable, StateArchive},
	{replay.ErrNotHeld, StateArchive},
	{replay.ErrStands, StateArchive},
	{exporter.ErrJournalGone, StateNoJournal},
	{exporter.ErrSourceChanged, StateChanged},
	{exporter.ErrClock, StateClock},
	{exporter.ErrIncomplete, StateIncomplete},
	{exporter.ErrStart, StateFuture},
	{bloodhound.ErrHidden, StateIncomplete},
	{ErrKilled, StateKilled},
	{ErrStale, StateStale},
	{checkpoint.ErrNewer, StateNewer},
	{checkpoint.ErrRolledBack, StateRolledBack}, // these two are ErrCorrupt too, so they come first
	{checkpoint.ErrForked, StateForked},
	{checkpoint.ErrCorrupt, StateDamaged},
	{checkpoint.ErrForeign, StateForeign},
	{checkpoint.ErrSignature, StateSignature},
	{checkpoint.ErrConflict, StateFailed},
	{checkpoint.ErrLeaseHeld, StateFailed},
}

// StateOf returns the state of a stream after a cycle, or after a look of status. err is the error of the cycle or the look.
// newest is the zero value if nothing was committed.
func StateOf(err error, newest Position) string {
	if err == nil {
		switch {
		case newest.Serial == 0:
			return StateWaiting
		case newest.Letters > 0:
			return StateLetters
		case newest.Holed:
			return StateHoles
		default:
			return StateOK
		}
	}
	for _, s := range stateErrors {
		if errors.Is(err, s.err) {
			return s.word
		}
	}
	if isA[*bloodhound.BadRecordError](err) {
		return StateBadRecord
	}
	if stage, ok := errors.AsType[*exporter.Error](err); ok && stage.Stage == exporter.StageCheckpoint {
		return StateUnreadable
	}
	return StateFailed
}

// A Position has the facts of a stream's newest entry that decide its state. It is the zero value if there is no entry.
type Position struct {
	Serial  uint64
	Holed   bool // a short time ago, Houndtrail left out a record that it could not read
	Letters int  // open letters: records that the destination refuses
}

// Lateness is how late a run may commit.
const Lateness = 2 * time.Minute

// Due is when a stream should have shown another sign of life, if the last one was at that time. A run that finds nothing new leaves
// one an hour after the previous one at the latest. One run may fail for a passing reason. Two runs in a row should not.
func Due(schedule cron.Schedule, settle time.Duration, last time.Time) time.Time {
	return schedule.Next(schedule.Next(last.Add(exporter.IdleCommit + settle))).Add(Lateness)
}

// A lastRunError stands for the error of the last run.
type lastRunError struct{ checkpoint.Failure }

// LastRun returns the error of the last run, as the journal remembers it. It has the same outcome and state.
func LastRun(f checkpoint.Failure) error { return &lastRunError{f} }

func (e *lastRunError) Error() string {
	return fmt.Sprintf("the last run, at %s, ended with: %s", e.At.UTC().Format(time.RFC3339), e.Reason)
}

// Unwrap returns an error with the same state and outcome. Several errors may have the state, each with its own outcome.
func (e *lastRunError) Unwrap() (first error) {
	if e.State == StateBadRecord {
		return e.staged(&bloodhound.BadRecordError{})
	}
	for _, s := range stateErrors {
		if s.word != e.State || s.word == StateFailed {
			continue
		}
		err := e.staged(s.err)
		if OutcomeOf(err) == Outcome(e.Code) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return e.staged(nil)
	}
	return first
}

// staged adds the stage of the failure to an error.
func (e *lastRunError) staged(err error) error {
	if e.Stage == "" {
		return err
	}
	return &exporter.Error{Stage: exporter.Stage(e.Stage), Err: err}
}
