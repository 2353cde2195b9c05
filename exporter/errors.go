package exporter

import "errors"

// ErrStopped says that a cycle was told to stop before everything was committed. The next one starts from the last commit.
var ErrStopped = errors.New("told to stop before everything was committed")

// Stage names the part of a cycle that failed.
type Stage string

// The stages of a cycle.
const (
	StageSource     Stage = "source"
	StageSink       Stage = "sink"
	StageCheckpoint Stage = "checkpoint"
)

// Error is why a cycle ended early.
type Error struct {
	Stage Stage
	Err   error
}

func (e *Error) Error() string { return string(e.Stage) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RangeError says why what was asked of a [Backfill] cannot be done, and what can. Nothing was done then.
type RangeError struct{ Problem string }

func (e *RangeError) Error() string { return e.Problem }

// failed says in which stage an error came up, unless the error knows better.
func failed(stage Stage, err error) error {
	if err == nil {
		return nil
	}
	if _, known := err.(*Error); known { //nolint:errorlint // what it wraps has a stage of its own
		return err
	}
	return &Error{Stage: stage, Err: err}
}
