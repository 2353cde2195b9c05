package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
)

// How a stream stands, in a word. The command status and the metric stream_state use the same words, with _ for a space in
// the metric.
const (
	StateOK         = "ok"
	StateNotStarted = "not started" // nothing was committed yet; only status says so, which does not know of any run
	StateWaiting    = "waiting"     // nothing was committed yet, since there is no record that is old enough
	StateFuture     = "future"      // the start that was asked for is still to come
	StateHoles      = "holes"       // a record could not be had of late, and is not at the destination
	StateClock      = "clock"       // a clock is behind the position
	StateChanged    = "changed"     // the source is not the one that it was
	StateNoJournal  = "no journal"  // the destination holds records that no journal accounts for
	StateIncomplete = "incomplete"  // the server counts more records than it shows
	StateBadRecord  = "bad record"  // a record cannot be had, and the stream stops in front of it
	StateDamaged    = "damaged"     // the journal is not what was written
	StateForeign    = "foreign"     // the journal is of another source, destination or stream
	StateNewer      = "newer"       // a later version of houndtrail wrote the journal
	StateUnreadable = "unreadable"  // the store of the journal does not answer
	StateKilled     = "killed"      // the last run did not end by itself; only status says so
	StateStale      = "stale"       // no run has committed anything for too long; only status says so
	StateFailed     = "failed"      // anything else
)

// States are those that a cycle can end in.
func States() []string {
	return []string{
		StateOK, StateWaiting, StateFuture, StateHoles, StateClock, StateChanged, StateNoJournal, StateIncomplete, StateBadRecord, StateDamaged,
		StateForeign, StateNewer, StateUnreadable, StateFailed,
	}
}

// stateErrors are the errors that have a state of their own.
//
//nolint:gochecknoglobals // a constant
var stateErrors = []struct {
	err  error
	word string
}{
	{exporter.ErrJournalGone, StateNoJournal},
	{exporter.ErrSourceChanged, StateChanged},
	{exporter.ErrClock, StateClock},
	{exporter.ErrIncomplete, StateIncomplete},
	{exporter.ErrStart, StateFuture},
	{bloodhound.ErrHidden, StateIncomplete},
	{ErrKilled, StateKilled},
	{ErrStale, StateStale},
	{checkpoint.ErrNewer, StateNewer},
	{checkpoint.ErrCorrupt, StateDamaged},
	{checkpoint.ErrForeign, StateForeign},
	{checkpoint.ErrConflict, StateFailed},
	{checkpoint.ErrLeaseHeld, StateFailed},
}

// StateOf is how a stream stands when an error, or none, was the end of its cycle, or of what stands in for one. The
// newest entry is the zero value where nothing was committed.
func StateOf(err error, newest Position) string {
	if err == nil {
		switch {
		case newest.Serial == 0:
			return StateWaiting
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

// A Position is what is said of a stream's newest entry, the zero value where there is none.
type Position struct {
	Serial uint64
	Holed  bool // a record that could not be had was left out of late
}

// A lastRunError is how the last run ended, as an error: one that stands for what the run itself ended with.
type lastRunError struct{ checkpoint.Failure }

// LastRun is the error that the last run ended with, as the journal remembers it. It has the same outcome and state.
func LastRun(f checkpoint.Failure) error { return &lastRunError{f} }

func (e *lastRunError) Error() string {
	return fmt.Sprintf("the last run, at %s, ended with: %s", e.At.UTC().Format(time.RFC3339), e.Reason)
}

// Unwrap is what tells the outcome.
func (e *lastRunError) Unwrap() error {
	var cause error
	switch e.State {
	case StateBadRecord:
		cause = &bloodhound.BadRecordError{}
	default:
		for _, s := range stateErrors {
			if s.word == e.State && s.word != StateFailed {
				cause = s.err
				break
			}
		}
	}
	if e.Stage == "" {
		return cause
	}
	return &exporter.Error{Stage: exporter.Stage(e.Stage), Err: cause}
}
