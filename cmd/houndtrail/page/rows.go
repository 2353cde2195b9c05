package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// A streamRow is the row of a stream on the page of one tenant.
type streamRow struct {
	Name, To, Icon, Level, State, Reason string
	Began                                bool
	Cursor, Behind                       string
	Spark                                spark
	Records, Last, Serial, Left          string
	LeftLevel                            string
}

func streamRowOf(s shown, names bool, now time.Time) streamRow {
	r := streamRow{
		Name: s.Name, Icon: s.icon, Level: s.level, State: s.word, Began: s.Newest.Serial > 0,
		Cursor: clock(s.Newest.Cursor, now), Behind: span(now.Sub(s.Newest.Cursor)), Spark: sparkOf(s.Stream, now),
		Records: comma(s.Newest.Totals.Delivered), Last: clock(s.Newest.Progress().CommittedAt, now),
		Serial: comma(int64(s.Newest.Serial)),
	}
	if s.rank < rankNone && s.State != stream.StateFailed {
		r.Reason = s.State
	}
	if names {
		r.To = plain(s.Newest.Destination)
	}
	r.Left, r.LeftLevel = leftOf(s.Stream, now)
	return r
}

// leftOf is the time until BloodHound may drop records that are not exported.
func leftOf(s *observe.Stream, now time.Time) (text, level string) {
	left := s.Deadline.Sub(now)
	switch {
	case s.Deadline.IsZero():
		return "-", "ok"
	case left <= 0:
		return "over", "bad"
	case left < nearRetention:
		return span(left), "warn"
	}
	return span(left), "ok"
}

// A tenantRow is the row of a tenant on the page of several.
type tenantRow struct {
	Name, Link              string
	Level                   string
	Archive, Webhook        cell
	Day                     string // records of the last 24 hours
	Left, LeftLevel         string
	Verified, VerifiedLevel string
	Quiet                   bool // it is well, so a phone shows less of it
	Hours                   []bar
	HoursLabel              string
}

// A cell is the state of a stream in the row of a tenant.
type cell struct {
	There                      bool
	Icon, Level, State, Reason string
	Behind, Link               string
	Spark                      spark
}

func tenantRowOf(all []shown, now time.Time) tenantRow {
	first := all[0].Stream
	t := tenantRow{Name: plain(first.Tenant), Link: first.Tenant, Level: worst(all).level, Quiet: worst(all).rank == rankOK}
	for _, s := range all {
		c := cell{There: true, Icon: s.icon, Level: s.level, State: s.word, Behind: "-", Spark: sparkOf(s.Stream, now)}
		if s.Newest.Serial > 0 {
			c.Behind = span(now.Sub(s.Newest.Cursor))
		}
		if s.do != "" {
			c.Link, c.Reason = anchorOf(s.Tenant, s.Name), "what to do"
		}
		if s.Name == all[0].Name {
			t.Archive = c
		} else {
			t.Webhook = c
		}
	}
	if all[0].Name != stream.Archive {
		t.Archive, t.Webhook = cell{}, t.Archive
	}
	h := hoursOf(first, now)
	t.Day, t.Hours = comma(h.Sum), h.Bars
	t.HoursLabel = plural(h.Sum, "record") + " in the last 24 hours"
	t.Left, t.LeftLevel = leftOf(first, now)
	t.Verified, t.VerifiedLevel = verifiedOf(first, now)
	return t
}

// verifiedOf is the result of the last verification in a word.
func verifiedOf(s *observe.Stream, now time.Time) (text, level string) {
	v := s.Verification
	switch {
	case s.Verified == "":
		return "not by a daemon", "none"
	case s.Verified == "finding":
		return "findings", "bad"
	case v.SucceededAt.IsZero():
		return s.Verified, "none"
	case s.Verified != "ok":
		return s.Verified + ", last good " + about(now.Sub(v.SucceededAt)) + " ago", "warn"
	}
	return about(now.Sub(v.SucceededAt)) + " ago", "ok"
}

// A spark is a curve of how far a stream was behind in the last 24 hours. Each has its own scale.
type spark struct {
	Points, Area, Label, Max string
	Limit                    float64 // the height of the limit; 0 if it is above the curve
}

const (
	sparkWidth, sparkHeight = 120.0, 28.0
	sparkHours              = 24
)

// sparkOf draws the curve from the commits: between two of them, the lag grows with the time.
func sparkOf(s *observe.Stream, now time.Time) spark {
	type point struct{ at, behind float64 } // hours from the left, seconds
	begin := now.Add(-sparkHours * time.Hour)
	var points []point
	add := func(at, cursor time.Time) {
		points = append(points, point{at.Sub(begin).Hours(), max(0, at.Sub(cursor).Seconds())})
	}
	commits := s.History.Commits
	for i, c := range slices.Backward(commits) { // oldest first
		if i < len(commits)-1 {
			add(c.At, commits[i+1].Cursor)
		}
		add(c.At, c.Cursor)
	}
	if s.Newest.Serial == 0 {
		return spark{}
	}
	if len(points) == 0 { // nothing was committed in that time
		add(begin, s.Newest.Cursor)
	}
	add(now, s.Newest.Cursor)
	top := 1.0
	for _, p := range points {
		top = max(top, p.behind)
	}
	limit := s.Due.Sub(s.Success).Seconds()
	scale := max(top, min(limit*1.1, top*3))
	var b strings.Builder
	for _, p := range points {
		fmt.Fprintf(&b, "%.1f,%.1f ", max(0, p.at)/sparkHours*sparkWidth, sparkHeight-1-p.behind/scale*(sparkHeight-3))
	}
	line := strings.TrimSpace(b.String())
	out := spark{
		Points: line, Max: span(time.Duration(top) * time.Second),
		Area: fmt.Sprintf("%.1f,%.0f %s %.0f,%.0f", max(0, points[0].at)/sparkHours*sparkWidth, sparkHeight, line, sparkWidth, sparkHeight),
	}
	out.Label = fmt.Sprintf("Behind over the last 24 hours: at most %s, now %s", out.Max, span(now.Sub(s.Newest.Cursor)))
	if limit > 0 && limit <= scale {
		out.Limit = math.Round((sparkHeight-1-limit/scale*(sparkHeight-3))*10) / 10
	}
	return out
}

// mostCommits is how many commits the page lists.
const mostCommits = 8

// A commitRow is one of the last commits.
type commitRow struct {
	At, Stream, Kind, Window, Count, Serial string
	New, Late, Objects                      string
	at                                      time.Time
}

func commitsOf(s *observe.Stream, now time.Time) (rows []commitRow) {
	for _, c := range s.History.Commits[:min(len(s.History.Commits), mostCommits)] {
		r := commitRow{
			at: c.At, At: clock(c.At, now), Stream: s.Name, Kind: plain(string(c.Kind)),
			New: comma(int64(c.Fresh)), Late: comma(int64(c.Late)), Objects: comma(int64(c.Objects)),
			Count: "-", Window: "-", Serial: comma(int64(c.Serial)),
		}
		if c.Start.Before(c.End) {
			r.Window = clock(c.Start, now) + " to " + clock(c.End, now)
		}
		if c.Count != nil {
			r.Count = plain(c.Count.Status)
			if c.Count.Status == checkpoint.CountBounded {
				r.Count = fmt.Sprintf("bounded, %s to %s", comma(c.Count.AtLeast), comma(c.Count.AtMost))
			}
		}
		rows = append(rows, r)
	}
	return rows
}
