package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// An IdleError ends an exchange whose body stood still.
type IdleError struct {
	Idle time.Duration // how long no byte moved
}

func (e *IdleError) Error() string {
	return fmt.Sprintf("the connection stood still: no byte of a body came or went for %s", e.Idle)
}

// Timeout says that it is one, as net.Error does.
func (e *IdleError) Timeout() bool { return true }

// IdleTimeout returns a RoundTripper that ends an exchange with an [*IdleError] when the body of the request or of the
// response stands still for so long. It does not count the time until the server begins to answer:
// ResponseHeaderTimeout of [http.Transport] bounds that.
//
// The error of a response comes from its body's Read. The caller closes the body, as always, and so ends the watch.
func IdleTimeout(next http.RoundTripper, idle time.Duration) http.RoundTripper {
	return &idleTimeout{next, idle}
}

type idleTimeout struct {
	next http.RoundTripper
	idle time.Duration
}

// RoundTrip implements [http.RoundTripper].
func (t *idleTimeout) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	up := newWatch(ctx, cancel, t.idle)
	resp, err := t.next.RoundTrip(up.request(r))
	up.end()
	if err != nil {
		err = up.explain(err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &watchedBody{ReadCloser: resp.Body, watch: newWatch(ctx, cancel, t.idle)}
	return resp, nil
}

// A watch cancels an exchange when it is not told of a movement for too long. It starts with the first one.
type watch struct {
	ctx    context.Context //nolint:containedctx // of the one exchange that it watches
	cancel context.CancelCauseFunc
	idle   time.Duration
	timer  *time.Timer
	ended  atomic.Bool
}

func newWatch(ctx context.Context, cancel context.CancelCauseFunc, idle time.Duration) *watch {
	w := &watch{ctx: ctx, cancel: cancel, idle: idle}
	w.timer = time.AfterFunc(idle, func() { cancel(&IdleError{idle}) })
	w.timer.Stop()
	return w
}

func (w *watch) moved() {
	if !w.ended.Load() {
		w.timer.Reset(w.idle)
	}
	if w.ended.Load() { // since
		w.timer.Stop()
	}
}

func (w *watch) stop() { w.timer.Stop() }

// end stops the watch for good: net/http may go on sending a body after the server has answered.
func (w *watch) end() {
	w.ended.Store(true)
	w.timer.Stop()
}

// explain is the error of an exchange, or what ended it.
func (w *watch) explain(err error) error {
	if idle, ok := errors.AsType[*IdleError](context.Cause(w.ctx)); ok {
		return idle
	}
	return err
}

// request is r under the watch's context, with a body that tells the watch of each piece that is taken from it.
func (w *watch) request(r *http.Request) *http.Request {
	r = r.WithContext(w.ctx)
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	r.Body = &sentBody{r.Body, w}
	if again := r.GetBody; again != nil {
		r.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return &sentBody{body, w}, err
		}
	}
	return r
}

// A sentBody is taken piece by piece as the connection takes the pieces.
type sentBody struct {
	io.ReadCloser
	watch *watch
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.watch.stop()
	} else {
		b.watch.moved()
	}
	return n, err
}

func (b *sentBody) Close() error {
	b.watch.stop()
	return b.ReadCloser.Close()
}

// A watchedBody is watched while somebody waits for a piece of it.
type watchedBody struct {
	io.ReadCloser
	watch *watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.moved()
	n, err := b.ReadCloser.Read(p)
	b.watch.stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.watch.explain(err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.watch.end()
	err := b.ReadCloser.Close()
	b.watch.cancel(nil)
	return err
}
