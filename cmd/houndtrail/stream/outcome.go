package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
)

// An Outcome is how something ended. Its number is the exit code of a command that ended so, which is part of the interface:
// schedulers and alerts tell by it what to do.
type Outcome int

// The outcomes.
const (
	OK            Outcome = 0
	Unexpected    Outcome = 1
	Misconfigured Outcome = 2 // the configuration or the command line is wrong
	SourceFailed  Outcome = 3 // the API failed
	SinkFailed    Outcome = 4 // the destination, or the store of the checkpoint, failed
	Conflicted    Outcome = 5 // another runner holds the lease or committed first
	Unsound       Outcome = 6 // what is stored is not what was written, or what was read not all that the server has
	Stopped       Outcome = 7 // stopped before everything was committed, or killed, or not run

	Interrupted Outcome = 130 // as a shell has it for a command that SIGINT ended
)

// Outcomes are those that a cycle can have, each with a word of its own.
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

// OutcomeOf is what an error, or none, comes to. Of several errors, as two streams can have, the one that needs a person most
// decides.
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
	case isAny(err, unfinished): // in whatever stage that was
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

// A run that is killed tells no reason, and one that never starts cannot. Both show in what they leave undone.
var (
	ErrKilled = errors.New("the last run was killed, or its machine was lost")
	ErrStale  = errors.New("no run has committed anything for too long")
)

// ErrUnknownFiles says that the archive cannot be adopted as it is.
var ErrUnknownFiles = errors.New("the archive holds files of names that Houndtrail does not give")

// What an error is about decides before the stage that it happened in.
//
//nolint:gochecknoglobals // constants
var (
	integrity = []error{
		checkpoint.ErrCorrupt, checkpoint.ErrForeign, exporter.ErrIncomplete, exporter.ErrSourceChanged, exporter.ErrJournalGone,
		exporter.ErrClock, bloodhound.ErrHidden, ErrUnknownFiles,
		checkpoint.ErrUnfinished,
	}
	misconfigured = []error{checkpoint.ErrNewer, exporter.ErrStart}
	unfinished    = []error{exporter.ErrStopped, ErrKilled, ErrStale}
	unsound       = []error{checkpoint.ErrCorrupt, checkpoint.ErrForeign, checkpoint.ErrNewer}
	incurable     = []error{
		checkpoint.ErrCorrupt, checkpoint.ErrForeign, checkpoint.ErrNewer, checkpoint.ErrUnconditional,
		exporter.ErrSourceChanged, exporter.ErrJournalGone,
	}
)

// UnsoundJournal tells that an error is about a journal that Houndtrail does not go on from.
func UnsoundJournal(err error) bool { return isAny(err, unsound) }

// Incurable tells that no later cycle can heal an error by itself.
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

// UsageError is a command line or a setting that cannot work, found before anything was done.
type UsageError struct{ err error }

// Usage makes an error a [UsageError].
func Usage(err error) error { return &UsageError{err} }

// Usagef is Usage of what fmt.Errorf makes.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

func (e *UsageError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.err }

// At says in which stage an error came up outside of a cycle: it has the outcome then that it has inside. To be interrupted is
// no failure of a stage.
func At(stage exporter.Stage, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &exporter.Error{Stage: stage, Err: err}
}

// Error is why something ended early that was done for a stream.
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
