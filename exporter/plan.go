package exporter

import (
	"cmp"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// firstShare is how full the first window should be if Houndtrail can only guess how dense the log is: most likely one page.
// Once it has read that window, it can read the others at the same time.
const firstShare = 0.3

// knownShare is how full the first windows should be if a page told how dense the log is: two pages. They bring along two of
// the counts that prove the previous window.
const knownShare = 0.6

// A plan says which part of a walk Houndtrail still has to read, and how. It is a value: to give up the windows planned ahead,
// the fetcher goes back to an earlier plan.
type plan struct {
	*Exporter
	walk

	planner window.Planner
	whole   bool           // the window must not be cut
	parts   bool           // Houndtrail takes it in parts, since it does not fit into memory
	beyond  window.Planner // of the windows after this one, if this one is short because of a crowd; zero if not
	large   bool           // it has a record that is larger than a page may be
	shown   bool           // a window was read, which shows how dense the log is
	share   float64        // how full the next window should be, as a part of a full one; 0 for all of it
	before  time.Time      // from when on the previous window was read; zero if that was sent on alone
}

func newPlan(e *Exporter, w walk) plan {
	p := plan{Exporter: e, walk: w, planner: e.Windows.Try(w.try)}
	if w.try > 0 { // about one page, by the log's average
		p.share = firstShare
	}
	return p
}

// next is the window that is due.
func (p *plan) next() (win window.Window, due bool) {
	if len(p.intents) > 0 {
		// An attempt that was not committed may have left objects for exactly this window, so Houndtrail takes it whole.
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

// after is the plan for the time after a window.
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

// adapt changes the plan if the window was too much; it returns any other error.
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
		p.back = time.Time{} // checkContinuity then looks for the newest record alone
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

// divide lets Houndtrail take the window in parts: the window is too much, and cannot be cut any more.
func (p *plan) divide() {
	p.whole, p.parts = true, true
	if !p.alone() {
		p.beyond = p.planner
	}
}

// alone tells that the window does not show how long the next windows should be.
func (p *plan) alone() bool { return p.beyond != window.Planner{} }

// reach returns the instant from which on Houndtrail reads the window, and the instant from which on the records count.
// Houndtrail only looks at records from before the overlap. If it tries the window again, it may leave them out. So if they
// counted, an object could have such a record, and the second attempt would not replace that object.
func (p *plan) reach() (from, floor time.Time) {
	if p.back.IsZero() {
		return p.since, p.known
	}
	return p.back, latest(p.known, p.since)
}

// limits are the bounds of a window. Records from before its start, which Houndtrail reads again, do not count.
func (p *plan) limits(win window.Window) bloodhound.Limits {
	limits := bloodhound.Limits{
		Share: p.Limits.Share, Large: p.large, Records: p.Limits.Records, Bytes: p.Limits.Bytes, Since: win.Start,
	}
	if !p.back.IsZero() {
		limits.Since = p.back
	}
	return limits
}

// planned is the planned fill of the window.
func (p *plan) planned() float64 { return cmp.Or(p.share, 1) }

// steady tells that the fetcher can plan the next windows before it has read this one: they are given, or the last window was
// about as full as planned.
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

// counting returns the instants from which the server should count with the pages of a window, for the proof of the previous
// window: its end, its beginning, and its end once more. None of these instants may be after the window's own beginning.
func (e *Exporter) counting(from, before time.Time) []time.Time {
	switch {
	case !e.VerifyCount:
		return nil
	case before.IsZero():
		return []time.Time{from}
	}
	return []time.Time{from, before, from}
}
