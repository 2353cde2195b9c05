package exporter

import (
	"cmp"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// firstShare is how full the first window is planned to be if there is a guess at how dense the log is: a page, most likely. Once it is
// read, the others can be read side by side.
const firstShare = 0.3

// knownShare is how full the first windows are planned to be if a page told how dense the log is: two pages, which bring along two of
// the counts that prove the previous window.
const knownShare = 0.6

// A plan is what is still to be read of a walk, and how. It is a value: what was planned ahead is given up by going back to
// the plan that was.
type plan struct {
	*Exporter
	walk

	planner window.Planner
	whole   bool           // the window is not to be cut
	parts   bool           // it is taken in parts, since it does not fit into memory
	beyond  window.Planner // of the windows after this one, if it is short for a crowd; zero if not
	large   bool           // it has a record that is larger than a page may be
	shown   bool           // how dense the log is: a window was read
	share   float64        // of a full window that the next one is planned to have; 0 for all of it
	before  time.Time      // where the previous window was read from; zero if that was sent on by itself
}

func newPlan(e *Exporter, w walk) plan {
	p := plan{Exporter: e, walk: w, planner: e.Windows.Try(w.try)}
	if w.try > 0 { // a page, by the log's average
		p.share = firstShare
	}
	return p
}

// next is the window that is due.
func (p *plan) next() (win window.Window, due bool) {
	if len(p.intents) > 0 {
		// An attempt that was not committed may have left objects for exactly this window: it is taken whole.
		p.whole = true
		win = p.intents[0]
		win.Parts = win.Parts || p.parts
		return win, true
	}
	win, due = p.planner.Next(p.cursor, p.horizon)
	win.Parts = p.parts
	if p.kind.completes() {
		win = p.withinDay(win)
	}
	win.Pass = p.pass
	return win, due
}

// after is what is to be read after a window.
func (p *plan) after(s span) plan {
	next := *p
	next.cursor, next.before, next.since, next.back = s.End, latest(s.since, s.known), s.End, time.Time{}
	if p.kind != walkHistory {
		next.known = s.remembered
	}
	if len(p.intents) > 0 {
		next.intents = p.intents[1:]
	}
	if p.alone() {
		next.planner, next.beyond = p.beyond, window.Planner{}
	}
	next.whole, next.parts, next.large = false, false, false
	return next
}

// adapt takes in that the window was too much; any other error stays one.
func (p *plan) adapt(win window.Window, err error) error {
	if large := (*bloodhound.LargeError)(nil); errors.As(err, &large) {
		p.large = true
		return nil
	}
	tooMany := (*bloodhound.TooManyError)(nil)
	switch {
	case !errors.As(err, &tooMany):
		return err
	case !p.back.IsZero():
		p.back = time.Time{} // the newest record is looked for by itself
	case p.whole || tooMany.Again:
		p.divide()
	case win.Span() > grain && tooMany.Crowd.Equal(win.Start): // by itself
		p.beyond, p.planner = p.planner, p.planner.Until(win, win.Start)
	case win.Span() > grain && win.Contains(tooMany.Crowd): // as far as there
		p.planner = p.planner.Until(win, tooMany.Crowd)
	default:
		if !p.shown {
			p.share = knownShare
		}
		planner, cut := p.planner.Cut(win, tooMany.Fill/p.planned())
		if p.planner = planner; !cut {
			p.divide()
		}
	}
	return nil
}

// divide has a window taken in parts, which is too much and cannot be cut any more.
func (p *plan) divide() {
	p.whole, p.parts = true, true
	if !p.alone() {
		p.beyond = p.planner
	}
}

// alone tells that the window says nothing of how long the next ones are to be.
func (p *plan) alone() bool { return p.beyond != window.Planner{} }

// reach is from when on the window is read, and from when on what is read counts. What is before the overlap is only looked
// at. It may be left out when the window is tried again, and then a record of it would be in an object that the second attempt
// does not replace.
func (p *plan) reach() (from, floor time.Time) {
	if p.back.IsZero() {
		return p.since, p.known
	}
	return p.back, latest(p.known, p.since)
}

// limits are what a window may hold. What is read again before it counts for nothing.
func (p *plan) limits(win window.Window) bloodhound.Limits {
	limits := bloodhound.Limits{
		Share: p.Limits.Share, Large: p.large, Records: p.Limits.Records, Bytes: p.Limits.Bytes, Since: win.Start,
	}
	if !p.back.IsZero() {
		limits.Since = p.back
	}
	return limits
}

// planned is how full the window is planned to be.
func (p *plan) planned() float64 { return cmp.Or(p.share, 1) }

// steady tells that the windows that follow can be planned before this one has been read: they are given, or the last one was
// about as full as it was planned to be.
func (p *plan) steady(fill float64) bool {
	const full = 0.5
	return len(p.intents) > 0 || fill > full && !p.whole && !p.large && !p.alone()
}

// withinDay ends a window with the UTC day, so that the rescan counts whole days.
func (e *Exporter) withinDay(win window.Window) window.Window {
	if midnight := win.Start.Truncate(day).Add(day); e.Rescan >= day && midnight.Before(win.End) {
		win.End = midnight
	}
	return win
}

// counting is what the pages of a window are to be counted from, for the proof of the previous one: its end, its
// beginning, and its end once more. No instant may be after the window's own beginning.
func (e *Exporter) counting(from, before time.Time) []time.Time {
	switch {
	case !e.VerifyCount:
		return nil
	case before.IsZero():
		return []time.Time{from}
	}
	return []time.Time{from, before, from}
}
