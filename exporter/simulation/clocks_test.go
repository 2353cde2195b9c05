package simulation

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// widest is the largest step by which a clock is set at once. People call a smaller step a drift.
const widest = 5 * time.Minute

// setClocks draws further steps of our own clock and the server's, in both directions. It also draws a Date that is far wrong for
// the time of one cycle.
func (p *plan) setClocks(r *rand.Rand) {
	if p.profile == bloodhoundtest.PR3049 { // each cycle reads the records stamped later than our clock: see newPlan
		return
	}
	ours, theirs, together := r.IntN(3) == 0, r.IntN(3) == 0, r.IntN(2) == 0
	if (ours || theirs) && r.IntN(2) == 0 { // each step makes the other clock the earlier one
		p.skew = upTo(r, 2*time.Minute) - time.Minute
	}
	if theirs {
		p.steps = p.jumping(r)
	}
	switch {
	case ours && theirs && together:
		p.ownSteps = slices.Clone(p.steps)
	case ours:
		p.ownSteps = p.jumping(r)
	}
	if r.IntN(6) == 0 {
		at := pick(r, p.ticks...)
		p.dates = []step{
			{at.Add(-time.Second), pick(r, 55*time.Minute, 20*time.Hour)},
			{at.Add(30*time.Second + upTo(r, 2*time.Minute)), 0},
		}
	}
}

// jumping returns up to four steps, alternately forward and back, each just before a cycle. After the first step, the position
// moves ahead. After the next one, the clock is behind it.
func (p *plan) jumping(r *rand.Rand) (steps []step) {
	for range 2 + r.IntN(3) {
		steps = append(steps, step{at: pick(r, p.ticks...).Add(-upTo(r, 90*time.Second))})
	}
	slices.SortFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	for i := range steps {
		steps[i].offset = (widest - upTo(r, widest/2)).Truncate(time.Second)
		if i%2 == 1 {
			steps[i].offset *= -1
		}
	}
	return steps
}

// own is the time of our clock, and told is the server's time as its answers tell it.
func (p *plan) own(at time.Time) time.Time  { return at.Add(offset(p.ownSteps, at)) }
func (p *plan) told(at time.Time) time.Time { return p.server(at).Add(offset(p.dates, at)) }

// dateRule makes the server tell a wrong Date.
func (p *plan) dateRule(now time.Time) time.Time { return now.Add(offset(p.dates, time.Now())) }

// earlier is the earlier of the two clocks.
func (p *plan) earlier(at time.Time) time.Time {
	if own, told := p.own(at), p.told(at); own.Before(told) {
		return own
	}
	return p.told(at)
}

// believed is the longest time for which a cycle uses a time that a clock has told.
const believed = time.Minute

// latest returns the latest time that a cycle may have used if it began up to a moment: no position is later. The two clocks may
// have told their times at different moments.
func (p *plan) latest(at time.Time) (most time.Time) {
	consider := func(t time.Time) {
		own, told, before := p.own(t), p.told(t), t.Add(-believed)
		if was := p.own(before).Add(believed); was.After(own) {
			own = was
		}
		if was := p.told(before).Add(believed); was.After(told) {
			told = was
		}
		if told.Before(own) {
			own = told
		}
		if own.After(most) {
			most = own
		}
	}
	consider(at)
	for _, steps := range [][]step{p.steps, p.ownSteps, p.dates} {
		for _, s := range steps {
			for _, t := range []time.Time{s.at.Add(-1), s.at, s.at.Add(believed)} {
				if t.Before(at) {
					consider(t)
				}
			}
		}
	}
	return most
}

// steady tells that no clock was set between two moments.
func (p *plan) steady(from, to time.Time) bool {
	for _, steps := range [][]step{p.steps, p.ownSteps, p.dates} {
		for _, s := range steps {
			if !s.at.Before(from.Add(-believed)) && !s.at.After(to) {
				return false
			}
		}
	}
	return true
}
