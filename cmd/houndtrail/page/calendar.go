package page

import (
	"fmt"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
)

// A calendar has the records of each day of the last 53 weeks.
type calendar struct {
	Title, Sum string
	Halves     []half
	Months     []month
	Odd        []string  // the days that a person may want to look at
	Levels     [3]string // the bounds between the four shades
}

// A half is a part of the calendar that fits beside the others, or below them.
type half struct {
	Label  string
	Months []monthName
	Cells  []dayCell
}

type monthName struct {
	X    int
	Name string
}

// A dayCell is a day: its shade says how many records it has, and its shape what the server's own count says.
type dayCell struct {
	X, Y             int
	Class, Label     string
	Bounded, Unknown bool
	Hole, Nil, Now   bool
	day              time.Time
	records          int64
	state            string
}

// A month is a row of the table that says the same.
type month struct {
	Name                                          string
	Records                                       string
	Exact, Bounded, Unknown, Holes, Empty, Untold int
	records                                       int64
}

// The states of a day, the worst last: of several tenants, a day shows the worst.
const (
	dayEmpty   = "empty"
	dayExact   = checkpoint.CountExact
	dayBounded = checkpoint.CountBounded
	dayUnknown = checkpoint.CountUnknown
	dayUntold  = "untold"  // no entry accounts for it, as far as the page has read
	dayPending = "pending" // after the position of the stream
	dayHoles   = "holes"
)

const (
	cellPitch, cellTop, cellLeft = 23, 22, 36
	calendarWeeks                = 53
)

// calendarOf draws the days of one stream, or the sums of several.
func calendarOf(streams []*observe.Stream, now time.Time) *calendar {
	c := &calendar{Title: "Records a day in the " + streams[0].Name}
	if len(streams) > 1 {
		c.Title = "Records a day, all tenants; a day shows the worst state of any"
	}
	today := now.Truncate(24 * time.Hour)
	monday := today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
	start := monday.AddDate(0, 0, -7*(calendarWeeks-1))
	var days []dayCell
	for d := start; !d.After(today); d = d.AddDate(0, 0, 1) {
		if cell, there := dayOf(streams, d, now); there {
			days = append(days, cell)
		}
	}
	c.shade(days)
	c.draw(days, start)
	c.table(days)
	return c
}

// dayOf is a day of the streams. It is not there before the beginning of all of them.
func dayOf(streams []*observe.Stream, d, now time.Time) (c dayCell, there bool) {
	order := []string{dayEmpty, dayExact, dayBounded, dayUnknown, dayUntold, dayPending, dayHoles}
	c.day, c.state = d, dayEmpty
	for _, s := range streams {
		state, records, is := stateOf(s, d)
		if !is {
			continue
		}
		there = true
		c.records += records
		if slices.Index(order, state) > slices.Index(order, c.state) {
			c.state = state
		}
	}
	if c.state == dayEmpty && c.records > 0 {
		c.state = dayExact
	}
	c.Now = d.Equal(now.Truncate(24 * time.Hour))
	return c, there
}

// stateOf is the state of a day of one stream.
func stateOf(s *observe.Stream, d time.Time) (state string, records int64, there bool) {
	if s.Newest.Serial == 0 {
		return "", 0, false
	}
	is, known := s.History.Days[d]
	over := d.AddDate(0, 0, 1)
	switch {
	case is.Holes > 0:
		return dayHoles, is.Records, true
	case !d.Before(s.Newest.Cursor), over.After(s.Newest.Cursor) && s.Failure.State != "":
		return dayPending, is.Records, true
	case known && is.Count != "":
		switch {
		case is.Count == checkpoint.CountExact && is.Records == 0:
			return dayEmpty, 0, true
		case is.Count == checkpoint.CountOff:
			return dayUnknown, is.Records, true
		}
		return is.Count, is.Records, true
	case known, s.Newest.Start.Before(over) && !s.Newest.Start.IsZero():
		return dayUntold, is.Records, true
	}
	return "", 0, false
}

// shade gives each day one of four shades: a quarter of the days has each.
func (c *calendar) shade(days []dayCell) {
	var all []int64
	for _, d := range days {
		if d.records > 0 {
			all = append(all, d.records)
		}
	}
	bounds := boundsOf(all)
	for i := range bounds {
		c.Levels[i] = comma(bounds[i])
	}
	for i := range days {
		d := &days[i]
		level := 1
		for _, bound := range bounds {
			if d.records > bound {
				level++
			}
		}
		d.Class = fmt.Sprintf("l%d", level)
		switch d.state {
		case dayEmpty:
			d.Class, d.Nil = "nil", true
		case dayPending, dayUntold:
			d.Class = "pend"
		case dayHoles:
			d.Class, d.Hole = "gap", true
		case dayBounded:
			d.Bounded = true
		case dayUnknown:
			d.Unknown = true
		}
		d.Label = d.label()
	}
}

// boundsOf are the bounds between the shades: a quarter of the days lies below each. If many days are alike, the shades divide the
// largest day instead.
func boundsOf(all []int64) (bounds [3]int64) {
	if len(all) == 0 {
		return bounds
	}
	slices.Sort(all)
	for i := range bounds {
		bounds[i] = all[len(all)*(i+1)/4]
	}
	if top := all[len(all)-1]; bounds[0] == bounds[1] || bounds[1] == bounds[2] || bounds[2] == top {
		for i := range bounds {
			bounds[i] = top * int64(i+1) / 4
		}
	}
	return bounds
}

// label is the day in words.
func (d *dayCell) label() string {
	name, records := d.day.Format("Mon 2006-01-02")+": ", plural(d.records, "record")
	so := ""
	if d.Now {
		so = ", so far"
	}
	switch d.state {
	case dayEmpty:
		return name + "empty, the server counted 0" + so
	case dayExact:
		return name + records + ", exactly the server's count" + so
	case dayBounded:
		return name + records + ", within the server's counts before and after" + so
	case dayUnknown:
		return name + records + ", the server told no count" + so
	case dayHoles:
		return name + records + ", and some that could not be read were left out"
	case dayPending:
		return name + records + " so far, the rest is not read yet"
	}
	return name + "no entry that this page has read accounts for this day"
}

// draw puts the days into three parts of 18 weeks.
func (c *calendar) draw(days []dayCell, start time.Time) {
	for _, weeks := range [][2]int{{0, 18}, {18, 36}, {36, calendarWeeks}} {
		h := half{}
		from, to := start.AddDate(0, 0, weeks[0]*7), start.AddDate(0, 0, weeks[1]*7-1)
		last := -100
		for w := weeks[0]; w < weeks[1]; w++ {
			x, monday := cellLeft+(w-weeks[0])*cellPitch, start.AddDate(0, 0, w*7)
			if monday.Day() > 7 || x-last <= 40 {
				continue
			}
			name := monday.Format("Jan")
			if monday.Month() == time.January || len(h.Months) == 0 {
				name = monday.Format("Jan 2006")
			}
			h.Months, last = append(h.Months, monthName{x, name}), x
		}
		for _, d := range days {
			if d.day.Before(from) || d.day.After(to) {
				continue
			}
			n := int(d.day.Sub(from).Hours() / 24)
			d.X, d.Y = cellLeft+n/7*cellPitch, cellTop+n%7*cellPitch
			h.Cells = append(h.Cells, d)
		}
		if len(h.Cells) == 0 {
			continue // the stream is younger
		}
		h.Label = from.Format(time.DateOnly) + " to " + to.Format(time.DateOnly)
		c.Halves = append(c.Halves, h)
	}
}

// table sums up the months, and names the days to look at.
func (c *calendar) table(days []dayCell) {
	var records int64
	proved := 0
	for _, d := range days {
		name := d.day.Format("2006-01")
		if n := len(c.Months); n == 0 || c.Months[n-1].Name != name {
			c.Months = append(c.Months, month{Name: name})
		}
		m := &c.Months[len(c.Months)-1]
		m.records += d.records
		m.Records = comma(m.records)
		records += d.records
		switch d.state {
		case dayExact:
			m.Exact++
			proved++
		case dayEmpty:
			m.Empty++
			proved++
		case dayBounded:
			m.Bounded++
		case dayUnknown:
			m.Unknown++
		case dayHoles:
			m.Holes++
		default:
			m.Untold++
		}
		if d.state == dayHoles || d.state == dayUnknown {
			c.Odd = append(c.Odd, d.Label)
		}
	}
	c.Sum = fmt.Sprintf("%s on %s. On %s of them there are exactly as many as the server counted.",
		plural(records, "record"), plural(int64(len(days)), "day"), comma(int64(proved)))
}
