package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/replay"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/prove"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/search"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

// An Outcome says how a cycle or a command ended. Its number is the command's exit code. The exit code is part of the
// interface: schedulers and alerts depend on it.
type Outcome int

// The outcomes.
const (
	OK            Outcome = 0
	Unexpected    Outcome = 1
	Misconfigured Outcome = 2 // the configuration or the command line is wrong
	SourceFailed  Outcome = 3 // the API failed
	SinkFailed    Outcome = 4 // the destination, or the store of the checkpoint, failed
	Conflicted    Outcome = 5 // another runner holds the lease or committed first
	Unsound       Outcome = 6 // stored data is not as Houndtrail wrote it, or the source has changed or does not show all records
	Stopped       Outcome = 7 // the process stopped before it had committed everything, or was killed, or did not run

	Interrupted Outcome = 130 // as in a shell, for a command that a SIGINT ended
)

// Outcomes are all outcomes that a cycle can have, each with its own word.
func Outcomes() []Outcome {
	return []Outcome{OK, Unexpected, Misconfigured, SourceFailed, SinkFailed, Conflicted, Unsound, Stopped}
}

// String is the outcome in a word, for the metric of cycles.
func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Misconfigured:
		return "configuration"
	case SourceFailed:
		return "source"
	case SinkFailed:
		return "destination"
	case Conflicted:
		return "conflict"
	case Unsound:
		return "integrity"
	case Stopped, Interrupted:
		return "stopped"
	default:
		return "unexpected"
	}
}

// OutcomeOf returns the outcome of an error. nil has an outcome too. If there are several errors, for example of two streams,
// it takes the error that needs a person most.
func OutcomeOf(err error) Outcome {
	stage := (*exporter.Error)(nil)
	switch {
	case err == nil:
		return OK
	case isAny(err, integrity), isA[*bloodhound.BadRecordError](err):
		return Unsound
	case isA[*config.Error](err), isA[*UsageError](err), isA[*exporter.RangeError](err), isAny(err, misconfigured):
		return Misconfigured
	case errors.Is(err, checkpoint.ErrLeaseHeld), errors.Is(err, checkpoint.ErrConflict):
		return Conflicted
	case isAny(err, unfinished): // in any stage
		return Stopped
	case errors.Is(err, context.Canceled):
		return Interrupted
	case errors.As(err, &stage):
		return map[exporter.Stage]Outcome{
			exporter.StageSource:     SourceFailed,
			exporter.StageSink:       SinkFailed,
			exporter.StageCheckpoint: SinkFailed,
		}[stage.Stage]
	default:
		return Unexpected
	}
}

// A killed run gives no reason, and neither does a run that never starts. status finds both, because their work is not done.
var (
	ErrKilled = errors.New("the last run was killed, or its machine was lost")
	ErrStale  = errors.New("no run has committed anything for too long")
)

// ErrDeadLetters says that a destination lacks records, although everything else is delivered: they are in the dead letter.
var ErrDeadLetters = errors.New("the destination lacks records")

// Lacks returns the error about so many open letters; nil for none. It has the outcome of a destination that failed: a person has to
// look at the letters.
func Lacks(letters int) error {
	switch letters {
	case 0:
		return nil
	case 1:
		return At(exporter.StageSink, fmt.Errorf("%w: it refuses 1 record, which is in the dead letter; everything else is delivered: "+
			"houndtrail deadletter list shows why", ErrDeadLetters))
	}
	return At(exporter.StageSink, fmt.Errorf("%w: it refuses %d records, which are in the dead letter; everything else is delivered: "+
		"houndtrail deadletter list shows why", ErrDeadLetters, letters))
}

// ErrUnknownFiles says that the archive cannot be adopted because of files with unknown names.
var ErrUnknownFiles = errors.New("the archive holds files of names that Houndtrail does not give")

// ErrTampered says that a verification found data that is not as it was committed.
var ErrTampered = errors.New("the archive or a journal is not as it was committed")

// ErrUnproved says that a file does not prove its record.
var ErrUnproved = errors.New("the record is not proved")

// If an error is in one of these lists, the list decides its outcome, and not the error's stage.
//
//nolint:gochecknoglobals // constants
var (
	integrity = []error{
		checkpoint.ErrCorrupt, checkpoint.ErrForeign, exporter.ErrIncomplete, exporter.ErrSourceChanged, exporter.ErrJournalGone,
		exporter.ErrClock, bloodhound.ErrHidden, ErrUnknownFiles,
		checkpoint.ErrUnfinished, checkpoint.ErrSignature, checkpoint.ErrRolledBack, checkpoint.ErrForked, ErrTampered, ErrUnproved,
		prove.ErrUnprovable, compact.ErrFinding, search.ErrNotWhole, deadletter.ErrUnreadable, read.ErrDamaged,
		replay.ErrUnfollowable, replay.ErrNotHeld, replay.ErrNotWhole,
	}
	misconfigured = []error{checkpoint.ErrNewer, exporter.ErrStart, checkpoint.ErrKeys}
	unfinished    = []error{
		exporter.ErrStopped, ErrKilled, ErrStale, errCompactionOverdue, errCompactionUnfinished, errForgetUnfinished,
		errVerificationOverdue,
	}
	unsound   = []error{checkpoint.ErrCorrupt, checkpoint.ErrForeign, checkpoint.ErrNewer, checkpoint.ErrSignature}
	incurable = []error{
		checkpoint.ErrCorrupt, checkpoint.ErrForeign, checkpoint.ErrNewer, checkpoint.ErrUnconditional, checkpoint.ErrSignature,
		exporter.ErrSourceChanged, exporter.ErrJournalGone, checkpoint.ErrRolledBack, checkpoint.ErrForked,
		replay.ErrUnfollowable,
	}
)

// UnsoundJournal tells whether an error is about a journal that stops Houndtrail.
func UnsoundJournal(err error) bool { return isAny(err, unsound) }

// Incurable tells whether no later cycle can repair the cause of an error by itself.
func Incurable(err error) bool { return isAny(err, incurable) }

// IncurableStates are the states of streams that have stopped for good.
func IncurableStates() (states []string) {
	for _, err := range incurable {
		states = append(states, StateOf(At(exporter.StageCheckpoint, err), Position{}))
	}
	return states
}

func isAny(err error, targets []error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// LookCloser says where to look next after an error of a run that does not say by itself what to do.
const LookCloser = "to find the cause, run houndtrail doctor"

// Unexplained tells whether an error of a run needs a closer look: a server or a store failed, and its error gives no advice.
func Unexplained(err error) bool {
	switch OutcomeOf(err) {
	case Unexpected, SourceFailed, SinkFailed:
	default:
		return false
	}
	if e, ok := errors.AsType[*rest.Error](err); ok {
		return e.Advice == ""
	}
	if e, ok := errors.AsType[*webhook.StatusError](err); ok { // each other answer has advice of its format
		return e.Status/100 == 5 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout
	}
	if e, ok := errors.AsType[interface {
		error
		Remedy() string
	}](err); ok {
		return e.Remedy() == ""
	}
	// A file system tells the cause, a pause ends by itself, and a defect has to be reported. A letter tells the receiver's answer.
	return !errors.Is(err, ErrDeadLetters) && !isA[syscall.Errno](err) && !isA[*webhook.PostponedError](err) && !errors.Is(err, errDefect)
}

// UsageError is a command line or a setting that cannot work. The command finds it before it does anything.
type UsageError struct{ err error }

// Usage makes an error a [UsageError].
func Usage(err error) error { return &UsageError{err} }

// Usagef is Usage of the error of fmt.Errorf.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

func (e *UsageError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.err }

// At adds the stage to an error outside of a cycle. So the error has the same outcome as in a cycle. An interruption is no
// failure of a stage, so At does not change it.
func At(stage exporter.Stage, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &exporter.Error{Stage: stage, Err: err}
}

// Error is the error of a cycle or a command, with its stream.
type Error struct {
	Stream string
	Err    error
}

func (e *Error) Error() string {
	prefix := e.Stream + " stream: "
	if errors.Is(e.Err, exporter.ErrStopped) {
		return prefix + exporter.ErrStopped.Error() + "; the next run starts from the last commit"
	}
	return prefix + strings.ReplaceAll(e.Err.Error(), "\n", "\n"+prefix)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
