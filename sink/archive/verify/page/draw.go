package page

import (
	"fmt"
	"slices"
	"time"
)

// level gives each day a shade.
func (c *calendar) level(days []square) {
	var numbers []int64
	for _, s := range days {
		if s.Records > 0 {
			numbers = append(numbers, s.Records)
		}
	}
	slices.Sort(numbers)
	for i := range c.Levels {
		if n := len(numbers); n > 0 {
			c.Levels[i] = numbers[min(n*(i+1)/(len(c.Levels)+1), n-1)]
		}
	}
	for i := range days {
		days[i].Level = 1
		for _, bound := range c.Levels {
			if days[i].Records > bound {
				days[i].Level++
			}
		}
	}
}

// draw makes rows of months.
func (c *calendar) draw(days []square) {
	const width = 12
	c.From, c.To = days[0].Day, days[len(days)-1].Day
	records := [stateCount]int64{}
	for _, s := range days {
		s.X = (s.Day.Day() - 1) * width
		s.Weekend = s.Day.Weekday() == time.Saturday || s.Day.Weekday() == time.Sunday
		if len(c.Months) == 0 || s.Day.Day() == 1 {
			c.Months = append(c.Months, month{First: s.Day.AddDate(0, 0, 1-s.Day.Day())})
		}
		m := &c.Months[len(c.Months)-1]
		m.Squares = append(m.Squares, s)
		m.Records += s.Records
		m.Days[s.State]++
		c.Records += s.Records
		records[s.State] += s.Records
		if s.State != outside {
			c.Days++
		}
	}
	c.Years = slices.Collect(slices.Chunk(c.Months, 12))
	for _, s := range []state{exact, bounded, unknown, gap, forgotten, finding, empty} {
		if s == forgotten && c.count(s) == 0 {
			continue // most archives have no such day
		}
		c.Lines = append(c.Lines, line{states[s], c.count(s), records[s]})
	}
}

// look lists the days that a reader should look at.
func (c *calendar) look(days []square) {
	const most = 60
	for i := 0; i < len(days); {
		n, sum := i+1, days[i].Records
		for n < len(days) && days[n].State == days[i].State {
			sum += days[n].Records
			n++
		}
		if s := days[i].State; s == unknown || s == gap || s == forgotten || s == finding {
			text := days[i].Day.Format("Mon 2006-01-02")
			if n > i+1 {
				text += fmt.Sprintf(" to %s (%d days)", days[n-1].Day.Format("Mon 2006-01-02"), n-i)
			}
			if text += ": " + states[s].Name; c.Numbers {
				text += ", " + comma(sum) + " records"
			}
			if len(c.Look) < most {
				c.Look = append(c.Look, text)
			} else {
				c.MoreLook++
			}
		}
		i = n
	}
}

// cells returns a row of a table: one day of each month.
func cells(months []month, day int) (all []square) {
	for _, m := range months {
		s := square{}
		for _, has := range m.Squares {
			if has.Day.Day() == day {
				s = has
			}
		}
		all = append(all, s)
	}
	return all
}
