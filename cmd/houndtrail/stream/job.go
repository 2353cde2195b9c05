package stream

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// The states of a job that a daemon does besides its exports.
const (
	JobOK         = "ok"
	JobWaiting    = "waiting" // no run was due so far, so there is no result
	JobFailed     = "failed"
	JobDenied     = "denied"     // the job may not delete files, and has changed nothing
	JobFinding    = "finding"    // an object is not as Houndtrail wrote it
	JobOverdue    = "overdue"    // no run has succeeded for too long
	JobUnfinished = "unfinished" // a run was cut off, and queries may see the records of a day twice
)

// A Note says how the last run of a job ended. It is in the object <stream>/state/<job>.json. It is only information: no
// decision depends on it.
type Note struct {
	Since       time.Time `json:"since,omitzero"` // when a daemon first had a schedule for the job
	SucceededAt time.Time `json:"succeeded_at,omitzero"`
	FailedAt    time.Time `json:"failed_at,omitzero"` // set if no run has succeeded since
	State       string    `json:"state,omitempty"`    // the state after that failure
	Reason      string    `json:"reason,omitempty"`
}

// after returns the note after a run. err is the run's error, and state the state for it.
func (n Note) after(err error, now time.Time, state string) Note {
	if err == nil {
		return Note{Since: n.Since, SucceededAt: now}
	}
	n.FailedAt, n.State, n.Reason = now, state, strings.ReplaceAll(err.Error(), "\n", "; ")
	return n
}

// due is the time by which a run should have succeeded. It allows for so many turns, and for the time that the last of them may
// take. It is zero if that time is not known.
func (n Note) due(schedule config.Schedule, turns int, lateness time.Duration) time.Time {
	last := n.SucceededAt
	if last.Before(n.Since) {
		last = n.Since
	}
	if schedule.Spec == "" || last.IsZero() {
		return time.Time{}
	}
	for range turns {
		last = schedule.Next(last)
	}
	return last.Add(lateness)
}

// A failedJobError stands for the error of the last run of a job.
type failedJobError struct {
	Note
	kind    error // the error of the job
	what    string
	finding error // the error for a finding of the job
}

func (e *failedJobError) Error() string {
	return fmt.Sprintf("%s, at %s, ended with: %s", e.what, e.FailedAt.UTC().Format(time.RFC3339), e.Reason)
}

// Unwrap returns errors with the same outcome.
func (e *failedJobError) Unwrap() []error {
	cause := []error{e.kind, &exporter.Error{Stage: exporter.StageSink}}
	if e.State == JobFinding {
		cause = append(cause, e.finding)
	}
	return cause
}

// guarded runs a job. A panic ends it like any other failure.
func guarded(log *zap.Logger, do func() error) (err error) {
	defer func() {
		if defect := recover(); defect != nil {
			log.Error("panic", zap.Any("value", defect), zap.ByteString("panic_stack", debug.Stack()))
			err = fmt.Errorf("%w: %v", errDefect, defect)
		}
	}()
	return do()
}

// A VerificationLook has what a reader learns about a stream's verifications.
type VerificationLook struct {
	VerificationNote

	Schedule config.Schedule // empty if the daemon has no schedule for it
}

// LookAtVerification reads how the last verification of a stream ended. It writes nothing.
func (s *Set) LookAtVerification(ctx context.Context, name string) (VerificationLook, error) {
	schedule := s.config.VerifySchedule.Schedule
	b, err := s.Journals(ctx)
	if err != nil {
		return VerificationLook{Schedule: schedule}, err
	}
	return VerificationIn(ctx, b, name, schedule)
}

// VerificationIn is [Set.LookAtVerification] for a reader of journals that has no settings of the streams.
func VerificationIn(ctx context.Context, b bucket.Bucket, name string, schedule config.Schedule) (l VerificationLook, err error) {
	l.Schedule = schedule
	if l.VerificationNote, err = openVerificationNote(b, name).Read(ctx); err != nil {
		err = At(exporter.StageCheckpoint, fmt.Errorf("read how the last verification ended: %w", err))
	}
	return l, err
}

// Due is when a verification must have succeeded at the latest; zero if that is not known.
func (l *VerificationLook) Due() time.Time {
	return l.due(l.Schedule, verificationTurns, verificationLateness)
}

// Judge is the state of the verification at a time, and the error about it; nil if it is well.
func (l *VerificationLook) Judge(now time.Time) (state string, err error) {
	last := "none has succeeded so far"
	if !l.SucceededAt.IsZero() {
		last = "the last one that succeeded was at " + l.SucceededAt.UTC().Format(time.RFC3339)
	}
	switch due := l.Due(); {
	case l.State == JobFinding:
		return JobFinding, &failedJobError{l.Note, ErrVerification, "the last verification (" + last + ")", ErrTampered}
	case !due.IsZero() && now.After(due):
		reason := "find out whether the daemon runs, and what its log says; without a daemon set the variable to off"
		if !l.FailedAt.IsZero() {
			reason = "the last one ended with: " + l.Reason
		}
		return JobOverdue, fmt.Errorf("%w: %w: %s, and with %sVERIFY_SCHEDULE=%s one had to succeed by %s; whether everything is as it was "+
			"committed is not known: %s", ErrVerification, errVerificationOverdue, last, config.Prefix, l.Schedule.Spec,
			due.UTC().Format(time.RFC3339), reason)
	case !l.FailedAt.IsZero():
		return l.State, &failedJobError{l.Note, ErrVerification, "the last verification (" + last + ")", ErrTampered}
	}
	if l.SucceededAt.IsZero() {
		return JobWaiting, nil
	}
	return JobOK, nil
}
