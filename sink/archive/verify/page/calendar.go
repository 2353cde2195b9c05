package page

import (
	"fmt"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// A state is the knowledge about a day. The states are in order of weight. If parts of a day have different states, the day has the
// last one of them.
type state int

const (
	outside state = iota // outside the time for which the journals account
	empty
	exact
	bounded
	unknown
	gap
	forgotten
	finding
	stateCount
)

// about describes a state to a reader.
type about struct{ Name, Short, Mark, Means string }

// states are the states that a day in a calendar can have.
//
//nolint:gochecknoglobals // a constant
var states = [stateCount]about{
	exact:     {"exact", "Exact", "", "As many records were read as the server counted at that time."},
	bounded:   {"bounded", "Bound.", "~", "Records arrived while they were counted: the number lies between the counts before and after."},
	unknown:   {"unknown", "Unkn.", "?", "The server told no count, or was not asked. Nothing is claimed about completeness."},
	gap:       {"gap", "Gap", "×", "No entry accounts for a part of the day, or a record could not be taken. Records may be missing."},
	forgotten: {"forgotten", "Forg.", "-", "Delivered, and removed from the archive on purpose since: the history says why."},
	finding:   {"finding", "Find.", "!", "Delivered, and what the archive has now is not what was committed."},
	empty:     {"empty", "Empty", "", "The server counted 0 records, and none was served."},
}

// mostDays bounds a calendar: a forged journal may account for thousands of years.
const mostDays = 40 * 366

// longEmpty is the least number of days without a record that a calendar leaves out at its beginning.
const longEmpty = 366

// A square is a day.
type square struct {
	Day     time.Time
	X       int
	State   state
	Level   int // 1 to 4, by the number of records
	Records int64
	Weekend bool
	Counted bool // Records is known
}

// Label is the day in words.
func (s square) Label() string {
	if s.State == outside {
		return ""
	}
	if !s.Counted {
		return s.Day.Format("Mon 2006-01-02") + ": " + states[s.State].Name
	}
	return fmt.Sprintf("%s: %s records, %s", s.Day.Format("Mon 2006-01-02"), comma(s.Records), states[s.State].Name)
}

// Class is the style of the square.
func (s square) Class() string {
	switch s.State {
	case gap:
		return "gap"
	case finding:
		return "find"
	case empty, forgotten:
		return "nil"
	default:
		return fmt.Sprintf("l%d", max(s.Level, 1))
	}
}

// Is tells whether the day has the state of that name.
func (s square) Is(name string) bool { return s.State != outside && states[s.State].Name == name }

// Mark is the mark of the state in a black-and-white copy.
func (s square) Mark() string { return states[s.State].Mark }

// A month is a row of a calendar.
type month struct {
	First   time.Time
	Records int64
	Squares []square
	Days    [stateCount]int
}

// On is the number of days with the state of that name.
func (m month) On(name string) (days int) {
	for s, about := range states {
		if about.Name == name {
			days += m.Days[s]
		}
	}
	return days
}

// A line tells how many days have a state.
type line struct {
	about
	Days    int
	Records int64
}

// A calendar is the knowledge about each day.
type calendar struct {
	Numbers      bool // the records of each day are known: the destination is an archive
	Months       []month
	Years        [][]month // the same months, twelve at a time
	Lines        []line
	Days         int
	Records      int64
	From, To     time.Time // the first day, and the last
	Begins, Ends time.Time // the bounds of the account in the period, within these days
	Levels       [3]int64  // bounds of the levels
	Before       string    // says which days are left out at the beginning
	Look         []string  // days that a reader should look at
	MoreLook     int
}

// Has tells whether any day has the state of that name.
func (c *calendar) Has(name string) bool {
	return slices.ContainsFunc(c.Lines, func(l line) bool { return l.Name == name && l.Days > 0 })
}

// count is the number of days with a state.
func (c *calendar) count(s state) (days int) {
	for _, m := range c.Months {
		days += m.Days[s]
	}
	return days
}

// calendar judges each day of the period for which the journals account.
func (d *destination) calendar(since, until time.Time, found map[int64]bool, numbers bool) *calendar {
	account := append(spans(nil), d.backfilled...)
	start := d.start
	if start.IsZero() && len(d.covered) > 0 { // the entry does not tell the start
		start = d.covered[0].Start
	}
	account.add(window.Window{Start: start, End: d.cursor})
	if len(account) == 0 {
		return nil
	}
	all := window.Window{Start: account[0].Start, End: account[len(account)-1].End}
	if since.After(all.Start) {
		all.Start = since
	}
	if !until.IsZero() && until.Before(all.End) {
		all.End = until
	}
	if !all.Start.Before(all.End) {
		return nil
	}
	first, last := day(all.Start), day(all.End.Add(-1))
	for n := range found { // the calendar shows a day with a finding in any case
		if at := date(n); !at.Before(since) && (until.IsZero() || at.Before(until)) && n > last-mostDays && n < last+mostDays {
			first, last = min(first, n), max(last, n)
		}
	}
	c := &calendar{Numbers: numbers, Begins: all.Start, Ends: all.End}
	var days []square
	if last-first >= mostDays {
		c.Before = fmt.Sprintf("The days before %s are not drawn. ", date(last-mostDays+1).Format(time.DateOnly))
		first = last - mostDays + 1
	}
	for n := first; n <= last; n++ {
		s := square{Day: date(n), State: d.judge(n, account, all, numbers), Records: d.records[n], Counted: numbers}
		if found[n] {
			s.State = finding
		}
		days = append(days, s)
	}
	days = c.trim(days)
	c.level(days)
	c.draw(days)
	c.look(days)
	return c
}

// judge returns the state of a day. Without numbers, it cannot tell an empty day.
func (d *destination) judge(n int64, account spans, all window.Window, numbers bool) (s state) {
	whole := window.Window{Start: date(n), End: date(n + 1)}.Intersect(all)
	parts := account.within(whole)
	for _, part := range parts {
		switch {
		case len(window.Gaps(part, d.covered.within(part))) > 0:
			s = max(s, gap)
		case len(d.unknown.within(part)) > 0:
			s = max(s, unknown)
		case len(d.bounded.within(part)) > 0:
			s = max(s, bounded)
		case numbers && d.records[n] == 0:
			s = max(s, empty)
		default:
			s = max(s, exact)
		}
	}
	if d.holed[n] {
		s = max(s, gap)
	}
	if d.forgotten[n] {
		s = max(s, forgotten)
	}
	if s == outside && d.records[n] != 0 { // records of a time for which no journal accounts
		s = unknown
	}
	return s
}

// trim leaves out a long time without a record at the beginning, for example since 1970.
func (c *calendar) trim(days []square) []square {
	n := 0
	for c.Numbers && n < len(days)-1 && days[n].Records == 0 && days[n].State == days[0].State && days[n].State < gap {
		n++
	}
	if n < longEmpty {
		return days
	}
	name := states[days[0].State].Name
	c.Before += fmt.Sprintf("From %s to %s there is no record in the journal: these %s days are %s, and are not drawn.",
		days[0].Day.Format(time.DateOnly), days[n-1].Day.Format(time.DateOnly), comma(int64(n)), name)
	c.Begins = days[n].Day
	return days[n:]
}

// found returns the days of objects with an error.
func found(r *verify.Report) map[int64]bool {
	days := map[int64]bool{}
	for _, f := range r.Findings {
		if key, ok := read.Parse(f.Key); ok && f.Severity == verify.Error {
			days[day(key.Day)] = true
		}
	}
	return days
}
