package simulation

import (
	"context"
	"crypto/ed25519"
	"net/url"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/replay"
	"github.com/houndtrail/houndtrail/exporter/window"
	sink "github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/serve"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

// A runner starts a process when a cycle is due and no process is there, like a scheduler.
type runner struct {
	*world

	name        string
	streams     []string
	incarnation int
	process     *process
	running     sync.WaitGroup
	errs        map[string]error // of the latest cycle, by stream

	busy bool // guarded by the world's mutex
}

func newRunner(w *world, name string, streams ...string) *runner {
	return &runner{world: w, name: name, streams: streams}
}

// start runs a cycle of each stream, unless the previous one is still going on.
func (r *runner) start(after time.Duration) bool {
	r.mu.Lock()
	busy := r.busy
	r.busy = true
	r.mu.Unlock()
	if busy {
		return false
	}
	r.running.Go(func() {
		time.Sleep(after)
		if r.process == nil || r.process.isDead() || r.dice(r.name+"restart", uint64(rounded(time.Now()).UnixMicro())).IntN(4) == 0 {
			r.incarnation++
			r.process = newProcess(r.world, r.name+strconv.Itoa(r.incarnation))
		}
		r.errs = r.process.cycle(r.streams)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.busy = false
	})
	return true
}

func (r *runner) wait() { r.running.Wait() }

// A process is one run of the program: its memory, and the outcomes of its calls. The stores are outside of it.
type process struct {
	*world

	name      string
	ctx       context.Context
	cancel    context.CancelFunc
	exporters map[string]*exporter.Exporter
	signing   []ed25519.PrivateKey // as a process reads them when it begins
	postman   postman
	traces    map[string]*trace // of the latest cycle, by stream; guarded by the world's mutex

	mu        sync.Mutex
	odds      map[part]int // odds of a fault, in a thousand
	doom      int          // odds of death or standstill
	began     time.Time    // the latest cycle
	backwards bool         // the server answers this cycle oldest first
	cycles    uint64
	dead      bool
	died      chan struct{}
	thaws     time.Time
	unlocks   []func() error
}

func newProcess(w *world, name string) *process {
	p := &process{
		world: w, name: name, began: time.Now(), died: make(chan struct{}), traces: map[string]*trace{},
	}
	for _, stream := range append(streams, backfillStream, compactor, forgetter) {
		p.traces[stream] = &trace{}
	}
	p.ctx, p.cancel = context.WithCancel(w.t.Context())
	w.mu.Lock()
	p.signing = w.signing
	w.mu.Unlock()
	p.postman = postman{process: p, sent: map[string]delivery{}}
	p.exporters = p.wire()
	return p
}

// The credentials of the one user.
const (
	userName     = "houndtrail"
	userPassword = "correct horse battery staple"
	tokenID      = "0d4a5cf6-7b4f-4d84-9a36-4d1f66a0f1a5"
	tokenKey     = "key"
)

// enough is the number of batches that may be under way at a time. It is large: otherwise the scheduler would decide which of two
// batches must wait. Package webhook tests that no more than the allowed number are under way.
const enough = 1000

// wire puts the program together like its main, but with a client for each stream. With one client, the scheduler would decide
// which stream first hears of the server's clock.
func (p *process) wire() map[string]*exporter.Exporter {
	format := func() sink.Encoder {
		if p.parquet {
			return foreign{parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "simulated"})}
		}
		return ndjson.NewEncoder(tenant, ndjson.Gzip)
	}
	files, err := sink.New(view{p, objects, p.objects}, tenant, format)
	p.check(err)
	files.Decoding(library.run)
	var letters *deadletter.Box
	if p.poison {
		store := view{p, positions, p.positions}
		letters = deadletter.NewBox(store, webhookStream, p.world.journal(webhookStream, store).Load)
	}
	posts, err := webhook.New(webhook.Options{
		URL: "https://siem.example/in", Tenant: tenant, BatchRecords: 25, InFlight: enough, Transport: &p.postman, Letters: letters,
		Timeout: patience, RetryFor: 17500 * time.Millisecond, // see postman
	})
	p.check(err)
	all := map[string]*exporter.Exporter{
		archiveStream: p.exporter(archiveStream, files, p.destination()),
		webhookStream: p.exporter(webhookStream, posts, exporter.Destination{}),
	}
	all[archiveStream].Kin = p.journal(backfillStream, view{p, positions, p.positions}, checkpoint.AnyOrder())
	if p.follows {
		p.follow(all[webhookStream])
	}
	return all
}

// follow lets a stream read from the archive.
func (p *process) follow(e *exporter.Exporter) {
	store := view{p, positions, p.positions}
	source := replay.New(&replay.Archive{
		Journal: p.journal(archiveStream, store), Backfill: p.journal(backfillStream, store, checkpoint.AnyOrder()),
		Files: serve.New(view{p, objects, p.objects}, tenant, replay.Line), Now: p.ownNow,
	})
	e.Source, e.Archive = source, source
	e.Settle, e.Overlap, e.VerifyCount, e.Retention = 0, 0, false, exporter.Retention{Off: true}
}

func (p *process) source(stream string) exporter.Source {
	given := func(secret string) func() (string, error) { return func() (string, error) { return secret, nil } }
	auth := map[string]rest.Authenticator{
		"jwt":      rest.Bearer(given(p.jwt)),
		"token":    rest.Token(tokenID, given(tokenKey)),
		"password": rest.Login(userName, given(userPassword)),
	}[p.auth]
	source, err := bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL: &url.URL{Scheme: "https", Host: "acme.example"}, Auth: auth, Transport: wire{p, stream}, Rate: unlimited,
			Retry: rest.RetryPolicy{Tries: 3, Initial: 1, Max: 1, Limited: time.Second},
		},
		PageSize: p.pageSize, MaxBody: maxBody,
	})
	p.check(err)
	return source
}

func (p *process) check(err error) {
	if err != nil {
		p.t.Error(err)
	}
}

func (p *process) exporter(name string, to exporter.Sink, at exporter.Destination) *exporter.Exporter {
	return &exporter.Exporter{
		Source: p.source(name), Sink: to, Destination: at, Store: p.journal(name, view{p, positions, p.positions}),
		Windows: window.Planner{Max: p.maxWindow}, Limits: bloodhound.Limits{Records: p.records},
		Start: p.from, Settle: p.settle, Overlap: p.overlap, VerifyCount: true, Log: zap.NewNop(),
		Rescan: p.rescan, RescanSchedule: p.plan, SmallSet: p.smallSet, Now: p.ownNow,
	}
}

func (p *process) journal(name string, b bucket.Bucket, options ...checkpoint.Option) *checkpoint.Journal {
	return p.world.journal(name, b, append(options, checkpoint.LeaseTTL(p.ttl), checkpoint.Sign(p.signing...))...)
}

func (w *world) journal(name string, b bucket.Bucket, options ...checkpoint.Option) *checkpoint.Journal {
	return checkpoint.Open(b, checkpoint.Identity{
		Tenant: tenant, Stream: name, Source: "https://acme.example", Destination: "memory://" + name,
	}, options...)
}

// cycle runs one cycle of each stream, at the same time.
func (p *process) cycle(streams []string) map[string]error {
	p.weather()
	p.begin()
	var all sync.WaitGroup
	var mu sync.Mutex
	errs := map[string]error{}
	for _, name := range streams {
		all.Go(func() {
			err := p.run(name)
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	all.Wait()
	return errs
}

func (p *process) begin() {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.reveal()
	p.learn()
	p.note(p.name, "begins; the server's clock is %s, the stores' %s", stamp(p.serverNow()), stamp(p.storesNow()))
}

func (p *process) run(name string) error {
	var err error
	p.world.mu.Lock()
	*p.traces[name] = trace{}
	if j := p.journals[name]; j != nil && j.noted < j.serial {
		p.tally["notes that were behind"]++
	}
	p.world.mu.Unlock()
	switch name {
	case backfillStream:
		err = p.backfill().Run(p.ctx)
	case compactor:
		err = p.compaction().Run(p.ctx)
	case forgetter:
		err = p.forget()
	default:
		err = p.exporters[name].RunOnce(p.ctx)
	}
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.events = append(p.events, event{at: time.Now(), who: p.name, text: "ends the " + name, err: err})
	p.outcome(name, err)
	return err
}

// weather decides the odds of each fault in this cycle, and the order of the server's answers.
func (p *process) weather() {
	p.world.mu.Lock()
	calm := p.calm
	p.world.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cycles++
	p.began = time.Now()
	p.odds, p.doom, p.backwards = map[part]int{}, 0, false
	r := p.dice(p.name+"weather", p.cycles)
	if calm || r.IntN(4) == 0 {
		return
	}
	p.doom = pick(r, 0, 3, 10, 30)
	p.backwards = r.IntN(20) == 0
	for _, part := range parts {
		p.odds[part] = pick(r, 0, 0, 20, 80, 300)
	}
}

// kill ends the process. Its requests may still be under way.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return
	}
	p.dead = true
	close(p.died)
	p.cancel()
	for _, unlock := range p.unlocks {
		p.check(unlock())
	}
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *process) freeze(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thaws = time.Now().Add(d)
}

// thaw waits until the process moves again. Each call continues at a moment of its own, so that the scheduler does not decide which
// is the first.
func (p *process) thaw(c call) {
	p.mu.Lock()
	thaws := p.thaws
	p.mu.Unlock()
	if time.Now().Before(thaws) {
		time.Sleep(time.Until(thaws) + time.Duration(hash(string(c.part), c.op, c.key)%uint64(time.Millisecond)))
	}
}

func (p *process) cycleBegan() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.began
}

// remember writes a call into the story.
func (p *process) remember(c call, f fate, err error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.events = append(p.events, event{at: time.Now(), who: p.name, call: c, fate: f, err: err})
}

func (p *process) count(what string) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.tally[what]++
}
