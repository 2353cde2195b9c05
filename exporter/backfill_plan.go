package exporter

import (
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A BackfillPlan says what a backfill is going to do.
type BackfillPlan struct {
	Asked   window.Window   // with the defaults filled in
	Gaps    []window.Window // the times to deliver, in this order
	Skipped []Skipped       // the other parts of Asked, in order of time
	Resumed bool            // the first gap is the time that an interrupted run was writing
}

// Span is the length of all gaps together.
func (p *BackfillPlan) Span() (sum time.Duration) {
	for _, gap := range p.Gaps {
		sum += gap.Span()
	}
	return sum
}

// Skipped is a time that a backfill leaves out, and why.
type Skipped struct {
	window.Window
	Reason string
}

// Why a backfill leaves out a time.
const (
	SkippedEmpty     = "BloodHound has no record that old"
	SkippedDone      = "an earlier backfill delivered it"
	SkippedDelivered = "the stream itself delivered it"
	SkippedDue       = "the stream itself will deliver it"
)

// planBackfill takes three times away from the time that the user asked for: the time before the oldest record, the time that
// the backfill has done, and the stream's own time, which begins with the start of its first window.
func planBackfill(asked, own window.Window, done []window.Window, oldest time.Time) BackfillPlan {
	if asked.Start.IsZero() {
		asked.Start = oldest
		if asked.End.Before(oldest) {
			asked.Start = asked.End
		}
	}
	if own.Start.Before(oldest) {
		oldest = own.Start
	}
	p := BackfillPlan{Asked: asked}
	p.skip(window.Window{Start: asked.Start, End: oldest}, SkippedEmpty)
	old := asked.Intersect(window.Window{Start: oldest, End: own.Start})
	p.Gaps = window.Gaps(old, done)
	for _, w := range window.Gaps(old, p.Gaps) {
		p.skip(w, SkippedDone)
	}
	p.skip(own, SkippedDelivered)
	p.skip(window.Window{Start: own.End, End: asked.End}, SkippedDue)
	return p
}

func (p *BackfillPlan) skip(w window.Window, reason string) {
	if w = p.Asked.Intersect(w); w.Span() > 0 {
		p.Skipped = append(p.Skipped, Skipped{w, reason})
	}
}

// resume puts the windows that an interrupted run was writing before all other gaps, whatever the user asks for now. The files
// that the interrupted run left at the destination are named after the starts of these windows, and only exactly the same
// windows replace them.
func (p *BackfillPlan) resume(own window.Window, done []window.Window, lease *checkpoint.Lease) error {
	var w window.Window // of all of them, which follow one another
	for _, intent := range lease.Intents() {
		if len(window.Gaps(intent, done)) == 0 {
			lease.Settle(intent)
			continue
		}
		if w.End = intent.End; w.Start.IsZero() {
			w.Start = intent.Start
		}
	}
	if w.Span() == 0 {
		return nil
	}
	if !w.Start.Before(own.Start) { // after an adoption, the stream accounts for their objects and for all of their time
		lease.Drop()
		return nil
	}
	if w.End.After(own.Start) {
		return fmt.Errorf("%w: an interrupted backfill was writing the window %s to %s, and the stream, which starts at %s, "+
			"delivers a part of it too: the stream's journal must have been replaced since: restore it, or remove what is named "+
			"after that window's start from the archive, and the lease.json of the backfill",
			checkpoint.ErrCorrupt, stamp(w.Start), stamp(w.End), stamp(own.Start))
	}
	gaps := []window.Window{w}
	for _, gap := range p.Gaps {
		gaps = append(gaps, window.Gaps(gap, gaps[:1])...)
	}
	p.Gaps, p.Resumed = gaps, true
	return nil
}
