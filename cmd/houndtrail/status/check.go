package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// check finds out how the next run of a stream would end if the journal is sound. It asks for everything that it can learn
// without a run. For the rest, it takes the last run's failure. If the source does not answer, check returns no error for that:
// the report says so in another place.
func (s *Row) check(ctx context.Context, c *config.Config, set *stream.Set, j *checkpoint.Journal, source sourceState) error {
	compaction, verification := s.compacts(ctx, set, source.own), s.verifies(ctx, set, source.own)
	if !slices.Contains([]string{stream.StateNotStarted, stream.StateOK, stream.StateHoles, stream.StateLetters}, s.Status) {
		return nil
	}
	letters, err := s.lacks(ctx, set)
	if err == nil {
		err = s.goesOn(ctx, set, j, source)
	}
	switch {
	case err != nil:
	case s.failed:
		err = stream.LastRun(s.failure)
	default:
		schedule, variable := set.Schedule(s.Stream)
		err = s.overdue(schedule, variable, c.Settle, source)
	}
	if err == nil {
		err = cmp.Or(letters, verification, compaction)
	}
	if err != nil {
		s.Status, s.Problem = s.stateAfter(err), oneLine(err)
	}
	return err
}

// lacks returns the error about open letters, which a backfill of the stream may have left too.
func (s *Row) lacks(ctx context.Context, set *stream.Set) (letters, err error) {
	if s.Stream == stream.Webhook {
		past, err := set.Lettered(ctx, stream.BackfillOf(s.Stream))
		if err != nil {
			return nil, err
		}
		s.Letters += past
	}
	return stream.Lacks(s.Letters), nil
}

// goesOn returns the error that would stop the next run, as far as status can tell it without a run.
func (s *Row) goesOn(ctx context.Context, set *stream.Set, j *checkpoint.Journal, source sourceState) error {
	e := set.Exporter(s.Stream, source.client)
	e.Store, e.Log = j, zap.NewNop()
	if s.Status == stream.StateNotStarted {
		return s.begins(ctx, set, e, source)
	}
	if set.FollowsArchive(s.Stream) {
		return set.CheckFollows(ctx, s.stored)
	}
	if source.client == nil {
		return e.CheckClock(s.stored)
	}
	if _, err := e.Check(ctx, s.stored); stream.OutcomeOf(err) == stream.Unsound {
		return err
	}
	return nil
}

// begins finds out whether a stream without a journal may begin, and whether the source shows its records.
func (s *Row) begins(ctx context.Context, set *stream.Set, e *exporter.Exporter, source sourceState) (err error) {
	if set.Tenant() == "" {
		return stream.Usagef("%[1]sTENANT: not set, nor is %[1]sBLOODHOUND_URL to take it from, and without a journal it cannot be told "+
			"which files of the archive would be the stream's; give one of the two", config.Prefix)
	}
	if e.Destination, err = set.Held(ctx, s.Stream); err != nil {
		return err
	}
	now, _ := source.lagsBehind()
	if err := e.Begins(ctx, s.intents, now); err != nil {
		return err
	}
	if errors.Is(source.err, bloodhound.ErrHidden) {
		return stream.At(exporter.StageSource, source.err)
	}
	return nil
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// pauses sets the end of the pause for which the receiver asks.
func (s *Row) pauses(ctx context.Context, set *stream.Set) (err error) {
	s.NotBefore, err = set.Postponed(ctx, s.Stream)
	return err
}

// warnings are the texts that do not fit into a row.
func (s *Row) warnings() (all []string) {
	say := func(format string, args ...any) {
		all = append(all, s.Stream+" stream: "+fmt.Sprintf(format, args...))
	}
	if s.near && *s.Left <= 0 {
		say("BloodHound may be dropping records that are not exported yet, since %s: find out what holds up the export",
			show.Second(s.Deadline))
	} else if s.near {
		say("in %s BloodHound may begin to drop records that are not exported yet: find out what holds up the export", s.leftCell())
	}
	if s.Compaction.Problem != "" && s.Status != stream.StateCompaction {
		say("%s", s.Compaction.Problem)
	}
	if v := s.Verification; v != nil && v.Problem != "" && s.Status != stream.StateVerified {
		say("%s", v.Problem)
	}
	if s.uncompacted {
		say("%sCOMPACT_SCHEDULE is set here, and no daemon with it has run yet", config.Prefix)
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
			say("BloodHound's clock is %s %s this machine's: Houndtrail goes by the earlier one; set the wrong one right",
				show.Duration(skew.Abs()), way)
		}
	}
	if s.Holes > 0 {
		say("%s left out as unreadable, the newest on %s: houndtrail history -o json tells which (holes)",
			records(s.Holes, "record"), show.Second(s.HoledAt))
	}
	if s.Letters > 0 && s.Status != stream.StateLetters {
		say("the destination lacks %s: houndtrail deadletter list shows why", refused(s.Letters))
	}
	if s.Totals != nil && s.Totals.Dropped > 0 {
		say("%s dropped from the dead letter, and the destination never gets them: houndtrail history -o json tells which and why (settled)",
			records(s.Totals.Dropped, "record"))
	}
	if s.Changed > 0 {
		say("%s found altered or gone at the source; what was delivered stays as it was: houndtrail history -o json tells "+
			"which (changed)", records(s.Changed, "delivered record"))
	}
	if !s.NotBefore.IsZero() {
		say("%v", &webhook.PostponedError{Until: s.NotBefore})
	}
	return all
}

// refused is a number of records in the dead letter.
func refused(n int) string {
	if n == 1 {
		return "1 record that it refuses"
	}
	return fmt.Sprintf("%d records that it refuses", n)
}

// records is a number of records, with the verb.
func records(n int64, what string) string {
	if n == 1 {
		return "1 " + what + " was"
	}
	return fmt.Sprintf("%d %ss were", n, what)
}
