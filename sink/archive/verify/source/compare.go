package source

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

// A comparison is a comparison that is under way.
type comparison struct {
	*Account
	Options

	end       time.Time // the end of the compared time
	total     int64     // all records of the server
	done, all int64
}

// Compare compares the archive with the server. It returns an error if a record could not be counted or a file could not be read.
// It returns both a result and an error only if days are Uncounted.
func Compare(ctx context.Context, a *Account, o Options) (*Result, error) {
	c := &comparison{Account: a, Options: o, end: later(a.cursor, o.Due)}
	r := &Result{Server: o.Name, At: o.Now, Cursor: a.cursor, Days: []Day{}}
	if a.cursor.IsZero() && len(a.backfilled) == 0 {
		return r, nil
	}
	if err := c.obeys(ctx); err != nil {
		return nil, err
	}
	taken := c.time()
	if len(taken) == 0 {
		return r, nil
	}
	r.From, r.Until = taken[0].Start, taken[len(taken)-1].End
	c.end = r.Until
	counted, err := c.units(ctx, c.plan(taken))
	if err != nil {
		return nil, err
	}
	if err := c.around(ctx, r); err != nil {
		return nil, err
	}
	for _, u := range counted {
		d, err := c.judge(ctx, u)
		if err != nil {
			return nil, err
		}
		if d.Archive > 0 || d.AtMost > 0 {
			r.Days = append(r.Days, d)
		}
	}
	if err := c.name(ctx, r.Days); err != nil {
		return nil, err
	}
	return r, uncounted(r.Days)
}

// time returns the compared time: the time for which the journals account, up to the time that a run had to reach by now.
func (c *comparison) time() []window.Window {
	taken := slices.Clone(c.backfilled)
	if !c.cursor.IsZero() {
		taken = append(taken, window.Window{Start: c.start, End: c.end})
	}
	within := window.Window{Start: c.Since, End: c.Until}
	if within.End.IsZero() {
		for _, w := range taken {
			within.End = later(within.End, w.End)
		}
	}
	return window.Gaps(within, window.Gaps(within, taken)) // joins neighbours
}

// plan makes the first units. Each day with a record in the archive is a unit, and all days between two of them are one unit.
func (c *comparison) plan(taken []window.Window) (units []*unit) {
	add := func(first, last int64) {
		if u := c.unit(taken, first, last); u != nil {
			units = append(units, u)
		}
	}
	next, last := dayOf(taken[0].Start), dayOf(taken[len(taken)-1].End)
	for _, day := range c.days() {
		if day < next || day > last {
			continue
		}
		add(next, day-1)
		add(day, day)
		next = day + 1
	}
	add(next, last)
	return units
}

// unit makes the unit of these days; nil if no part of them is compared.
func (c *comparison) unit(taken []window.Window, first, last int64) *unit {
	u := &unit{first: first, last: last}
	of := window.Window{Start: date(first), End: date(last + 1)}
	recent := window.Window{Start: c.end.Add(-c.Overlap), End: c.end}
	for _, w := range taken {
		part := w.Intersect(of)
		if part.Span() <= 0 {
			continue
		}
		u.parts = append(u.parts, part)
		if part = part.Intersect(recent); part.Span() > 0 {
			u.recent = append(u.recent, part)
		}
	}
	if len(u.parts) == 0 || first > last {
		return nil
	}
	return u
}

// units counts units. If the archive has no record on several days and the server has some, it counts each half separately.
func (c *comparison) units(ctx context.Context, units []*unit) ([]*unit, error) {
	waiting := units
	var counted []*unit
	for len(waiting) > 0 {
		c.step(0, int64(len(waiting)))
		if err := c.count(ctx, waiting); err != nil {
			return nil, err
		}
		var halves []*unit
		for _, u := range waiting {
			if u.most == 0 || u.first == u.last {
				counted = append(counted, u)
				continue
			}
			middle := (u.first + u.last) / 2
			for _, half := range []*unit{c.unit(u.parts, u.first, middle), c.unit(u.parts, middle+1, u.last)} {
				if half != nil {
					halves = append(halves, half)
				}
			}
		}
		waiting = halves
	}
	slices.SortFunc(counted, func(a, b *unit) int { return int(a.first - b.first) })
	return counted, nil
}

// around counts the server's records before and after the compared time.
func (c *comparison) around(ctx context.Context, r *Result) error {
	if c.Since.IsZero() {
		n, err := c.before(ctx, r.From)
		if err != nil {
			return err
		}
		r.Before = n
	}
	until, err := c.before(ctx, r.Until)
	if err != nil {
		return err
	}
	if c.total, err = c.before(ctx, later(c.Now, r.Until)); err == nil && c.Until.IsZero() {
		r.After = max(c.total-until, 0)
	}
	return err
}

// judge compares a unit with the archive.
func (c *comparison) judge(ctx context.Context, u *unit) (Day, error) {
	d := Day{
		Day: date(u.first).Format(time.DateOnly), number: u.first, Archive: c.records[u.first], AtLeast: u.least, AtMost: u.most,
	}
	surely := d.Archive // records of the compared time
	if c.uncertain(u.first) && u.first == u.last {
		ids, err := c.held(ctx, u.first)
		if err != nil {
			return d, err
		}
		d.Archive, surely = int64(ids.GetCardinality()), int64(ids.GetCardinality())
		d.Why = "The journal does not tell how many records this day has (entries were removed, or the archive was adopted), so its files " +
			"were counted."
	}
	if date(u.first + 1).After(c.end) {
		surely -= min(c.ahead[u.first], surely)
	}
	left := c.left[u.first]
	switch {
	case date(u.first).Before(c.forgotten):
		d.State, d.Why = NotCompared, "Records that are older than "+stamp(c.forgotten)+" were removed from the archive on purpose."
	case c.reset.Serial > 0 && date(u.first).Before(c.reset.CommittedAt):
		d.State, d.Why = NotCompared, fmt.Sprintf("Entry %d is a reset: a person accepted another source, or another state of it, than this "+
			"day was delivered from.", c.reset.Serial)
	case d.AtMost <= surely && u.below == 0 && c.total > 0 && d.Archive > 0:
		d.State = Dropped
	case d.AtLeast > d.Archive+left+u.undue:
		d.State, d.Missing = Missing, d.AtLeast-d.Archive-left-u.undue
	case d.AtMost <= surely && d.AtLeast == d.AtMost && d.AtMost == d.Archive:
		d.State = Equal
	case d.AtMost <= surely:
		d.State = More
	case d.AtLeast != d.AtMost:
		d.State = Uncounted
	case d.AtMost <= surely+left:
		d.State, d.Why = Explained, fmt.Sprintf("The journal names %d records of this day that could not be read or are left out.", left)
	case d.AtMost > surely+left+u.undue:
		d.State, d.Why = Uncounted, "Records of this day were delivered before their time: compare again once the position has passed them."
	default:
		d.State, d.Why = Pending, fmt.Sprintf("%d records of the last %s before %s may have appeared late: the next run looks there again.",
			u.undue, c.Overlap, stamp(c.end))
	}
	return d, nil
}

// uncounted returns an error if it is not known whether a day lacks records.
func uncounted(days []Day) error {
	var names []string
	for i := range days {
		if days[i].State == Uncounted {
			names = append(names, days[i].Day)
		}
	}
	if len(names) == 0 {
		return nil
	}
	const most = 5
	text := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return fmt.Errorf("%w: it is not known whether records are missing of %s, since the numbers changed during each of %d counts, or since "+
		"records were delivered before their time: compare again later", ErrUncounted, text, mostTries)
}

// step notes units that were counted, and units that are to be counted.
func (c *comparison) step(done int64, more ...int64) {
	c.done += done
	for _, n := range more {
		c.all += n
	}
	if c.Progress != nil {
		c.Progress(c.done, c.all)
	}
}
