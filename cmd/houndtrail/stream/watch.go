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
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream/alarm"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

const (
	// noteTime is how long a run may take to note its result.
	noteTime = 10 * time.Second
	// recallTime is how long a daemon may read its journals before it serves its pages.
	recallTime = 10 * time.Second
)

// A watch sees each entry that a stream loads or commits. After each cycle it reports the stream's state: in the metric, and
// beside the journal, for the status command.
type watch struct {
	*checkpoint.Journal
	found  func(newest checkpoint.Stored) // called once with the newest entry, as soon as the journal can be read
	tell   func(state string, err error)  // called after each cycle; "" leaves the state as it is
	log    *zap.Logger
	once   sync.Once
	newest atomic.Pointer[Position]
	entry  atomic.Pointer[checkpoint.Stored] // the newest entry, without its set and its objects
	head   atomic.Value                      // the newest head, as a string
	end    atomic.Pointer[end]               // of the last cycle that came to an end by itself
	state  atomic.Value                      // the last one that the log has, as a string
}

// An end is how a cycle ended.
type end struct{ state, reason string }

// Load loads the newest entry and remembers it.
func (w *watch) Load(ctx context.Context) (checkpoint.Stored, error) {
	s, err := w.note(w.Journal.Load(ctx))
	if err == nil || errors.Is(err, checkpoint.ErrNotFound) {
		w.once.Do(func() { w.found(s) })
	}
	return s, err
}

// Recall reads the journals when a daemon starts, so that the metrics have their values from the first scrape on. If a journal
// cannot be read, the daemon still starts: the first cycle that can read it sets the metrics.
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
		w.newest.Store(&Position{s.Serial, s.Holed(), len(s.DeadLetters)})
		w.head.Store(s.Head)
		light := s
		light.Delivered, light.Objects = nil, nil
		w.entry.Store(&light)
	}
	return s, err
}

// ended reports the stream's state after a cycle. If the cycle was abandoned, the state stays as it is. If a cycle found
// another runner at work, it notes nothing beside the journal: the other runner does.
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
	w.says(state)
	if errors.Is(err, checkpoint.ErrLeaseHeld) || errors.Is(err, checkpoint.ErrConflict) {
		return
	}
	w.end.Store(&end{state, reason(err)})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	noted := w.leave(ctx, state, err)
	if noted != nil && !isAny(noted, unsound) {
		w.log.Warn("how the run ended could not be noted beside the journal: houndtrail status does not know of it", zap.Error(noted))
	}
}

// says logs the state when it changes. A process whose stream is well from its first cycle on says nothing.
func (w *watch) says(state string) {
	before, _ := w.state.Swap(state).(string)
	well, level := state == StateOK || state == StateWaiting, zap.WarnLevel
	if well {
		level = zap.InfoLevel
	}
	if before != state && (before != "" || !well) {
		w.log.Log(level, "the state of the stream has changed", zap.String("state", state), zap.String("before", before))
	}
}

// reason is an error in one line; "" if there is none.
func reason(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// facts are what the receiver's alarms know of the stream. ok is false until a cycle has ended.
func (w *watch) facts(name string, retention exporter.Retention, now time.Time) (f alarm.Facts, ok bool) {
	e := w.end.Load()
	if e == nil {
		return f, false
	}
	f = alarm.Facts{Stream: name, Reason: e.reason}
	switch e.state {
	case StateOK, StateWaiting, StateHoles: // a hole is an alarm of its own
	default:
		f.Trouble = e.state
	}
	if s := w.entry.Load(); s != nil && s.Serial > 0 {
		if n := len(s.DeadLetters); n > 0 && f.Trouble == "" {
			f.Trouble, f.Reason = StateLetters, reason(Lacks(n))
		}
		f.Entry = &alarm.Entry{Holes: s.HolesTotal, Changed: s.ChangedTotal, Diverted: s.Totals.Diverted}
		if retention.Near(s.Cursor, s.Oldest, now) {
			f.Entry.Deadline = retention.Deadline(s.Cursor, s.Oldest)
		}
	}
	return f, true
}

// leave notes the end of a cycle beside the journal.
func (w *watch) leave(ctx context.Context, state string, err error) error {
	now := time.Now().UTC()
	if err == nil {
		return w.Succeed(ctx, now)
	}
	f := checkpoint.Failure{
		State: state, Reason: reason(err), Code: int(OutcomeOf(err)), At: now,
	}
	if stage, ok := errors.AsType[*exporter.Error](err); ok {
		f.Stage = string(stage.Stage)
	}
	return w.Fail(ctx, f)
}

// A Telemetry hears about the work of a process's streams, for metrics. Several goroutines call its methods, which must not
// block.
type Telemetry interface {
	rest.Observer
	// Posted is called for each post to the webhook.
	Posted(a webhook.Attempt)
	// Reposted is called for each post that failed and that Houndtrail tries again.
	Reposted(r webhook.Retry)
	// Stream returns the observer of one stream.
	Stream(name string) Observer
}

// An Observer hears about the progress of one stream.
type Observer interface {
	exporter.Observer
	// Found is called once with the newest entry, as soon as the journal can be read. The zero value means that the journal is
	// empty.
	Found(newest checkpoint.Stored, now time.Time, retention exporter.Retention)
	// Ended is called with the stream's state after a cycle. "" leaves the state as it is.
	Ended(state string, err error)
	// Anchored is called with each report about the heads that are remembered elsewhere. If no place for them is set, it is not
	// called. The first report is the zero value.
	Anchored(r anchor.Report)
}

// Unobserved is a [Telemetry] and an [Observer] that does nothing.
type Unobserved struct{ exporter.Unobserved }

// Request does nothing.
func (Unobserved) Request(string, time.Duration) {}

// Retry does nothing.
func (Unobserved) Retry(string) {}

// Posted does nothing.
func (Unobserved) Posted(webhook.Attempt) {}

// Reposted does nothing.
func (Unobserved) Reposted(webhook.Retry) {}

// Stream does nothing.
func (Unobserved) Stream(string) Observer { return Unobserved{} }

// Found does nothing.
func (Unobserved) Found(checkpoint.Stored, time.Time, exporter.Retention) {}

// Ended does nothing.
func (Unobserved) Ended(string, error) {}

// Anchored does nothing.
func (Unobserved) Anchored(anchor.Report) {}
