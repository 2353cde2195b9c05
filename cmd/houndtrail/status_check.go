package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
)

// checkStream finds out what the next run would say of a stream whose journal is in order: what can be asked for without
// a run is asked for now, and of all else the last run tells. That the source cannot be asked is no error: it is said
// elsewhere.
func (p *program) checkStream(
	ctx context.Context, c *config.Config, b bucket.Bucket, source sourceState, s *standing,
) error {
	if s.Status != stateNotStarted && s.Status != stateOK && s.Status != stateHoles {
		return nil
	}
	err := p.goesOn(ctx, c, b, source, s)
	switch {
	case err != nil:
	case s.failed:
		err = &lastRunError{s.failure}
	default:
		err = s.overdue(c, source)
	}
	if err != nil {
		s.Status, s.Problem = s.stateAfter(err), strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return err
}

// goesOn is what would keep the next run from going on, as far as that can be told without one.
func (p *program) goesOn(ctx context.Context, c *config.Config, b bucket.Bucket, source sourceState, s *standing) error {
	e := p.exporter(c, s.Stream, source.client, journal(c, b, s.Stream, s.Destination))
	if s.Status == stateNotStarted {
		return p.begins(ctx, c, b, e, source, s)
	}
	if source.client == nil {
		return e.CheckClock(s.stored)
	}
	if _, err := e.Check(ctx, s.stored); exitCode(err) == exitIntegrity {
		return err
	}
	return nil
}

// begins finds out whether a stream without a journal may begin, and has something to begin with.
func (p *program) begins(
	ctx context.Context, c *config.Config, b bucket.Bucket, e *exporter.Exporter, source sourceState, s *standing,
) (err error) {
	if e.Destination, err = p.destinationBeside(ctx, c, b, s.Stream); err != nil {
		return err
	}
	now, _ := source.lagsBehind()
	if err := e.Begins(ctx, s.intents, now); err != nil {
		return err
	}
	if errors.Is(source.err, bloodhound.ErrHidden) {
		return &exporter.Error{Stage: exporter.StageSource, Err: source.err}
	}
	return nil
}

// warn says what a row has no room for.
func (s *standing) warn(w io.Writer) {
	say := func(format string, args ...any) {
		fmt.Fprintf(w, "houndtrail: warning: %s stream: %s\n", s.Stream, fmt.Sprintf(format, args...))
	}
	if s.near && *s.Left <= 0 {
		say("BloodHound may be dropping records that are not exported yet, since %s: find out what holds up the export",
			s.Deadline.UTC().Format(time.RFC3339))
	} else if s.near {
		say("in %s BloodHound may begin to drop records that are not exported yet: find out what holds up the export", s.leftCell())
	}
	if s.unproved {
		say("not all links of the chain of %d commits are verified: --full does it", s.Serial)
	}
	if s.Skew != nil {
		if skew := time.Duration(*s.Skew * float64(time.Second)); skew.Abs() > exporter.Apart {
			way := "ahead of"
			if skew < 0 {
				way = "behind"
			}
			say("BloodHound's clock is %s %s this machine's: Houndtrail goes by the earlier one; set the wrong one right", short(skew.Abs()), way)
		}
	}
	if s.Holes > 0 {
		say("%s left out as unreadable, the newest on %s: houndtrail history -o json tells which (holes)",
			records(s.Holes, "record"), s.HoledAt.Format(time.RFC3339))
	}
	if s.Changed > 0 {
		say("%s found altered or gone at the source; what was delivered stays as it was: houndtrail history -o json tells "+
			"which (changed)", records(s.Changed, "delivered record"))
	}
}

// records is how many there were, and the verb.
func records(n int64, what string) string {
	if n == 1 {
		return "1 " + what + " was"
	}
	return fmt.Sprintf("%d %ss were", n, what)
}
