package exporter

import (
	"cmp"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// firstShare is how full the first window should be if Houndtrail can only guess how dense the log is. So full, the window most
// likely takes one page. Once Houndtrail has read that window, it can read several others at the same time.
const firstShare = 0.3

// knownShare is how full the first windows should be if a page has told how dense the log is: two pages. These pages also bring
// two of the counts that prove the previous window.
const knownShare = 0.6

// A plan says which part of a walk Houndtrail still has to read, and how. It is a value, so the fetcher can keep earlier plans:
// to give up the windows that it planned ahead, it goes back to one of them.
type plan struct {
	*Exporter
	walk

	planner window.Planner
	whole   bool           // the window must not be cut
	parts   bool           // Houndtrail takes it in parts, since it does not fit into memory
	beyond  window.Planner // for the windows after this one, if a crowd made this one short; zero if not
	large   bool           // the window has a record that is larger than a page may be
	shown   bool           // Houndtrail has read a window, which shows how dense the log is
	share   float64        // how full the next window should be, compared with a full one; 0 for full
	before  time.Time      // Houndtrail read the previous window from then on; zero if that window was sent on alone
}

func newPlan(e *Exporter, w walk) plan {
	p := plan{Exporter: e, walk: w, planner: e.Windows.Try(w.try)}
	if w.try > 0 { // about one page, if the log is equally dense everywhere
		p.share = firstShare
	}
	return p
}

// next is the window that is due.
func (p *plan) next() (win window.Window, due bool) {
	if len(p.intents) > 0 {
		// An attempt that was not committed may have left objects for exactly this window, so Houndtrail does not cut it.
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
	if !p.kind.unknown() {
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

// adapt changes the plan if the error says that the window was too much. It returns every other error.
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
		p.back = time.Time{} // the newest delivered record is not read with the window then: checkContinuity looks for it alone
	case p.whole || tooMany.Again:
		p.divide()
	case win.Span() > grain && tooMany.Crowd.Equal(win.Start): // the crowd alone
		p.beyond, p.planner = p.planner, p.planner.Until(win, win.Start)
	case win.Span() > grain && win.Contains(tooMany.Crowd): // up to the crowd
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

// divide makes Houndtrail take the window in parts: the window is too much, and Houndtrail must not cut it further.
func (p *plan) divide() {
	p.whole, p.parts = true, true
	if !p.alone() {
		p.beyond = p.planner
	}
}

// alone tells that this window is an exception: it does not show how long the next windows should be.
func (p *plan) alone() bool { return p.beyond != window.Planner{} }

// reach returns two instants: Houndtrail reads the window from the first one on, and the records count as new from the second
// one on. Records from before the overlap never count: Houndtrail only compares them. A second attempt at the window may not
// read them. If they counted, the first attempt might write an object with such a record, and the second attempt would not
// replace that object.
func (p *plan) reach() (from, floor time.Time) {
	if p.back.IsZero() {
		return p.since, p.known
	}
	return p.back, latest(p.known, p.since)
}

// limits are how much the window may bring. Records from before its start are read again, and do not count.
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

// steady tells that the fetcher can plan the next windows before it has read this one: the windows are given, or the last
// window was about as full as planned.
func (p *plan) steady(fill float64) bool {
	const full = 0.5
	return len(p.intents) > 0 || fill > full && !p.whole && !p.large && !p.alone()
}

// withinDay ends a window at the end of the UTC day, so that the rescan counts whole days.
func (e *Exporter) withinDay(win window.Window) window.Window {
	if midnight := win.Start.Truncate(day).Add(day); e.Rescan >= day && midnight.Before(win.End) {
		win.End = midnight
	}
	return win
}

// counting returns the instants from which the server should count with the pages of a window. These counts prove the previous
// window: from its end, from its beginning, and from its end again. A page counts only from instants that are not after the
// window's own beginning.
func (e *Exporter) counting(from, before time.Time) []time.Time {
	switch {
	case !e.VerifyCount:
		return nil
	case before.IsZero():
		return []time.Time{from}
	}
	return []time.Time{from, before, from}
}

// A kind says why Houndtrail walks a span of time, and so how its windows change the position.
type kind int

const (
	walkDue      kind = iota // from the position to now
	walkBackfill             // before the stream's start, in its own journal: each window counts for itself
	walkRescan               // the last days once more, to find late records
	walkResumed              // windows that another walk has declared and not committed
	walkSearch               // behind the position, because a clock was set back
	walkSearchOn             // the same, after an entry has said that a search is owed
	walkHistory              // records that appeared before the start of a stream that has everything
	walkAhead                // records with times later than both clocks
	walkLate                 // late records alone, of a stream that follows an archive
)

// entry is the kind of the entries that the walk commits.
func (k kind) entry() checkpoint.Kind {
	switch k {
	case walkDue, walkBackfill:
		return checkpoint.KindExport
	case walkHistory:
		return checkpoint.KindHistory
	case walkAhead:
		return checkpoint.KindAhead
	default:
		return checkpoint.KindRescan
	}
}

// keepsPosition tells that the position does not move. Then every record that the set of delivered ids does not know is new.
func (k kind) keepsPosition() bool { return k.entry() != checkpoint.KindExport }

// past tells that the journal has no next cycle that looks back, so the set remembers no ids.
func (k kind) past() bool { return k == walkBackfill }

// completes tells that after this walk, the rescan is done.
func (k kind) completes() bool { return k == walkRescan }

// owes tells that a rescan is due after this walk, even if the schedule asks for none.
func (k kind) owes() bool { return k == walkSearch || k == walkSearchOn }

// unknown tells that the stream has delivered no record of the walk, however old it is. So each record that the set does not know is
// new, also one of a time that the set does not remember.
func (k kind) unknown() bool { return k == walkHistory || k == walkLate }

// compared is the instant from which on a window was read as a whole: a delivered record that is not in it is gone. A source of late
// records leaves out the delivered ones.
func (w walk) compared(from, end time.Time) time.Time {
	if w.kind == walkLate {
		return end
	}
	return from
}

// quiet tells that a window that brings no new record needs no entry.
func (k kind) quiet() bool { return k == walkSearchOn || k == walkAhead }

// without takes times out of the plan that the source does not have.
func (p *BackfillPlan) without(absent []window.Window) {
	var gaps []window.Window
	for _, gap := range p.Gaps {
		gaps = append(gaps, window.Gaps(gap, absent)...)
	}
	for _, w := range absent {
		p.skip(w, SkippedAbsent)
	}
	p.Gaps = gaps
}
