package stream

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

const (
	// noteTime bounds how long a run takes to note how it ended.
	noteTime = 10 * time.Second
	// recallTime bounds how long a daemon reads its journals before it serves its pages.
	recallTime = 10 * time.Second
)

// A watch sees each entry that a stream loads or commits. After each cycle it reports the stream's state: in the metric, and
// beside the journal for the status command.
type watch struct {
	*checkpoint.Journal
	found  func(newest checkpoint.Stored) // told once of the newest entry, as soon as the journal can be read
	tell   func(state string, err error)  // told of each cycle; "" leaves the state as it is
	log    *zap.Logger
	once   sync.Once
	newest atomic.Pointer[Position]
	head   atomic.Value // the newest head, a string
}

// Load loads the newest entry and remembers it.
func (w *watch) Load(ctx context.Context) (checkpoint.Stored, error) {
	s, err := w.note(w.Journal.Load(ctx))
	if err == nil || errors.Is(err, checkpoint.ErrNotFound) {
		w.once.Do(func() { w.found(s) })
	}
	return s, err
}

// Recall reads the journals when a daemon starts, so that the metrics have their values from the first scrape on. If a journal
// cannot be read, the daemon starts all the same: the first cycle that can read it sets the metrics.
func Recall(ctx context.Context, all []*Stream) {
	ctx, cancel := context.WithTimeout(ctx, recallTime)
	defer cancel()
	var g sync.WaitGroup
	for _, s := range all {
		g.Go(func() {
			_, err := s.watch.Load(ctx)
			if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
				s.Log.Warn("the journal cannot be read at the start: the metrics tell of no success until it can be", zap.Error(err))
			}
		})
	}
	g.Wait()
}

// Commit commits an entry and remembers it.
func (w *watch) Commit(ctx context.Context, prev checkpoint.Stored, next checkpoint.Checkpoint) (checkpoint.Stored, error) {
	return w.note(w.Journal.Commit(ctx, prev, next))
}

func (w *watch) note(s checkpoint.Stored, err error) (checkpoint.Stored, error) {
	if err == nil {
		w.newest.Store(&Position{s.Serial, s.Holed()})
		w.head.Store(s.Head)
	}
	return s, err
}

// ended reports the stream's state after a cycle. An abandoned cycle leaves the state as it is. If a cycle found another runner
// at work, it notes nothing beside the journal: the other runner does.
func (w *watch) ended(ctx context.Context, err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, exporter.ErrStopped) {
		w.tell("", err)
		return
	}
	var newest Position
	if p := w.newest.Load(); p != nil {
		newest = *p
	}
	state := StateOf(err, newest)
	w.tell(state, err)
	if errors.Is(err, checkpoint.ErrLeaseHeld) || errors.Is(err, checkpoint.ErrConflict) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	noted := w.leave(ctx, state, err)
	if noted != nil && !isAny(noted, unsound) {
		w.log.Warn("how the run ended could not be noted beside the journal: houndtrail status does not know of it", zap.Error(noted))
	}
}

// leave notes the end of a cycle beside the journal.
func (w *watch) leave(ctx context.Context, state string, err error) error {
	if err == nil {
		return w.Succeed(ctx)
	}
	f := checkpoint.Failure{State: state, Reason: strings.ReplaceAll(err.Error(), "\n", "; "), At: time.Now().UTC()}
	if stage, ok := errors.AsType[*exporter.Error](err); ok {
		f.Stage = string(stage.Stage)
	}
	return w.Fail(ctx, f)
}

// A Telemetry is told of the work of a process's streams, for metrics. Its methods are called concurrently and must not block.
type Telemetry interface {
	rest.Observer
	// Posted is told of each post to the webhook.
	Posted(a webhook.Attempt)
	// Reposted is told of each post that failed and is tried again.
	Reposted(r webhook.Retry)
	// Stream returns the observer of one stream.
	Stream(name string) Observer
}

// An Observer is told of the progress of one stream.
type Observer interface {
	exporter.Observer
	// Found is called once with the newest entry, as soon as the journal can be read; the zero value stands for an empty
	// journal.
	Found(newest checkpoint.Stored, now time.Time, retention exporter.Retention)
	// Ended is told of the stream's state after a cycle; "" leaves the state as it is.
	Ended(state string, err error)
	// Anchored is told what becomes known of the heads that are remembered elsewhere. If no place for them is set, it is not
	// called. The first report is the zero value.
	Anchored(r anchor.Report)
}

// Unobserved is a [Telemetry] and an [Observer] that takes no notice.
type Unobserved struct{ exporter.Unobserved }

// Request takes no notice.
func (Unobserved) Request(string, time.Duration) {}

// Retry takes no notice.
func (Unobserved) Retry(string) {}

// Posted takes no notice.
func (Unobserved) Posted(webhook.Attempt) {}

// Reposted takes no notice.
func (Unobserved) Reposted(webhook.Retry) {}

// Stream takes no notice.
func (Unobserved) Stream(string) Observer { return Unobserved{} }

// Found takes no notice.
func (Unobserved) Found(checkpoint.Stored, time.Time, exporter.Retention) {}

// Ended takes no notice.
func (Unobserved) Ended(string, error) {}

// Anchored takes no notice.
func (Unobserved) Anchored(anchor.Report) {}
