package transport

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A watch cancels an exchange when the other side is silent for too long in one direction.
//
// net/http may still send a body after the server has answered, and one reader may close a body while another one reads it. So
// the watch accepts its calls in any order. Once it has ended, it ignores them.
type watch struct {
	ctx    context.Context //nolint:containedctx // of the one exchange that it watches
	cancel context.CancelCauseFunc
	bounds *Bounds
	r      *http.Request
	way    direction

	mu     sync.Mutex
	timer  *time.Timer
	state  state
	since  time.Time     // when the watch went into this state
	waited time.Duration // time spent waiting for the body before since
	bytes  int64
	told   time.Duration // the time spent waiting for the body at the last warning in the log
}

type state int

const (
	paused   state = iota // the caller works
	moving                // a piece of the body is on its way
	awaiting              // the answer is on its way
	ended
)

func newWatch(
	ctx context.Context, cancel context.CancelCauseFunc, bounds *Bounds, r *http.Request, way direction,
) *watch {
	w := &watch{ctx: ctx, cancel: cancel, bounds: bounds, r: r, way: way}
	w.timer = time.AfterFunc(time.Hour, w.due)
	w.timer.Stop()
	return w
}

func (w *watch) wait()  { w.become(moving) }
func (w *watch) pause() { w.become(paused) }
func (w *watch) await() { w.become(awaiting) }
func (w *watch) end()   { w.become(ended) }

func (w *watch) moved(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes += int64(n)
}

func (w *watch) become(next state) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == ended {
		return
	}
	now := time.Now()
	if w.state == moving {
		w.waited += now.Sub(w.since)
	}
	w.state, w.since = next, now
	w.arm(0)
}

// arm sets the timer to the first bound of the present state. lasted is how long the watch has been in that state.
func (w *watch) arm(lasted time.Duration) {
	var next []time.Duration
	switch w.state {
	case moving:
		if w.bounds.Idle > 0 {
			next = append(next, w.bounds.Idle-lasted)
		}
		if w.bounds.Grace > 0 {
			next = append(next, w.most()-w.waited-lasted)
		}
		if w.bounds.Log != nil {
			next = append(next, w.told+slowAfter-w.waited-lasted)
		}
	case awaiting:
		if w.bounds.Answer > 0 {
			next = append(next, w.bounds.Answer-lasted)
		}
	case paused, ended:
	}
	if len(next) == 0 {
		w.timer.Stop()
		return
	}
	first := next[0]
	for _, d := range next {
		first = min(first, d)
	}
	w.timer.Reset(max(0, first))
}

// most is how long the body may take. It depends on the bytes that have moved.
func (w *watch) most() time.Duration {
	d := w.bounds.Grace
	if w.bounds.Rate > 0 {
		d += time.Duration(float64(w.bytes) / float64(w.bounds.Rate) * float64(time.Second))
	}
	return d
}

// due runs when the timer fires. It may be late: the state may have changed since.
func (w *watch) due() {
	w.mu.Lock()
	defer w.mu.Unlock()
	lasted := time.Since(w.since)
	took := w.waited + lasted
	switch {
	case w.state == awaiting && w.bounds.Answer > 0 && lasted >= w.bounds.Answer:
		w.cancel(noAnswer(w.bounds.Answer))
		return
	case w.state != moving:
	case w.bounds.Idle > 0 && lasted >= w.bounds.Idle:
		w.cancel(w.way.idle(w.bounds.Idle))
		return
	case w.bounds.Grace > 0 && took >= w.most():
		w.cancel(w.way.tooSlow(w.bytes, took))
		return
	case w.bounds.Log != nil && took >= w.told+slowAfter:
		w.told = took
		w.bounds.Log.Warn("a body is slow", zap.String("method", w.r.Method), zap.String("host", w.r.URL.Host),
			zap.String("path", w.r.URL.Path), zap.Int64("bytes", w.bytes), zap.Duration("took", took.Round(time.Second)))
	}
	w.arm(lasted)
}
