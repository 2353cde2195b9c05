package simulation

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

// A row is a row of the audit log, with facts that the server never tells.
type row struct {
	bloodhoundtest.Row
	begun, commits time.Time // true time
	shown          time.Time // the time from which every answer has it
	light          bool      // it comes to light, older than all others
	late           bool      // it appears some time after its stamp
	promised       bool      // it appears so early that the next cycle delivers it
	searched       bool      // it appears so early that the next rescan finds it
	gone           bool      // the time when it is pruned: after it, a runner that has not read the row need not deliver it
	line           string    // its line in the first delivery
}

// identity tells records apart. The id alone does not: after a restore, the server gives it out again.
type identity struct {
	id, micros int64
}

func (r *row) identity() identity { return identity{r.ID, r.CreatedAt.UnixMicro()} }

const (
	idStep   = 3 // gaps in the sequence; rows that come on top of the plan fill some of them
	topID    = 1_000_000
	grain    = time.Microsecond
	backlog  = 72 * time.Hour
	straggle = 6 * time.Hour
)

// history draws the rows: a backlog from before the first cycle, and later rows around the moments at which cycles look. There are
// bursts, many rows of one instant, and rows at the very edges of windows.
func (p *plan) history(r *rand.Rand) {
	n := 60 + r.IntN(80)
	for len(p.rows) < n {
		begun := p.moment(r)
		if r.IntN(3) == 0 {
			begun = p.start.Add(-upTo(r, backlog))
		}
		switch r.IntN(15) {
		case 0:
			p.crowd(r, begun, 0)
		case 1:
			p.crowd(r, begun, upTo(r, 100*time.Millisecond))
		default:
			p.enter(begun, p.rounded(r, begun), p.delay(r))
		}
	}
	for _, tick := range p.ticks {
		if r.IntN(3) > 0 {
			p.edge(r, tick)
		}
	}
	for _, s := range slices.Concat(p.steps, p.ownSteps) { // a user stamps rows by a clock that was just set back
		for range 3 {
			begun := s.at.Add(upTo(r, 2*time.Minute))
			p.enter(begun, p.rounded(r, begun), p.delay(r))
		}
	}
	p.crowds(rand.New(rand.NewPCG(p.seed, 5)))
	p.old(r)
	p.brinks(rand.New(rand.NewPCG(p.seed, 3)))
	p.number(r)
	faces := history.Rows(history.Options{Seed: p.seed, N: len(p.rows)})
	for i, row := range p.rows { // draws the actor and the action; the code above has drawn the time and the id
		face := faces[i]
		face.ID, face.CreatedAt, face.VisibleAt = row.ID, row.CreatedAt, row.VisibleAt
		row.Row = face
	}
	slices.SortStableFunc(p.rows, func(a, b *row) int { return a.commits.Compare(b.commits) })
}

// crowd adds rows of one instant, or of a short burst.
func (p *plan) crowd(r *rand.Rand, begun time.Time, apart time.Duration) {
	at := p.rounded(r, begun)
	for range 5 + r.IntN(25) {
		p.enter(begun, at, p.delay(r))
		begun, at = begun.Add(apart), at.Add(apart)
	}
}

// crowds adds instants with more rows than a window may hold; some of the rows appear late. No window can be so small that it fits.
func (p *plan) crowds(r *rand.Rand) {
	if p.profile == bloodhoundtest.PR3049 || r.IntN(3) > 0 {
		return
	}
	p.records = min(p.records, 15+r.IntN(30))
	for range 1 + r.IntN(3) {
		begun := p.moment(r)
		if r.IntN(4) == 0 {
			begun = p.start.Add(-upTo(r, backlog))
		}
		at := p.rounded(r, begun)
		for range p.records * (2 + r.IntN(4)) {
			p.enter(begun, at, p.delay(r))
		}
	}
}

// edge adds three rows around the end of the window that a cycle is about to read.
func (p *plan) edge(r *rand.Rand, tick time.Time) {
	now := p.server(tick)
	end := now.Truncate(time.Second).Add(-p.settle)
	for d := -grain; d <= grain; d += grain {
		at := end.Add(d)
		p.enter(tick.Add(at.Sub(now)), at, upTo(r, time.Second))
	}
}

// brinks adds rows that appear right after a cycle has looked, with the longest delay that Houndtrail promises. The next cycle, or
// the next rescan, looks back exactly so far. The earlier of the two clocks stamps them, because cycles use that clock.
func (p *plan) brinks(r *rand.Rand) {
	for _, tick := range p.ticks {
		if r.IntN(3) > 0 {
			continue
		}
		most := p.promise()
		if p.rescan > 0 && r.IntN(2) == 0 {
			most = p.settle + p.rescan
		}
		commits := tick.Add(500*time.Millisecond + upTo(r, 450*time.Millisecond))
		created := p.latest(commits.Add(p.lag)).Add(grain - most).Truncate(grain)
		begun := commits.Add(-p.server(commits).Sub(created))
		p.enter(begun, created, commits.Sub(begun))
	}
}

// delay is the time after which a row becomes visible.
func (p *plan) delay(r *rand.Rand) time.Duration {
	most := p.promise() - p.lag
	switch r.IntN(20) {
	case 0, 1:
		return most
	case 2:
		return max(most-upTo(r, time.Second), 0)
	case 3, 4, 5:
		return upTo(r, p.promise())
	case 6:
		return p.settle - time.Second + upTo(r, 2*time.Second)
	case 7:
		return p.promise() + upTo(r, straggle)
	default:
		return upTo(r, 50*time.Millisecond)
	}
}

// rounded is the stamp of a row, with the precision of one process of the server.
func (p *plan) rounded(r *rand.Rand, begun time.Time) time.Time {
	return p.server(begun).Truncate(pick(r, grain, grain, time.Millisecond, time.Second))
}

func (p *plan) enter(begun, created time.Time, delay time.Duration) {
	p.rows = append(p.rows, p.row(begun, created.Truncate(grain), delay))
}

func (p *plan) row(begun, created time.Time, delay time.Duration) *row {
	commits := begun.Add(delay)
	shown := commits.Add(p.lag)
	age := p.latest(shown).Sub(created) // its greatest age for any cycle before it appears
	return &row{
		// The double shows a row from a moment of the server's clock on. If that clock were set back, the double would hide the row
		// again. So these rows come into the log when they are committed, and are visible from then on.
		Row:   bloodhoundtest.Row{CreatedAt: created, VisibleAt: created.Add(-backlog)},
		begun: begun, commits: commits, shown: shown,
		late:     delay > time.Second,
		promised: age <= p.promise(),
		searched: p.rescan > 0 && age <= p.settle+p.rescan,
	}
}

// number gives out the ids in nearly the order in which the rows began.
func (p *plan) number(r *rand.Rand) {
	slices.SortStableFunc(p.rows, func(a, b *row) int { return a.begun.Compare(b.begun) })
	for i, row := range p.rows {
		row.ID = int64(i+1) * idStep
	}
	for i := 1; i < len(p.rows); i++ { // another process's clock
		a, b := p.rows[i-1], p.rows[i]
		if r.IntN(20) == 0 && a.light == b.light {
			a.ID, b.ID = b.ID, a.ID
		}
	}
	i := slices.IndexFunc(p.rows, func(row *row) bool { return !row.light })
	if first := p.rows[i]; p.selfAudited() { // the server's own rows get higher ids, so this one must be in the log first
		first.ID = topID
		if first.commits.After(p.start) {
			first.commits, first.shown = p.start, p.start.Add(p.lag)
		}
	}
}
