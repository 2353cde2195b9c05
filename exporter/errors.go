package exporter

import "errors"

// ErrStopped says that a cycle ended before it committed everything, because Stopping told it to. The next one starts from the
// last commit.
var ErrStopped = errors.New("told to stop before everything was committed")

// Stage names the part of a cycle that failed.
type Stage string

// The stages of a cycle.
const (
	StageSource     Stage = "source"
	StageSink       Stage = "sink"
	StageCheckpoint Stage = "checkpoint"
)

// Error says why a cycle ended early.
type Error struct {
	Stage Stage
	Err   error
}

func (e *Error) Error() string { return string(e.Stage) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RangeError says why a [Backfill] cannot do the work that the user asked for, and which work it can do. The Backfill did
// nothing.
type RangeError struct{ Problem string }

func (e *RangeError) Error() string { return e.Problem }

// failed adds the stage in which an error came up, unless the error already names a stage.
func failed(stage Stage, err error) error {
	if err == nil {
		return nil
	}
	if _, known := err.(*Error); known { //nolint:errorlint // an error inside it may have another stage
		return err
	}
	return &Error{Stage: stage, Err: err}
}
