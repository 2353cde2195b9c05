package main

import (
	"errors"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
)

// How a stream stands, in a word. The command status and the metric stream_state use the same words, with _ for a space
// in the metric.
const (
	stateOK         = "ok"
	stateNotStarted = "not started" // nothing was committed yet; only status says so, which does not know of any run
	stateWaiting    = "waiting"     // nothing was committed yet, since there is no record that is old enough
	stateFuture     = "future"      // the start that was asked for is still to come
	stateHoles      = "holes"       // a record could not be had of late, and is not at the destination
	stateClock      = "clock"       // a clock is behind the position
	stateChanged    = "changed"     // the source is not the one that it was
	stateNoJournal  = "no journal"  // the destination holds records that no journal accounts for
	stateIncomplete = "incomplete"  // the server counts more records than it shows
	stateBadRecord  = "bad record"  // a record cannot be had, and the stream stops in front of it
	stateDamaged    = "damaged"     // the journal is not what was written
	stateForeign    = "foreign"     // the journal is of another source, destination or stream
	stateNewer      = "newer"       // a later version of houndtrail wrote the journal
	stateUnreadable = "unreadable"  // the store of the journal does not answer
	stateKilled     = "killed"      // the last run did not end by itself; only status says so
	stateStale      = "stale"       // no run has committed anything for too long; only status says so
	stateFailed     = "failed"      // anything else
)

// runStates are the states that a cycle can end in.
//
//nolint:gochecknoglobals // a constant
var runStates = []string{
	stateOK, stateWaiting, stateFuture, stateHoles, stateClock, stateChanged, stateNoJournal, stateIncomplete, stateBadRecord, stateDamaged,
	stateForeign, stateNewer, stateUnreadable, stateFailed,
}

// stateErrors are the errors that have a state of their own.
//
//nolint:gochecknoglobals // a constant
var stateErrors = []struct {
	err  error
	word string
}{
	{exporter.ErrJournalGone, stateNoJournal},
	{exporter.ErrSourceChanged, stateChanged},
	{exporter.ErrClock, stateClock},
	{exporter.ErrIncomplete, stateIncomplete},
	{exporter.ErrStart, stateFuture},
	{bloodhound.ErrHidden, stateIncomplete},
	{errKilled, stateKilled},
	{errStale, stateStale},
	{checkpoint.ErrNewer, stateNewer},
	{checkpoint.ErrCorrupt, stateDamaged},
	{checkpoint.ErrForeign, stateForeign},
	{checkpoint.ErrConflict, stateFailed},
	{checkpoint.ErrLeaseHeld, stateFailed},
}

// stateOf is how a stream stands when an error, or none, was the end of its cycle, or of what stands in for one. The
// newest entry is the zero value where nothing was committed.
func stateOf(err error, newest position) string {
	if err == nil {
		switch {
		case newest.serial == 0:
			return stateWaiting
		case newest.holed:
			return stateHoles
		default:
			return stateOK
		}
	}
	for _, s := range stateErrors {
		if errors.Is(err, s.err) {
			return s.word
		}
	}
	if isA[*bloodhound.BadRecordError](err) {
		return stateBadRecord
	}
	if stage, ok := errors.AsType[*exporter.Error](err); ok && stage.Stage == exporter.StageCheckpoint {
		return stateUnreadable
	}
	return stateFailed
}

// stateLabel is a state as the metric has it.
func stateLabel(state string) string { return strings.ReplaceAll(state, " ", "_") }

// A position is what is said of a stream's newest entry, the zero value where there is none.
type position struct {
	serial uint64
	holed  bool // a record that could not be had was left out of late
}
