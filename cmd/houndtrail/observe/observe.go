// Package observe looks at the journals of any number of tenants from outside, again and again. It only reads and lists. It needs no
// BloodHound, no login and no setting of the runs: each run leaves what an observer has to know beside its journal.
//
// An observer survives what it observes. While a store does not answer, it keeps the last facts, and says that they are old. It
// never forgets a stream that it has seen: a journal that is gone is an error, and no stream less.
package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

const (
	// rediscover is how often an observer looks for new tenants: that takes a request for each folder.
	rediscover = 5 * time.Minute
	// atOnce is how many streams it looks at in parallel.
	atOnce = 8
	// lookTime is how long one look may take: one place that hangs must not stop the others.
	lookTime = 2 * time.Minute
)

// Options say what an observer looks at.
type Options struct {
	Tenants []string // only these; all if empty
	Here    bool     // look only at the journals in the root itself, which are those of one tenant
	// Entries is how many older entries of each journal a round reads at most, for [History]. If it is 0, there are no histories.
	Entries int
	Now     func() time.Time // our own clock; nil for this machine's
}

// A Snapshot is what an observer knows after a round.
type Snapshot struct {
	At      time.Time // the end of the last round; zero before the first one
	Err     error     // why the store could not be looked through for journals; nil if it could
	Streams []Stream  // by tenant, the archive before the webhook
}

// An Observer looks at the journals below a store's root. It is safe for concurrent use.
type Observer struct {
	store bucket.Bucket
	o     Options

	round   sync.Mutex // one round at a time
	streams map[string]*watched
	looked  time.Time // when it last looked for tenants
	listErr error
	began   time.Time // of the first round

	mu   sync.Mutex
	last Snapshot
}

// New returns an observer of the journals below the root of a store. It makes no request yet.
func New(store bucket.Bucket, o Options) *Observer {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Observer{store: view{store: store}, o: o, streams: map[string]*watched{}}
}

// Snapshot is what the last round has found.
func (o *Observer) Snapshot() Snapshot {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

// Fresh is the last snapshot or, if that is older, the one of a new round.
func (o *Observer) Fresh(ctx context.Context, age time.Duration) Snapshot {
	if s := o.Snapshot(); !s.At.IsZero() && o.o.Now().Sub(s.At).Abs() < age {
		return s
	}
	return o.Round(ctx)
}

// Round looks at every stream once. From time to time it also looks for new tenants.
func (o *Observer) Round(ctx context.Context) Snapshot {
	o.round.Lock()
	defer o.round.Unlock()
	now := o.o.Now()
	if o.began.IsZero() {
		o.began = now
	}
	if o.looked.IsZero() || o.listErr != nil || now.Sub(o.looked).Abs() >= rediscover {
		o.find(ctx, now)
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, w := range o.streams {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, lookTime)
			defer cancel()
			w.look(ctx, now, o.o.Entries)
			return nil
		})
	}
	_ = g.Wait() // each stream has its own error
	s := Snapshot{At: o.o.Now(), Err: o.listErr, Streams: o.wanted()}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = s
	return s
}

// find looks for the journals, and adds those that are new.
func (o *Observer) find(ctx context.Context, now time.Time) {
	depth := deepest
	if o.o.Here {
		depth = 0
	}
	places, err := discover(ctx, o.store, depth)
	o.listErr = err
	for _, p := range places {
		for _, name := range p.streams {
			if key := p.folder + name; o.streams[key] == nil {
				o.streams[key] = newWatched(view{store: o.store, folder: p.folder}, name, now)
			}
		}
	}
	if err == nil {
		o.looked = now
	}
}

// wanted are the streams of the tenants that a user wants to see. A tenant that has no journal is there, too: as a stream that has
// not started.
func (o *Observer) wanted() (all []Stream) {
	seen := map[string]bool{}
	for _, w := range o.streams {
		if len(o.o.Tenants) > 0 && !slices.Contains(o.o.Tenants, w.Tenant) {
			continue
		}
		s := w.Stream
		s.History = w.History.clone()
		seen[s.Tenant] = true
		all = append(all, s)
	}
	for _, tenant := range o.o.Tenants {
		if !seen[tenant] {
			w := newWatched(view{store: o.store}, stream.Archive, o.began)
			w.Tenant, w.expected = tenant, true
			w.judge(w.expectedErr(), o.o.Now())
			all = append(all, w.Stream)
		}
	}
	slices.SortFunc(all, func(a, b Stream) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Place, b.Place))
	})
	for i := 1; i < len(all); i++ { // two journals that claim one name: each must stay to be seen
		if before := all[i-1]; all[i].Tenant == before.Tenant && all[i].Name == before.Name {
			all[i].Tenant = fmt.Sprintf("%s (%d)", all[i].Tenant, i)
		}
	}
	return all
}
