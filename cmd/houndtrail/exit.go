package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
)

// The exit codes are part of the interface: schedulers and alerts tell by them what to do.
const (
	exitOK         = 0
	exitUnexpected = 1
	exitConfig     = 2 // the configuration or the command line is wrong
	exitSource     = 3 // the API failed
	exitSink       = 4 // the destination, or the store of the checkpoint, failed
	exitConflict   = 5 // another runner holds the lease or committed first
	exitIntegrity  = 6 // what is stored is not what was written, or what was read not all that the server has
	exitStopped    = 7 // stopped before everything was committed, or killed, or not run

	exitInterrupted = 130 // as a shell has it for a command that SIGINT ended
)

// usageError is a command line or a setting that cannot work, found before anything was done.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// exitCode is what the process ends with. Of several errors, as two streams can have, the one that needs a person
// most decides.
func exitCode(err error) int {
	stage := (*exporter.Error)(nil)
	switch {
	case err == nil:
		return exitOK
	case isAny(err, integrity), isA[*bloodhound.BadRecordError](err):
		return exitIntegrity
	case isA[*config.Error](err), isA[*usageError](err), isA[*exporter.RangeError](err), isAny(err, misconfigured):
		return exitConfig
	case errors.Is(err, checkpoint.ErrLeaseHeld), errors.Is(err, checkpoint.ErrConflict):
		return exitConflict
	case isAny(err, []error{exporter.ErrStopped, errKilled, errStale}): // in whatever stage that was
		return exitStopped
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &stage):
		return map[exporter.Stage]int{
			exporter.StageSource:     exitSource,
			exporter.StageSink:       exitSink,
			exporter.StageCheckpoint: exitSink,
		}[stage.Stage]
	default:
		return exitUnexpected
	}
}

// result is an exit code in a word, for the metric of cycles.
func result(code int) string {
	switch code {
	case exitOK:
		return "ok"
	case exitConfig:
		return "configuration"
	case exitSource:
		return "source"
	case exitSink:
		return "destination"
	case exitConflict:
		return "conflict"
	case exitIntegrity:
		return "integrity"
	case exitStopped, exitInterrupted:
		return "stopped"
	default:
		return "unexpected"
	}
}

// resultCodes are the exit codes that a cycle can end with, each with a word of its own.
func resultCodes() []int {
	return []int{exitOK, exitUnexpected, exitConfig, exitSource, exitSink, exitConflict, exitIntegrity, exitStopped}
}

// What an error is about decides before the stage that it happened in.
//
//nolint:gochecknoglobals // constants
var (
	integrity = []error{
		checkpoint.ErrCorrupt, checkpoint.ErrForeign, exporter.ErrIncomplete, exporter.ErrSourceChanged, exporter.ErrJournalGone,
		exporter.ErrClock, bloodhound.ErrHidden, errUnknownFiles,
		checkpoint.ErrUnfinished,
	}
	misconfigured = []error{checkpoint.ErrNewer, exporter.ErrStart}
	// unsound is a journal that Houndtrail does not go on from.
	unsound = []error{checkpoint.ErrCorrupt, checkpoint.ErrForeign, checkpoint.ErrNewer}
	// incurable are the errors that no later cycle can heal by itself.
	incurable = []error{
		checkpoint.ErrCorrupt, checkpoint.ErrForeign, checkpoint.ErrNewer, checkpoint.ErrUnconditional,
		exporter.ErrSourceChanged, exporter.ErrJournalGone,
	}
)

func isAny(err error, targets []error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// A streamError is why a stream's cycle ended early.
type streamError struct {
	stream string
	err    error
}

func (e *streamError) Error() string {
	prefix := e.stream + " stream: "
	if errors.Is(e.err, exporter.ErrStopped) {
		return prefix + exporter.ErrStopped.Error() + "; the next run starts from the last commit"
	}
	return prefix + strings.ReplaceAll(e.err.Error(), "\n", "\n"+prefix)
}

func (e *streamError) Unwrap() error { return e.err }

// describe is the error as it is printed last, each line under the program's name.
func describe(err error) string {
	if isA[*config.Error](err) {
		return "houndtrail: the configuration is not usable:\n  " + strings.ReplaceAll(err.Error(), "\n", "\n  ")
	}
	if errors.Is(err, context.Canceled) && !isA[*exporter.Error](err) {
		return "houndtrail: interrupted"
	}
	return "houndtrail: " + strings.ReplaceAll(err.Error(), "\n", "\nhoundtrail: ")
}

func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
