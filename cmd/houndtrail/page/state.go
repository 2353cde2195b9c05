package page

import (
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
)

// A condition is how the page shows the state of a stream. Each has its own shape and words, so that no colour is needed to tell it.
type condition struct {
	rank    int // the order of what needs a person first: 0 is the gravest
	level   string
	icon    string
	word    string // in the table
	because string // in a sentence
	do      string // what a person does about it
	command string
}

// The ranks of conditions.
const (
	rankStopped = iota
	rankUnread
	rankFailing
	rankJob
	rankNear
	rankCatching
	rankNone
	rankOK
)

// nearRetention is the time left from which on the page warns.
const nearRetention = 14 * 24 * time.Hour

// of finds the condition of a stream. A stream is well only in a state that this function knows to be well.
func of(s *observe.Stream, now time.Time) condition {
	switch s.State {
	case stream.StateOK:
		return working(s, now)
	case stream.StateWaiting:
		return condition{rankNone, "info", "none", "waiting", "BloodHound has no record that is old enough", "", ""}
	case stream.StateNotStarted:
		return condition{
			rankNone, "none", "none", "not started", "no run has committed anything yet",
			"Check login, role, clock, stores and receiver, then let the first run begin:", "houndtrail doctor",
		}
	case stream.StateUnreadable:
		if s.Failure.State == "" { // this look itself failed
			return condition{
				rankUnread, "warn", "unknown", "cannot be read", "this page cannot read its journal, so the facts below are old",
				"Find out whether the store answers, and whether this program may read and list it:", "houndtrail doctor",
			}
		}
	case stream.StateVerified, stream.StateCompaction:
		return job(s)
	case stream.StateHoles:
		return condition{
			rankJob, "warn", "warn", "holes", "records could not be read, and were left out",
			"Repair the rows in BloodHound, if you can: Houndtrail delivers them as long as the rescan reaches them. Which they are:",
			"houndtrail history -o json | jq 'select(.holes)'",
		}
	case stream.StateLetters:
		return condition{
			rankJob, "warn", "warn", "dead letter", "its destination refuses records, and lacks them",
			"Read why it refuses each, then send it again or drop it:", "houndtrail deadletter list",
		}
	case stream.StateKilled:
		return condition{
			rankFailing, "warn", "warn", "killed", "its last run did not end by itself",
			"Look at the machine or the pod of that run for the reason: too little memory, most often. To see who it was:",
			"houndtrail status -o wide",
		}
	case stream.StateStale:
		return condition{
			rankStopped, "bad", "stop", "silent", "it shows no sign of life",
			"Find out whether its CronJob or its daemon still runs, and what its log says. To see the same from a shell:", "houndtrail status",
		}
	}
	return stopped(s, now)
}

// working is the condition of a stream that is ok.
func working(s *observe.Stream, now time.Time) condition {
	behind := now.Sub(s.Newest.Cursor)
	switch {
	case !s.Deadline.IsZero() && s.Deadline.Sub(now) < nearRetention:
		return condition{
			rankNear, "warn", "behind", "retention is near", "BloodHound may drop records soon that are not exported",
			"Nothing, if it catches up. If it does not, find out what holds it up:", "houndtrail status",
		}
	case now.Before(s.Due) && behind > s.Due.Sub(s.Success)+exporter.IdleCommit:
		return condition{rankCatching, "info", "catch", "catching up", "it works through a backlog", "", ""}
	}
	return condition{rankOK, "ok", "ok", "ok", "", "", ""}
}

// job is the condition of a stream whose export is well, and whose verification or compaction is not.
func job(s *observe.Stream) condition {
	switch {
	case s.State == stream.StateVerified && s.Verified == stream.JobFinding:
		return condition{
			rankStopped, "bad", "stop", "findings", "its verification found something that is not as it was committed",
			"Read every finding, and what it means, before you change anything:", "houndtrail verify",
		}
	case s.State == stream.StateVerified:
		return condition{
			rankJob, "warn", "warn", "not verified", "its verification failed, or is overdue",
			"Read what the daemon's log says, or verify now:", "houndtrail verify",
		}
	}
	return condition{
		rankJob, "warn", "warn", "not compacted", "the compaction of its archive failed, was cut off, or is overdue",
		"Nothing is lost. Read what the log says, or compact now:", "houndtrail compact",
	}
}

// stopped is the condition of a stream that does not go on.
func stopped(s *observe.Stream, now time.Time) condition {
	c := condition{rankStopped, "bad", "stop", "stopped", s.State, "Look at the whole set-up; each row says what to do:", "houndtrail doctor"}
	switch s.State {
	case stream.StateFailed, stream.StateUnreadable:
		return failing(s, now)
	case stream.StateClock:
		c.because = "a clock is behind its position, or two clocks differ"
		c.do = "Set the clock right that is wrong; the next run then goes on by itself, and nothing is skipped. To see which one it is:"
	case stream.StateChanged:
		c.because = "the audit log is not the one that was exported so far"
		c.do = "Find out why: a backup that was restored, or another server at this address. If the new log is the right one:"
		c.command = `houndtrail accept-reset --reason "..."`
	case stream.StateNoJournal:
		c.because = "the destination holds records, and no journal accounts for them"
		c.do = "Restore the journal from a backup, or rebuild the position from the archive's own files:"
		c.command = `houndtrail adopt --reason "..."`
	case stream.StateIncomplete:
		c.because = "BloodHound counts more records than it shows"
		c.do = "Houndtrail commits nothing until the two agree. Give its user a role that sees every record, and look again:"
	case stream.StateBadRecord:
		c.because = "BloodHound cannot print a record"
		c.do = "Repair that row in BloodHound's database, or let Houndtrail go on without it (HOUNDTRAIL_ON_BAD_RECORD). To see which it is:"
	case stream.StateDamaged, stream.StateRolledBack, stream.StateForked:
		c.because = "the journal is not as it was committed"
		c.do = "Change nothing before you have read what is wrong:"
		c.command = "houndtrail verify"
	case stream.StateForeign:
		c.because = "the journal is of another tenant, source or destination"
		c.do = "Correct the setting; or, if the change is meant, carry the journal over:"
		c.command = `houndtrail move --reason "..."`
	case stream.StateArchive:
		c.because = "the archive that it follows stands still, or is not the one that it followed so far"
		c.do = "Bring the archive's stream back to work first. If its journal was replaced, the message says how to go on:"
		c.command = "houndtrail status"
	case stream.StateSignature:
		c.because = "no key of its runs vouches for the journal"
	case stream.StateNewer:
		c.because = "a newer version of Houndtrail wrote the journal"
		c.do, c.command = "Run that version, or a later one. Which one it is:", "houndtrail status"
	case stream.StateFuture:
		c.because = "its start is in the future"
		c.do = "Set HOUNDTRAIL_START to a time in the past, or wait:"
	}
	return c
}

// failing is the condition of a stream whose runs fail for a reason that may pass.
func failing(s *observe.Stream, now time.Time) condition {
	c := condition{
		rankFailing, "warn", "warn", "failing", "its runs fail",
		"The next run tries again by itself. If it goes on, look at the whole set-up:", "houndtrail doctor",
	}
	switch s.Failure.Stage {
	case string(exporter.StageSource):
		c.word, c.because = "source fails", "BloodHound cannot be read"
	case string(exporter.StageSink):
		c.word, c.because = "cannot be written", "its store does not take records"
		if s.Name == stream.Webhook {
			c.word, c.because = "receiver refuses", "its receiver does not take records"
			c.do = "Look at the receiver. The stream goes on by itself as soon as it takes records again. To try now:"
		}
	case string(exporter.StageCheckpoint):
		c.word, c.because = "journal fails", "the store of its journal does not answer"
	}
	if now.After(s.Due) && s.Name == stream.Archive { // only the archive decides whether something is lost
		c.level, c.icon = "bad", "stop"
	}
	return c
}
