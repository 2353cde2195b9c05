package simulation

import (
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/window"
	sink "github.com/houndtrail/houndtrail/sink/archive"
)

// A debt is a span of time that the exporter must search, for any schedule: the clocks were behind, or a person has rebuilt the
// position or set it back.
type debt struct {
	owed     bool
	since    time.Time // a cycle that begins after this time may end well only if the debt is paid
	span     window.Window
	searched []window.Window
}

// owes notes that the exporter must search all time that the journal remembers.
func (j *journal) owes() {
	j.debt = debt{owed: true, since: time.Now(), span: window.Window{Start: j.known, End: j.cursor}}
}

// pays notes the time that an entry has searched. If the journal forgets time before the search begins, the exporter no longer
// owes it.
func (d *debt) pays(e checkpoint.Checkpoint) {
	switch {
	case e.Kind == checkpoint.KindRescan:
		d.searched = append(d.searched, window.Window{Start: e.Window.Start, End: e.Window.End})
	case len(d.searched) == 0 && e.DeliveredSince.After(d.span.Start):
		d.span.Start = e.DeliveredSince
	}
}

// outcome counts the result of a cycle of a stream, and checks it as far as possible.
func (p *process) outcome(stream string, err error) {
	began := p.cycleBegan()
	switch {
	case stream == compactor:
		p.compacted(err)
		return
	case stream == forgetter:
		p.forgot(err)
		return
	case stream == backfillStream && err == nil:
		p.tally["backfills that went well"]++
		return
	case err == nil:
		p.tally["cycles that went well"]++
		p.judgeRest(stream, began)
		p.judgeIdle(stream)
		return
	case errors.As(err, new(*exporter.RangeError)):
		return
	}
	p.tally["cycles that failed"]++
	p.ask(stream, err)
	for what, target := range map[string]error{
		"leases held by another runner": checkpoint.ErrLeaseHeld,
		"commits that were too late":    checkpoint.ErrConflict,
		"cycles behind the position":    exporter.ErrClock,
		"sources that changed":          exporter.ErrSourceChanged,
		"journals that were gone":       exporter.ErrJournalGone,
	} {
		if errors.Is(err, target) {
			p.tally[what]++
		}
	}
	if !errors.As(err, new(*exporter.Error)) {
		p.fail("an error without a stage: %v", err)
	}
	if errors.Is(err, checkpoint.ErrCorrupt) && p.journals[stream].lost == lostNot || errors.Is(err, checkpoint.ErrForeign) {
		p.fail("the journal is refused: %v", err)
	}
	if errors.Is(err, sink.ErrHasMore) || errors.Is(err, exporter.ErrIncomplete) {
		p.operate()
	}
	if errors.Is(err, exporter.ErrClock) {
		p.judgeBehind(stream, began)
	}
}

// judgeRest checks a cycle that says that there is no fault. It was not behind, and has paid the debt.
func (p *process) judgeRest(stream string, began time.Time) {
	j := p.journals[stream]
	const tolerance = 5 * time.Second // a Date has whole seconds, and a guess is behind
	// A stream that follows the archive has the archive's cursor, and the archive's cycle tells of the clocks.
	if lead := j.cursor.Sub(p.earlier(time.Now())); !p.following(j) && p.steady(began, time.Now()) && lead > exporter.Apart+tolerance {
		p.fail("%s says that all is well with the %s, whose cursor is %s ahead of the clocks", p.name, stream, lead)
	}
	if j.lost != lostNot || j.refuses {
		p.fail("%s says that all is well with the %s, whose journal or newest record is gone", p.name, stream)
	}
	if d := j.debt; d.owed && !began.Before(d.since) {
		p.tally["debts paid"]++
		j.debt.owed = false
		if left := window.Gaps(d.span, d.searched); len(left) > 0 {
			p.fail("%s says that all is well with the %s, which owes a search of %v", p.name, stream, left)
		}
	}
}

// judgeBehind checks that a cycle behind the position has searched the time behind it, if the journal remembers far enough.
func (p *process) judgeBehind(stream string, began time.Time) {
	const reach = time.Hour + time.Minute // the exporter's certain reach, and the possible difference between its time and ours
	j := p.journals[stream]
	if p.steady(began, time.Now()) && p.earlier(began).Add(-reach).After(j.known) {
		p.tally["searches behind the position"]++
		p.judgeSpan(p.name, j, j.known, j.cursor, began)
		j.owes()
	}
}

// judgeSpan checks that no record of a span is missing if it was visible at a moment.
func (w *world) judgeSpan(who string, j *journal, from, until, began time.Time) {
	w.learn()
	for _, row := range w.rows {
		if !row.CreatedAt.Before(from) && row.CreatedAt.Before(until) && !row.shown.After(began) {
			w.judgeDelivered(who, j, row)
		}
	}
}
