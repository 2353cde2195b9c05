package page

import (
	"fmt"
	"math"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
)

// A retention is the countdown to the time at which BloodHound may drop records.
type retention struct {
	Left, Deadline, Oldest, Kept, Note, Level string
	Fill, Mark                                float64 // percent of the time that BloodHound keeps records
}

func retentionOf(s *observe.Stream, now time.Time) *retention {
	limit := s.Retention.Limit(s.Newest.Oldest)
	r := &retention{Oldest: clock(s.Newest.Oldest.CreatedAt, now), Kept: "unknown"}
	switch {
	case s.Retention.Off:
		r.Kept = "not watched (HOUNDTRAIL_RETENTION=off)"
	case s.Retention.Fixed > 0:
		r.Kept = about(s.Retention.Fixed) + " (as set)"
	case limit > 0:
		r.Kept = about(limit) + " (as far as it is known)"
	default:
		r.Kept = "no limit seen"
	}
	if s.Deadline.IsZero() {
		r.Left, r.Deadline, r.Level = "no limit", "none is expected", "ok"
		r.Note = "Houndtrail does not expect BloodHound to drop any record."
		return r
	}
	left := s.Deadline.Sub(now)
	r.Left, r.Level = leftOf(s, now)
	r.Deadline = s.Deadline.UTC().Format("Mon 2006-01-02 15:04") + " UTC"
	r.Fill = percent(left, limit)
	r.Mark = percent(nearRetention, limit)
	r.Note = fmt.Sprintf("If the export stopped now, the first record could be lost at the deadline. Full: %s; dashed: the alarm at 14 days.",
		about(limit))
	return r
}

// percent is a part of a whole, from 0 to 100.
func percent(part, whole time.Duration) float64 {
	if whole <= 0 {
		return 0
	}
	return math.Round(max(0, min(1, float64(part)/float64(whole)))*1000) / 10
}

// An evidence tells of the integrity of a stream, as far as verifications have looked.
type evidence struct {
	Stream, Level, Result, When, Depth string
	Head, Root, Signed, Counted        string
}

func evidenceOf(s shown, now time.Time) evidence {
	v := s.Verification
	e := evidence{Stream: s.Name, Head: comma(int64(s.Newest.Serial)), Signed: "no key"}
	if s.Newest.Signed {
		e.Signed = "by its runs; this page opens no signature"
	}
	if head, err := s.Newest.TreeHead(); err == nil {
		e.Root = head.Root.Base64()[:8] // enough to compare it with another place by eye
	}
	all := s.Newest.Totals.Exact + s.Newest.Totals.Bounded + s.Newest.Totals.Unknown
	e.Counted = "no record yet"
	if all > 0 {
		e.Counted = fmt.Sprintf("%s of %s records", comma(s.Newest.Totals.Exact), comma(all))
	}
	e.Depth = "the newest entries, all since the last time, and a hundredth of the older ones"
	e.Result, e.Level = "No daemon verifies", "none"
	switch s.Verified {
	case "":
		e.Depth = "nothing: a job does not verify; run houndtrail verify on a schedule"
	case "ok":
		e.Result, e.Level = "No findings", "ok"
		e.When = "verified " + about(now.Sub(v.SucceededAt)) + " ago"
	case "finding":
		e.Result, e.Level = plural(int64(v.Findings["error"]), "finding"), "bad"
		e.When = "found " + about(now.Sub(v.FailedAt)) + " ago"
	case "waiting":
		e.Result, e.Level = "Not verified yet", "none"
	default:
		e.Result, e.Level = "Not verified: "+s.Verified, "warn"
		if !v.SucceededAt.IsZero() {
			e.When = "last without findings " + about(now.Sub(v.SucceededAt)) + " ago"
		}
	}
	return e
}

// hours are the arrivals of the last 24 hours.
type hours struct {
	Sum      int64
	Max, Mid string
	Bars     []bar
	Label    string
	From, To string
	Unread   int // hours that are not read yet
}

// A bar is one hour.
type bar struct {
	X, Y, H      float64
	Label        string
	Part, Unread bool
}

const (
	barPitch  = 12
	barHeight = 80.0
	barBase   = 82.0
)

// hoursOf draws the arrivals by created_at. An hour after the position of the stream is not read yet, and is no zero.
func hoursOf(s *observe.Stream, now time.Time) *hours {
	h := &hours{}
	first := now.Truncate(time.Hour).Add(-23 * time.Hour)
	h.From, h.To = first.Format("Mon 15:04"), "now"
	top := int64(1)
	counts := make([]int64, 24)
	for i := range counts {
		counts[i] = s.History.Hours[first.Add(time.Duration(i)*time.Hour)]
		h.Sum, top = h.Sum+counts[i], max(top, counts[i])
	}
	nice := niceTop(top)
	h.Max, h.Mid = comma(nice), comma(nice/2)
	for i, n := range counts {
		at := first.Add(time.Duration(i) * time.Hour)
		span := fmt.Sprintf("%s to %s UTC: ", at.Format("Mon 15:04"), at.Add(59*time.Minute).Format("15:04"))
		b := bar{X: float64(i*barPitch + 1), Label: span + plural(n, "record")}
		b.H = math.Round(float64(n)/float64(nice)*barHeight*10) / 10
		if n > 0 {
			b.H = max(b.H, 1.5)
		}
		b.Y = math.Round((barBase-b.H)*10) / 10
		b.Part = i == len(counts)-1
		if n == 0 && !at.Before(s.Newest.Cursor) {
			b.Unread = true
			b.Label = span + "not read yet"
			h.Unread++
		}
		h.Bars = append(h.Bars, b)
	}
	h.Label = plural(h.Sum, "record") + " by hour of created_at"
	if h.Unread > 0 {
		h.Label += fmt.Sprintf("; %s not read yet", plural(int64(h.Unread), "hour"))
	}
	return h
}

// niceTop is a round number above n, for the scale.
func niceTop(n int64) int64 {
	for step := int64(10); ; step *= 10 {
		for _, m := range []int64{1, 2, 5} {
			if n <= step*m {
				return step * m
			}
		}
	}
}
