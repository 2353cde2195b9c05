package simulation

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
)

// setSource draws the server's other troubles. It begins with empty answers, shows old rows later, asks a replica that lags, or is
// restored from a backup.
func (p *plan) setSource(r *rand.Rand) {
	if r.IntN(5) == 0 {
		p.from = p.server(p.start.Add(-upTo(r, 48*time.Hour)))
	}
	p.backfills = !p.from.IsZero() && r.IntN(3) > 0
	blind, light := r.IntN(6) == 0, r.IntN(6) == 0
	if p.from.IsZero() && blind {
		p.blindUntil = pick(r, p.ticks[:4]...).Add(upTo(r, time.Minute))
		p.blindAs = pick(r, blindness...)
	}
	if p.from.IsZero() && light && p.profile != bloodhoundtest.PR3049 { // PR #3049 drops rows of that age
		first := pick(r, p.ticks[0], p.ticks[0], p.ticks[1+r.IntN(6)]) // before or after the first commit
		p.light = append(p.light, first.Add(10*time.Second+upTo(r, time.Minute)), p.moment(r))
		slices.SortFunc(p.light, time.Time.Compare)
		p.stillborn = r.IntN(2) == 0
		p.linger(rand.New(rand.NewPCG(p.seed, 6)))
	}
	switch r.IntN(8) {
	case 0:
		p.steps = nil // the server's clock decides which rows a replica has
		p.light = nil // a replica does not show them all at once, and Houndtrail does not promise the later ones
		p.lag = upTo(r, pick(r, 20*time.Second, p.settle, p.promise()))
	case 1:
		p.steps = nil // if the server gives out an id twice within a minute, that counts as one record
		p.restoreAt = 3 + r.IntN(len(p.ticks)-5)
		p.restoreCut = p.ticks[p.restoreAt].Add(-upTo(r, pick(r, 3*time.Minute, 6*time.Hour, 40*time.Hour)))
	case 2:
		if p.backfills { // package exporter's own tests check an adoption during a backfill
			break
		}
		p.loseAt, p.loss = 2+r.IntN(len(p.ticks)-4), pick(r, lostWhole, lostEntries, lostMoved)
	default:
	}
}

// linger lets more old rows come to light while a stream still walks over the first ones.
func (p *plan) linger(r *rand.Rand) {
	if p.lingers = r.IntN(3) > 0; !p.lingers {
		return
	}
	for _, tick := range p.ticks { // the next cycle that looks for old rows
		if tick.After(p.light[0].Add(4 * time.Minute)) {
			p.light[1] = tick.Add(10*time.Second + upTo(r, time.Minute))
			return
		}
	}
}

// blindness has the answers of a server that has not looked yet.
var blindness = []fault{
	{name: "no rows", api: faults.NoRows()},
	{name: "null rows", api: faults.NullRows()},
	{name: "a count without rows", api: faults.CountWithoutRows(500)},
}

// answering returns the server in the state in which this request finds it.
func (a wire) answering(r *http.Request) http.Handler {
	server := a.order()
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if a.calm || !strings.HasPrefix(r.URL.Path, "/api/v2/audit") {
		return server
	}
	if time.Now().Before(a.blindUntil) {
		a.tally["answers of the blind"]++
		return a.blindAs.api(server)
	}
	skips := a.backwards && (r.URL.Query().Has("skip") || r.URL.Query().Has("offset"))
	dice := a.dice(a.name+a.stream+r.URL.RawQuery, uint64(rounded(time.Now()).UnixMicro()))
	if a.lag > 0 && !skips && dice.IntN(3) == 0 {
		a.tally["answers of a replica that lags"]++
		return faults.Lagging(a.lag)(server)
	}
	return server
}

// old adds rows that come to light some time after the first cycle, all rows of a moment at once. They are older than all
// earlier rows, by more than a server from before 2024 can tell.
func (p *plan) old(r *rand.Rand) {
	const certain = 45 * 24 * time.Hour
	at := p.start.Add(-backlog)
	for _, commits := range p.light {
		at = at.Add(-certain - upTo(r, certain))
		for range 3 + r.IntN(8) {
			begun := at.Add(-upTo(r, pick(r, time.Hour, certain/3)))
			p.enter(begun, begun.Add(p.skew), commits.Sub(begun))
			p.rows[len(p.rows)-1].light = true
		}
		at = at.Add(-certain / 3)
	}
}

// downtime is the time for which the server is down while its database is restored.
const downtime = 2 * time.Minute

// restore puts the log back to its state at the time of the backup. Rows that came in later are gone. Rows that were not visible
// yet never come. The server gives out ids a second time.
func (w *world) restore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reveal()
	w.learn()
	w.restored = time.Now()
	var gone []int64
	var last int64
	for _, row := range w.rows {
		switch {
		case row.commits.After(w.restoreCut):
			row.gone = true
			gone = append(gone, row.ID)
		case row.planned():
			last = max(last, row.ID)
		}
	}
	w.api.Delete(gone...)
	w.hidden = slices.DeleteFunc(w.hidden, func(row *row) bool {
		return !row.light && row.begun.Before(w.restored.Add(downtime))
	})
	first := int64(topID)
	for _, row := range w.hidden {
		if row.planned() {
			first = min(first, row.ID)
		}
	}
	for _, row := range w.hidden {
		if row.planned() {
			row.ID += last + idStep - first
		}
	}
	w.tally["rows that a restore took"] += len(gone)
	for _, j := range w.journals {
		row := w.rows[j.last]
		j.refuses = row != nil && row.gone
	}
	w.note("log", "restored from a backup of %s: %d rows are gone", stamp(w.restoreCut), len(gone))
}

// planned tells whether the row's id is one of the plan's sequence.
func (r *row) planned() bool { return r.ID%idStep == 0 && r.ID < topID && !r.light }
