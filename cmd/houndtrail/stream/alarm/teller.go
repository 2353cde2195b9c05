package alarm

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

const (
	// again is the shortest time between two tries with alarms that the receiver does not take: a receiver that refuses them must
	// not get a post in each cycle.
	again = 5 * time.Minute
	// rememberTime is how long a run may take to write what it has told.
	rememberTime = 10 * time.Second
)

// Events is a receiver of events that are no records.
type Events interface {
	// Tell posts the events in one post, with one try.
	Tell(ctx context.Context, events ...[]byte) error
}

// Options make a Teller. All are required.
type Options struct {
	Bucket bucket.Bucket // the place of the journals
	Stream string        // the stream of the receiver: what it was told lies beside its journal
	Tenant string
	Events Events
	Now    func() time.Time
	Log    *zap.Logger
}

// A Teller tells a receiver the alarms of streams. Only one goroutine may use it at a time.
type Teller struct {
	options Options
	state   checkpoint.State[map[string]told]

	told  map[string]told // what the receiver was told of each stream, as far as this process knows
	asked bool            // this process has read the bucket
	next  time.Time       // no try before this time, since the last one failed
}

// NewTeller returns a Teller. It does not touch the bucket.
func NewTeller(o Options) *Teller {
	return &Teller{options: o, state: checkpoint.OpenState[map[string]told](o.Bucket, o.Stream, "alarmed")}
}

// Tell posts the alarms that are new in these facts, and those that are over. If the receiver does not take them, the next call
// tries again. A stream without facts stays as it is.
func (t *Teller) Tell(ctx context.Context, all []Facts) {
	now, log := t.options.Now().UTC().Truncate(time.Second), t.options.Log
	if now.Before(t.next) && t.next.Sub(now) <= again { // a clock may have been set back
		return
	}
	if !t.asked {
		var err error
		if t.told, err = t.state.Read(ctx); err != nil {
			log.Warn("which alarms the receiver was told is not known, and it is told them once more", zap.Error(err))
		}
		t.asked = true
	}
	if t.turn(all, now) {
		// Before the post: if Houndtrail crashes after the post, the next process knows what the receiver may have been told.
		t.remember(ctx)
	}
	events, after := t.differences(all, now)
	if len(events) == 0 {
		return
	}
	if err := t.options.Events.Tell(ctx, events...); err != nil {
		t.next = now.Add(again)
		log.Warn("the receiver could not be told alarms: a later cycle tries again", zap.Int("alarms", len(events)), zap.Error(err))
		return
	}
	// If Houndtrail crashes here, the next process tells the same alarms once more, with the same event ids.
	t.told = after
	t.remember(ctx)
}

// turn notes the alarms that begin and end with these facts.
func (t *Teller) turn(all []Facts, now time.Time) (news bool) {
	next := maps.Clone(t.told)
	if next == nil {
		next = map[string]told{}
	}
	for _, f := range all {
		with, some := next[f.Stream].turn(f, now)
		next[f.Stream], news = with, news || some
	}
	t.told = next
	return news
}

// remember writes what the receiver was told.
func (t *Teller) remember(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rememberTime)
	defer cancel()
	if err := t.state.Write(ctx, t.told); err != nil {
		t.options.Log.Warn("which alarms the receiver was told could not be written down: another run may tell them once more", zap.Error(err))
	}
}

// differences are the events for all streams, and what the receiver was told after them.
func (t *Teller) differences(all []Facts, now time.Time) (events [][]byte, after map[string]told) {
	after = maps.Clone(t.told)
	for _, f := range all {
		fresh, then := f.difference(t.told[f.Stream], t.options.Tenant, now)
		after[f.Stream] = then
		for i := range fresh {
			text, err := json.Marshal(&fresh[i])
			if err != nil {
				t.options.Log.Warn("an alarm cannot be told", zap.Error(err)) // impossible: it has texts, numbers and a time
				continue
			}
			events = append(events, text)
		}
	}
	return events, after
}
