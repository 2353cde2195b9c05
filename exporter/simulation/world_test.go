package simulation

import (
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/window"
)

const (
	tenant        = "acme.example"
	archiveStream = "archive"
	webhookStream = "webhook"
)

var streams = []string{archiveStream, webhookStream}

// A world is everything outside of the exporter: a BloodHound, a store for positions, one for objects and a receiver of webhooks.
// All of them are in memory. It also has the runners that come and go. It lives in the virtual time of a bubble.
//
// All calls of a process to the world go through [do], which decides their outcome. The judges look at each effect at the moment at
// which it happens.
type world struct {
	*plan

	t         *testing.T
	api       *bloodhoundtest.Server
	jwt       string
	positions *checkpointtest.Memory
	objects   *checkpointtest.Memory
	inFlight  sync.WaitGroup // requests whose senders gave up

	mu        sync.Mutex // guards the fields below; a process holds it while an effect happens and a judge looks at it
	hidden    []*row     // rows that are not committed yet, the next one first
	rows      map[identity]*row
	extra     map[string]int // rows beyond the plan, by the stream whose windows they came in
	pruned    bool
	journals  map[string]*journal
	heads     map[string]string        // all heads that were ever signed, by origin and size
	signing   []ed25519.PrivateKey     // the keys of processes that begin
	rings     map[string]*seal.Keyring // the keys in the entries, by origin
	archive   archive
	heirs     map[string]*file // for objects that compactions have deleted: the object that has their records
	oblivion  oblivion
	receiver  receiver
	onTheWay  []*landing
	calm      bool // no call goes wrong any more
	events    []event
	orders    map[string]order // the orders for people, by stream
	people    int
	restored  time.Time // the time when the database was restored
	tally     tally
	violation string // the first violation; it ends the world
}

func newWorld(t *testing.T, p *plan) *world {
	time.Sleep(time.Until(p.start)) // a bubble begins in the year 2000
	w := &world{
		plan: p, t: t, hidden: slices.Clone(p.rows), rows: map[identity]*row{}, extra: map[string]int{}, tally: tally{},
		journals: map[string]*journal{}, orders: map[string]order{}, heads: map[string]string{}, signing: []ed25519.PrivateKey{checkpointtest.Key(1)}, rings: map[string]*seal.Keyring{}, heirs: map[string]*file{}, archive: newArchive(), receiver: newReceiver(p.receiverMax),
	}
	w.positions = &checkpointtest.Memory{Now: w.storesNow, Locks: p.locks}
	w.objects = &checkpointtest.Memory{Now: w.storesNow}
	for _, name := range append(streams, backfillStream) {
		w.journals[name] = &journal{name: name}
	}
	w.api = bloodhoundtest.New(bloodhoundtest.Options{
		Profile: p.profile, Now: w.serverNow, Seed: p.seed,
		Tokens: map[string]string{tokenID: tokenKey}, SessionTTL: 200 * time.Hour,
		Users: []bloodhoundtest.User{{Name: userName, Password: userPassword}},
	})
	w.jwt = w.api.Session(userName)
	for _, path := range []string{"/api/v2/audit", "/api/v2/login", "/health"} {
		w.api.FaultAt(path, injected)
	}
	w.api.SetDate(p.dateRule)
	for what, steps := range map[string][]step{
		"steps of the server's clock": p.steps, "steps of the stores' clock": p.storesSteps,
		"steps of our clock": p.ownSteps, "wild dates": p.dates,
	} {
		w.tally[what] += len(steps)
	}
	return w
}

func (w *world) serverNow() time.Time { return w.server(time.Now()) }
func (w *world) storesNow() time.Time { return w.stores(time.Now()) }
func (w *world) ownNow() time.Time    { return w.own(time.Now()) }

// run goes through the storm, and then checks that the world comes to rest as it must.
func (w *world) run() {
	a, b, f := newRunner(w, "A", streams...), newRunner(w, "B", streams...), newRunner(w, "F", backfillStream)
	k, o := newRunner(w, "K", compactor), newRunner(w, "O", forgetter)
	for i, tick := range w.ticks {
		time.Sleep(time.Until(tick))
		if w.over() {
			break
		}
		w.intervene(i, a, b, f, k, o)
		r := w.dice("tick", uint64(i))
		if stuck := !a.start(0); r.IntN(3) == 0 || stuck && r.IntN(5) > 0 {
			b.start(upTo(r, pick(r, 300*time.Millisecond, 3*time.Second)))
		}
		if w.backfills && i > 0 && r.IntN(2) == 0 {
			f.start(upTo(r, 2*time.Minute))
		}
		if w.compacts && i > 0 && r.IntN(3) > 0 {
			k.start(upTo(r, pick(r, 2*time.Second, 2*time.Minute)))
		}
		if w.forgets && i > 2 && r.IntN(3) == 0 {
			o.start(upTo(r, pick(r, 2*time.Second, 2*time.Minute)))
		}
	}
	for _, r := range []*runner{a, b, f, k, o} {
		r.wait()
	}
	w.inFlight.Wait()
	if !w.over() {
		w.calmDown()
	}
}

// calmDown lets the last rows appear and the last leases expire. Then cycles go well, and leave no work for later.
func (w *world) calmDown() {
	w.mu.Lock()
	w.calm = true
	last := time.Now()
	for _, row := range w.hidden {
		if row.commits.After(last) {
			last = row.commits
		}
	}
	w.mu.Unlock()
	// A server whose clock is ahead stamps its records with times that are still in our future.
	looks := time.Duration(0) // at the oldest record
	if len(w.light) > 0 {
		looks = 25 * time.Hour
	}
	if len(w.dates) > 0 { // the journal may have the last rescan's time by the clock that is ahead
		looks += w.skew.Abs()
	}
	time.Sleep(time.Until(last) + w.promise() + w.rescans + looks + 10*time.Minute)
	c, f, k := newRunner(w, "C", streams...), newRunner(w, "G", backfillStream), newRunner(w, "H", compactor)
	o := newRunner(w, "P", forgetter)
	const enough, most = 3, 6 // some cycles may have asked for a person
	for left, all := enough, most; left > 0 && all > 0; left, all = left-1, all-1 {
		if w.intervene(0, c, f) {
			left = enough
		}
		c.start(0)
		c.wait()
		if w.backfills {
			f.start(0)
			f.wait()
		}
		if w.compacts {
			k.start(0)
			k.wait()
		}
		if w.forgets {
			o.start(0)
			o.wait()
		}
		time.Sleep(5 * time.Minute)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, errs := range []map[string]error{c.errs, f.errs, k.errs, o.errs} {
		for stream, err := range errs {
			if err != nil {
				w.fail("nothing goes wrong any more, and yet the %s fails: %v", stream, err)
			}
		}
	}
	w.judgeEnd()
	w.judgeOnce()
	w.judgeForgotten()
}

func (w *world) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.violation != ""
}

// fail records that an invariant is violated. The world's mutex is held.
func (w *world) fail(format string, args ...any) {
	if w.violation != "" {
		return
	}
	w.note("INVARIANT", format, args...)
	w.violation = w.events[len(w.events)-1].text
}

var errOver = errors.New("the world is over")

// dice returns the dice for one decision. The same decision has the same dice, after any earlier decisions.
func (w *world) dice(what string, n uint64) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, mix(hash(what), n)))
}

// reveal makes the due changes to the log. Call it before every look at the log.
func (w *world) reveal() {
	now := time.Now()
	if !w.pruned && !w.pruneAt.IsZero() && !now.Before(w.pruneAt) {
		w.pruned = true
		w.prune()
	}
	w.appear(now)
}

// appear commits the rows up to a moment.
func (w *world) appear(until time.Time) {
	n := 0
	for n < len(w.hidden) && !w.hidden[n].commits.After(until) {
		n++
	}
	if n == 0 {
		return
	}
	rows := make([]bloodhoundtest.Row, n)
	for i, row := range w.hidden[:n] {
		if w.lag > 0 { // no clock is set back then: see row
			row.VisibleAt = w.server(row.commits)
		}
		rows[i] = row.Row
		w.rows[row.identity()] = row
	}
	w.note("log", "%d rows, up to id %d of %s", n, rows[n-1].ID, rows[n-1].CreatedAt.Format(clockFormat))
	w.hidden = w.hidden[n:]
	w.api.Add(rows...)
}

// prune drops the oldest part of the log, but not the newest record that a stream has delivered. If a stream delivered no record
// for longer than a server keeps them, a person would have to decide. The simulation does not have that case.
func (w *world) prune() {
	cut := w.pruneCut
	for _, j := range w.journals {
		if !j.newest.IsZero() && j.newest.Before(cut) {
			cut = j.newest
		}
	}
	n := w.api.Prune(cut)
	for _, row := range w.rows {
		if row.CreatedAt.Before(cut) {
			row.gone = true
		}
	}
	w.tally["prunings"]++
	w.note("log", "%d rows from before %s are pruned", n, cut.Format(clockFormat))
}

// tempt adds a row to the last window that a runner has read and is about to write: at its very end, or anywhere in it. It appears
// as late as rows may, but soon. Its id depends only on the stream, because two streams may come to this at one moment.
func (w *world) tempt(stream string, intents []window.Window, r *rand.Rand) {
	if len(intents) == 0 || w.calm || w.extra[stream] > 20 || r.IntN(4) > 0 {
		return
	}
	intent := intents[len(intents)-1] // another process may commit one of the others at this very moment
	at := intent.End.Add(time.Duration(r.IntN(3)-2) * grain)
	if r.IntN(2) == 0 {
		at = intent.End.Add(-upTo(r, min(intent.Span(), w.overlap))).Truncate(grain)
	}
	begun := time.Now().Add(at.Sub(w.serverNow()))
	left := max(w.promise(), w.rescan) - time.Since(begun)
	if left <= 0 || !w.restored.IsZero() && begun.Before(w.restored.Add(downtime)) {
		return
	}
	row := w.row(begun, at, time.Since(begun)+upTo(r, min(left, pick(r, time.Minute, w.promise()))))
	row.Action, row.Status = "LateLogin", "success"
	all := append(slices.Clone(streams), backfillStream)
	row.ID = int64(w.extra[stream]*len(all)+slices.Index(all, stream))*idStep + 1
	w.extra[stream]++
	i, _ := slices.BinarySearchFunc(w.hidden, row.commits, byCommit)
	w.hidden = slices.Insert(w.hidden, i, row)
}

func byCommit(r *row, at time.Time) int { return r.commits.Compare(at) }
