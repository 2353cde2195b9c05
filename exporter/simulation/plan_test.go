package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// A plan is the part of a world that its seed decides beforehand. A hash decides the outcome of a call at the moment of the call:
// see fate.
type plan struct {
	seed    uint64
	profile bloodhoundtest.Profile
	parquet bool
	locks   bool   // the journal's store has locks that die with a process, as a directory has
	auth    string // the way in which the client logs in

	settle, overlap   time.Duration
	rescan, rescans   time.Duration // the reach of a rescan, and the time between two; 0 for never
	ttl               time.Duration // for leases
	pageSize, records int
	maxWindow         time.Duration
	smallSet          int       // the largest whole set of delivered ids in an entry, in bytes; 0 for the exporter's own figure
	from              time.Time // the start that the user asks for; zero for the oldest record
	receiverMax       int       // the largest batch that the receiver takes, in bytes; 0 for any

	start            time.Time // the time of the first cycle: true time, as for all times of a plan
	ticks            []time.Time
	skew, storesSkew time.Duration // of the server's and the stores' clock, at the beginning
	steps            []step        // of the server's clock
	storesSteps      []step
	ownSteps         []step // of our clock, which is right at the beginning
	dates            []step // the error of the server's Date, on top of its clock

	blindUntil time.Time // the first answers are empty
	blindAs    fault
	light      []time.Time   // times when rows come to light that are older than all others
	lag        time.Duration // of the replica that answers some requests; 0 for no replica
	rotates    bool          // the keys of the journals are rotated
	compacts   bool          // another runner compacts the archive
	poison     bool          // the receiver refuses some records
	forgets    bool          // a person removes old days from the archive
	follows    bool          // the webhook's stream follows the archive
	backfills  bool          // another runner delivers the records from before from
	stillborn  bool          // processes die more often at the first commits
	lingers    bool          // processes die more often while a history is under way
	restoreAt  int           // the cycle before which the database is restored; 0 for never
	restoreCut time.Time     // the time of the backup
	loseAt     int           // the cycle before which the archive's journal gets lost; 0 for never
	loss       loss

	rows     []*row // in the order of their commits
	pruneAt  time.Time
	pruneCut time.Time // by the server's clock
}

// A step is a clock's offset from some moment on, on top of its skew.
type step struct {
	at     time.Time
	offset time.Duration
}

func newPlan(seed uint64) *plan {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &plan{
		seed:    seed,
		profile: bloodhoundtest.Profiles[seed%uint64(len(bloodhoundtest.Profiles))],
		parquet: r.IntN(16) == 0,
		locks:   r.IntN(3) == 0,
		auth:    pick(r, "jwt", "token", "password"),

		settle:    pick(r, 2*time.Minute, 2*time.Minute, 30*time.Second, 5*time.Minute),
		overlap:   pick(r, 10*time.Minute, 10*time.Minute, 2*time.Minute, 30*time.Minute),
		rescan:    pick(r, 0, 3*time.Hour, 24*time.Hour),
		rescans:   pick(r, time.Hour, 24*time.Hour),
		ttl:       pick(r, time.Minute, 20*time.Second),
		pageSize:  5 + r.IntN(40),
		records:   20 + r.IntN(80),
		maxWindow: pick(r, 30*24*time.Hour, 30*24*time.Hour, 7*time.Hour),

		start:      time.Date(2026, 10, 12, r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC),
		skew:       upTo(r, 100*time.Minute) - 50*time.Minute,
		storesSkew: upTo(r, 100*time.Minute) - 50*time.Minute,
	}
	if p.profile == bloodhoundtest.PR3049 { // each request makes two rows, so small pages would never end
		p.pageSize, p.records = p.pageSize+600, p.records+600
		// Each cycle reads the records with stamps later than our clock, and each of those requests makes two more rows.
		p.skew = min(p.skew, 90*time.Second)
	}
	if r.IntN(4) == 0 {
		p.receiverMax = 3000 + r.IntN(5000)
	}
	p.tell(r)
	more := rand.New(rand.NewPCG(seed, 2))
	if more.IntN(6) == 0 { // further back than any rescan
		p.overlap = 5 * time.Hour
		p.rescan = pick(more, 0, 3*time.Hour)
	}
	p.smallSet = pick(rand.New(rand.NewPCG(seed, 4)), 0, 10, 100, 400)
	p.setClocks(more)
	p.setSource(more)
	p.align()
	p.history(r)
	// A lost journal loses the accounts of compactions, too, and after a restore the server gives out ids twice: package cmd tests
	// these. A bubble has no place for the goroutines of a Parquet reader.
	p.rotates = seed%4 == 1
	p.poison = seed%7 == 5 && p.loseAt == 0 && p.restoreAt == 0
	p.compacts = (seed%10 == 6 || seed%10 == 8) && !p.parquet && p.loseAt == 0 && p.restoreAt == 0
	p.follows = (seed%9 == 3 || seed%9 == 7) && !p.parquet && p.loseAt == 0 && p.restoreAt == 0
	p.forgets = (seed%10 == 4 || seed%20 == 8) && !p.parquet && p.loseAt == 0 && p.restoreAt == 0
	return p
}

// tell draws the times of the cycles, and the steps of the clocks.
func (p *plan) tell(r *rand.Rand) {
	at := p.start
	for range 16 + r.IntN(8) {
		p.ticks = append(p.ticks, at)
		gaps := []time.Duration{
			10*time.Second + upTo(r, 80*time.Second), 4*time.Minute + upTo(r, 2*time.Minute), 5 * time.Minute,
			5 * time.Minute, 10*time.Minute + upTo(r, 3*time.Hour), 5*time.Hour + upTo(r, 9*time.Hour),
		}
		at = at.Add(pick(r, gaps...))
	}
	if r.IntN(3) == 0 { // by less than settle, in either direction
		p.steps = p.stepping(r, p.settle-5*time.Second)
	}
	if r.IntN(4) == 0 {
		p.storesSteps = p.stepping(r, 3*time.Minute)
	}
	if r.IntN(8) == 0 {
		p.pruneAt = p.moment(r)
		p.pruneCut = p.pruneAt.Add(p.skew - upTo(r, 30*time.Hour))
	}
}

// align lets each cycle begin early in a second of the server's clock. So the test knows which second the server tells.
func (p *plan) align() {
	for i, tick := range p.ticks {
		second := p.server(tick)
		p.ticks[i] = tick.Add(second.Truncate(time.Second).Add(300 * time.Millisecond).Sub(second))
	}
}

func (p *plan) stepping(r *rand.Rand, widest time.Duration) (steps []step) {
	for range 1 + r.IntN(3) {
		steps = append(steps, step{p.moment(r), upTo(r, widest).Truncate(time.Second)})
	}
	slices.SortFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	return steps
}

// moment returns a time of the world. Times shortly before a cycle are more likely.
func (p *plan) moment(r *rand.Rand) time.Time {
	if r.IntN(4) == 0 {
		return p.start.Add(upTo(r, p.end().Sub(p.start)))
	}
	return pick(r, p.ticks...).Add(-upTo(r, p.promise()+3*time.Minute))
}

// selfAudited tells whether the exporter's requests leave rows. Each request does so in PR #3049, and each login does so
// everywhere.
func (p *plan) selfAudited() bool { return p.profile == bloodhoundtest.PR3049 || p.auth == "password" }

// end is the time at which the last cycle of the storm begins.
func (p *plan) end() time.Time { return p.ticks[len(p.ticks)-1] }

// promise is the longest delay of a row that Houndtrail delivers for certain.
func (p *plan) promise() time.Duration { return p.settle + p.overlap }

// Next implements exporter.Schedule: a plan is the schedule of its rescans.
func (p *plan) Next(after time.Time) time.Time { return after.Add(p.rescans) }

// server is the time of the server's clock at a moment.
func (p *plan) server(at time.Time) time.Time { return at.Add(p.skew + offset(p.steps, at)) }

// stores is the time of the clock of the two stores.
func (p *plan) stores(at time.Time) time.Time {
	return at.Add(p.storesSkew + offset(p.storesSteps, at))
}

func offset(steps []step, at time.Time) (d time.Duration) {
	for _, s := range steps {
		if s.at.After(at) {
			break
		}
		d = s.offset
	}
	return d
}

func (p *plan) String() string {
	format := "ndjson"
	if p.parquet {
		format = "parquet"
	}
	return fmt.Sprintf("seed %d: a %s server, %s, settle %s, overlap %s, rescan %s each %s, leases of %s (locks: %v), pages of %d, windows of %d records, sets of %d bytes,\n"+
		"  the server's clock %s ahead with steps %v and dates %v, ours with steps %v, the stores' %s with steps %v,\n"+
		"  starts at %s (backfills: %v, compacts: %v, forgets: %v), blind until %s, old rows at %v, a replica behind by %s,\n"+
		"  restored before cycle %d to %s, journal lost before cycle %d (%d),\n"+
		"  %d rows, %d cycles from %s to %s, pruned at %s",
		p.seed, p.profile, format, p.settle, p.overlap, p.rescan, p.rescans, p.ttl, p.locks, p.pageSize, p.records, p.smallSet,
		p.skew.Round(time.Second), p.steps, p.dates, p.ownSteps, p.storesSkew.Round(time.Second), p.storesSteps,
		p.from, p.backfills, p.compacts, p.forgets, stamp(p.blindUntil), p.light, p.lag, p.restoreAt, stamp(p.restoreCut), p.loseAt, p.loss,
		len(p.rows), len(p.ticks), stamp(p.start), stamp(p.end()), stamp(p.pruneAt))
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
