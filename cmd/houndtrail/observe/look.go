package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// A Stream is what an observer knows of one stream. If the last look failed, State and Err say so, and the rest is of the last look
// that did not. Places, names of hosts and Err are for people who may know them.
type Stream struct {
	Tenant string // from the journal, or the settings of its runs; else the name of the folder
	Name   string // archive or webhook
	Place  string // the URL of the folder with the journal's folder

	State string // a word of package stream
	Err   error  // the reason; nil if the stream is well

	Newest  checkpoint.Stored // the zero value if there is no entry
	Run     checkpoint.Run
	Failure checkpoint.Failure     // of the last run; zero if it did not fail
	Lease   checkpoint.LeaseStatus // the zero value if it could not be read

	Schedule  config.Schedule    // of the stream's last run; the default if that is not known
	Retention exporter.Retention // of the stream's last run; the default if that is not known

	Success  time.Time // the last known success: a commit, or a sign of life; zero if there is none
	Due      time.Time // when the stream is stale unless another sign of life comes
	Deadline time.Time // when the source may begin to drop records that are not exported; zero if no record is expected to go

	Paused       time.Time // the receiver wants no request before that time; zero if it has not asked
	Verification stream.VerificationLook
	Verified     string // the state of the verification; "" if nothing is known about any
	Compaction   stream.CompactionLook
	Compacted    string // the state of the compaction; "" if nothing is known about any

	History History
}

// Well tells whether nothing needs a person.
func (s *Stream) Well() bool {
	switch s.State {
	case stream.StateOK, stream.StateWaiting:
		return true
	}
	return false
}

// A watched stream is looked at again and again.
type watched struct {
	Stream
	view     view
	journal  *checkpoint.Journal // keeps what it has verified, so that a look takes few requests
	since    time.Time           // when the observer first looked for it
	expected bool                // a user has named its tenant, and no journal was found
}

func newWatched(v view, name string, since time.Time) *watched {
	folder := path.Base(path.Clean("/" + v.folder))
	if folder == "/" {
		folder = "unknown"
	}
	return &watched{
		Stream: Stream{Tenant: folder, Name: name, Place: v.String()}, view: v, since: since,
		journal: checkpoint.Open(v, checkpoint.Identity{Stream: name}),
	}
}

// look reads the newest entry and the state beside the journal, and judges them.
func (w *watched) look(ctx context.Context, now time.Time, entries int) {
	err := w.expectedErr()
	if err == nil {
		err = w.read(ctx, now)
	}
	if err == nil && entries > 0 {
		// The state does not depend on the pictures: the next round reads the rest.
		if unread := w.History.read(ctx, w.journal, w.Newest.Serial, entries, now); unread != nil {
			w.History.Err = unread
		}
	}
	w.judge(err, now)
}

// expectedErr is the error of a stream that a user has named, and of which no journal was found.
func (w *watched) expectedErr() error {
	if !w.expected {
		return nil
	}
	return fmt.Errorf("%w: no journal of the tenant %s is below %s: compare --tenants and the place with the settings of its runs",
		checkpoint.ErrNotFound, w.Tenant, w.Place)
}

// read sets the facts. It keeps the earlier ones of what it could not read.
func (w *watched) read(ctx context.Context, now time.Time) error {
	newest, err := w.journal.Load(ctx)
	if missing := errors.Is(err, checkpoint.ErrNotFound); err != nil && !missing {
		return err
	}
	if newest.Serial < w.Newest.Serial {
		return fmt.Errorf("%w: this process has seen entry %d of %s, and the newest entry is %d now",
			checkpoint.ErrRolledBack, w.Newest.Serial, w.Place, newest.Serial)
	}
	w.Newest = newest
	run, failure, failed, err := w.journal.LastRun(ctx, &newest.Checkpoint)
	if err != nil {
		return err
	}
	w.Run, w.Failure = run, checkpoint.Failure{}
	if failed {
		w.Failure = failure
	}
	w.Tenant = cmp.Or(newest.Tenant, run.Settings.Tenant, w.Tenant)
	if w.Lease, err = w.journal.LeaseStatus(ctx); err != nil {
		return err
	}
	if w.Name == stream.Webhook {
		w.Paused = stream.PauseIn(ctx, w.view, w.Name, func() time.Time { return now })
	}
	if w.Verification, err = stream.VerificationIn(ctx, w.view, w.Name, schedule(run.Settings.VerifySchedule, "")); err != nil {
		return err
	}
	if w.Name == stream.Archive {
		w.Compaction, err = stream.CompactionIn(ctx, w.view, schedule(run.Settings.CompactSchedule, ""))
	}
	return err
}

// defaultSchedule is SCHEDULE's default: the schedule of a stream whose runs have left none.
const defaultSchedule = "@every 5m"

// schedule reads a schedule that a run has left; other is for one that makes no sense.
func schedule(spec, other string) (s config.Schedule) {
	if s.UnmarshalText([]byte(spec)) != nil || spec == "" {
		s = config.Schedule{}
		_ = s.UnmarshalText([]byte(other)) // a constant of this package, or none
	}
	return s
}

// settle reads the time that a run waits for late records.
func settle(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 2 * time.Minute // SETTLE's default
	}
	return d
}

// judge sets the times, the state and its reason. err is the error of the look.
func (w *watched) judge(err error, now time.Time) {
	set := w.Run.Settings
	w.Schedule = schedule(set.Schedule, defaultSchedule)
	var kept config.Retention
	if kept.UnmarshalText([]byte(set.Retention)) != nil {
		kept = config.Retention{}
	}
	w.Retention = exporter.Retention(kept)
	w.Deadline = w.Retention.Deadline(w.Newest.Cursor, w.Newest.Oldest)
	w.Success = later(w.Newest.Progress().CommittedAt, w.Run.SucceededAt)
	last := w.Success
	if last.After(now.Add(stream.Lateness)) { // a clock was ahead then: without this, no run would be overdue until that time
		last = w.Newest.Cursor
	}
	if last.IsZero() {
		last = w.since
	}
	w.Due = stream.Due(w.Schedule, settle(set.Settle), last)
	if failing := w.Failure.Since; !failing.IsZero() { // then the last success is known to be before that
		failing = w.Schedule.Next(w.Schedule.Next(failing)).Add(stream.Lateness)
		w.Due = earlier(w.Due, failing)
	}
	w.Err = w.problem(err, now)
	switch {
	case errors.Is(err, checkpoint.ErrNotFound), w.Err == nil && w.Newest.Serial == 0 && w.Run.SucceededAt.IsZero():
		w.State = stream.StateNotStarted
	default:
		w.State = stream.StateOf(w.Err, stream.Position{
			Serial: w.Newest.Serial, Holed: w.Newest.Holed(), Letters: len(w.Newest.DeadLetters),
		})
	}
}

// problem is the error that tells the state of the stream: the gravest of all that is wrong.
func (w *watched) problem(err error, now time.Time) error {
	verified, unverified := w.verified(now)
	compacted, uncompacted := w.compacted(now)
	w.Verified, w.Compacted = verified, compacted
	switch {
	case errors.Is(err, checkpoint.ErrNotFound):
		return err
	case err != nil:
		return stream.At(exporter.StageCheckpoint, err)
	case w.Failure.State != "":
		return stream.LastRun(w.Failure)
	case !w.Lease.Held && w.Lease.Holder != checkpoint.Holder{}:
		return fmt.Errorf("%w: the one of %s, which began at %s, did not give its lease back; look there for the reason (too little memory, "+
			"most often); nothing is lost, and the next run goes on from the last commit",
			stream.ErrKilled, w.Lease.Holder.Host, w.Lease.Since.UTC().Format(time.RFC3339))
	case now.After(w.Due) && w.Lease.Expires <= 0:
		return fmt.Errorf("%w: the last sign of life is of %s, and with the schedule %s the next one was due by %s; find out whether "+
			"Houndtrail still runs (the CronJob, the daemon), and what its log says; nothing is lost as long as BloodHound keeps its records",
			stream.ErrStale, instant(w.Success), w.Schedule.Spec, instant(w.Due))
	}
	return cmp.Or(unverified, uncompacted)
}

// verified is the state of the verifications, and the error about one that needs a person.
func (w *watched) verified(now time.Time) (string, error) {
	v := &w.Verification
	if v.Since.IsZero() && v.SucceededAt.IsZero() && v.FailedAt.IsZero() {
		return "", nil
	}
	state, err := v.Judge(now)
	if state == stream.JobFailed && v.Schedule.Spec == "" { // a person tried it once
		err = nil
	}
	return state, err
}

// compacted is the state of the compactions, and the error about one that needs a person.
func (w *watched) compacted(now time.Time) (string, error) {
	c := &w.Compaction
	if !c.Known() {
		return "", nil
	}
	var held time.Time
	if w.Lease.Held {
		held = w.Lease.Since
	}
	state, err := c.Judge(now, held)
	if (state == stream.JobFailed || state == stream.JobDenied) && c.Schedule.Spec == "" {
		err = nil
	}
	return state, err
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "before this process began"
	}
	return t.UTC().Format(time.RFC3339)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Freshen takes what the process that runs the stream knows beyond its journal: its last success, and the time before which
// everything is delivered.
func (s *Stream) Freshen(success, until time.Time) {
	s.Success = later(s.Success, success)
	s.Newest.Cursor = later(s.Newest.Cursor, until)
}
