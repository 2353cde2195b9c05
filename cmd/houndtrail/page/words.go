package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// A problem is what needs a person, and the one command for it.
type problem struct {
	Level, What, Tenant, ID, Also, Since, Why, Effect, Error, Do, Command string
}

// alike tells whether two streams of a tenant have the same problem.
func alike(a, b shown) bool {
	return a.Tenant == b.Tenant && a.State == b.State && a.condition == b.condition && a.Failure.Stage == b.Failure.Stage
}

// verdict is the answer to the one question: is everything archived? The archive comes first, since it alone decides whether
// something is lost.
func verdict(all []shown, now time.Time) (headline, sub string) {
	first, bad := all[0], worst(all)
	done := "archived"
	if first.Name == stream.Webhook {
		done = "delivered"
	}
	upTo := fmt.Sprintf("Everything up to %s UTC is %s", clock(first.Newest.Cursor, now), done)
	behind := now.Sub(first.Newest.Cursor)
	left := ""
	if !first.Deadline.IsZero() {
		left = fmt.Sprintf(" %s left before BloodHound may drop records.", spanLeft(first.Deadline.Sub(now)))
	}
	switch {
	case first.Newest.Serial == 0:
		return fmt.Sprintf("Nothing is %s yet: %s.", done, first.because), "Nothing is lost as long as BloodHound keeps its records."
	case first.rank == rankOK && bad.rank != rankOK:
		return fmt.Sprintf("%s. The %s is %s behind: %s.", upTo, bad.Name, about(now.Sub(bad.Newest.Cursor)), bad.because),
			fmt.Sprintf("What the %s lacks after %s UTC is not lost: it goes on from there.", bad.Name, clock(bad.Newest.Cursor, now)) + left
	case first.rank == rankOK:
		sub = fmt.Sprintf("The last success is %s old; the next sign of life is due by %s UTC.",
			about(now.Sub(first.Success)), clock(first.Due, now))
		return fmt.Sprintf("%s: %s behind.", upTo, about(behind)), sub + left
	case first.rank == rankUnread:
		return "The journal cannot be read: whether the export goes on is not known.", upTo + ", as of the last look that could read it." + left
	case first.goesOn():
		return fmt.Sprintf("%s: %s.", upTo, first.because), fmt.Sprintf("The last success is %s old.", about(now.Sub(first.Success))) + left
	}
	return fmt.Sprintf("The %s does not go on since %s ago: %s.", first.Name, about(now.Sub(sinceOf(first.Stream))), first.because),
		upTo + ". Later records are still in BloodHound, as far as it keeps them." + left
}

// sinceOf is when a stream was last known to be well.
func sinceOf(s *observe.Stream) time.Time {
	if !s.Failure.Since.IsZero() {
		return s.Failure.Since
	}
	return s.Success
}

func spanLeft(d time.Duration) string {
	if d <= 0 {
		return "No time is"
	}
	return about(d) + " are"
}

// problemOf is the box about a stream. A stream that is well has none.
func problemOf(s shown, names bool, now time.Time) (problem, bool) {
	if s.do == "" {
		return problem{}, false
	}
	p := problem{
		Level: s.level, What: fmt.Sprintf("%s: %s", s.Name, s.word), Tenant: plain(s.Tenant), ID: anchorOf(s.Tenant, s.Name),
		Why: sentence(s.because), Do: s.do, Command: s.command,
	}
	if f := s.Failure; f.State != "" && f.Tries > 0 {
		p.Since = fmt.Sprintf("since %s UTC, %s ago, %s in a row, exit code %d",
			clock(f.Since, now), span(now.Sub(f.Since)), plural(int64(f.Tries), "run"), f.Code)
	} else if !s.Success.IsZero() {
		p.Since = fmt.Sprintf("last success %s UTC, %s ago", clock(s.Success, now), span(now.Sub(s.Success)))
	}
	if !s.Paused.IsZero() {
		p.Since += fmt.Sprintf("; the receiver asks for a pause until %s UTC", clock(s.Paused, now))
	}
	if s.Newest.Serial > 0 && !s.goesOn() && s.rank != rankUnread {
		p.Effect = fmt.Sprintf("Records after %s UTC wait in BloodHound.", clock(s.Newest.Cursor, now))
		if !s.Deadline.IsZero() {
			p.Effect += fmt.Sprintf(" It may drop the first of them on %s.", s.Deadline.UTC().Format(time.DateOnly))
		}
	}
	switch {
	case s.Err != nil && names:
		p.Error = plain(s.Err.Error())
	case s.Err != nil:
		p.Error = "The text of the error names hosts. It is in the log, and on this page for a browser on the machine itself."
	}
	return p, true
}

// sentence writes a clause as a sentence.
func sentence(clause string) string {
	if clause == "" {
		return ""
	}
	return strings.ToUpper(clause[:1]) + clause[1:] + "."
}

// anchorOf is the name of the problem box of a stream, for links.
func anchorOf(tenant, name string) string { return "p-" + plain(tenant) + "-" + name }
