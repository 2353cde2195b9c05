package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// slowAfter is how often the log says that a body is still on its way.
const slowAfter = 30 * time.Second

// Bounds are how long an exchange may take. A zero field sets no limit.
type Bounds struct {
	// Answer is how long the server may take to begin its answer. The time begins when the transport has taken the whole request
	// body from the caller.
	Answer time.Duration
	// Idle is how long a body may pause, without a byte that moves in either direction.
	Idle time.Duration
	// Grace and Rate limit the time of a whole body: Grace, and one second more for each Rate bytes that have moved.
	Grace time.Duration
	Rate  int64
	// Log gets a warning if a body is still on its way after 30 s, and every 30 s from then on. It may be nil.
	Log *zap.Logger
}

// A TimeoutError ends an exchange that took longer than its [Bounds].
type TimeoutError struct{ text string }

func (e *TimeoutError) Error() string { return e.text }

// Timeout implements net.Error. Timeout and Temporary say that another try may succeed.
func (e *TimeoutError) Timeout() bool { return true }

// Temporary implements net.Error.
func (e *TimeoutError) Temporary() bool { return true }

// Bound returns a RoundTripper that ends an exchange with a [*TimeoutError] when it takes longer than the bounds.
//
// If that happens in the body of a response, the body's Read returns the error. The caller closes the body, as always. That
// ends the watch. Only the time counts in which this side waits for the other side. If the caller reads slowly, the other side
// is not at fault.
func Bound(next http.RoundTripper, b Bounds) http.RoundTripper { return &bounded{next, b} }

type bounded struct {
	next   http.RoundTripper
	bounds Bounds
}

// RoundTrip implements [http.RoundTripper].
func (t *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	up := newWatch(ctx, cancel, &t.bounds, r, toServer)
	up.await()
	resp, err := t.next.RoundTrip(up.request(r))
	up.end()
	if err != nil {
		err = explain(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &receivedBody{resp.Body, newWatch(ctx, cancel, &t.bounds, r, fromServer)}
	return resp, nil
}

// explain returns the error that ended an exchange. If there was a timeout, it returns that; if not, it returns err.
func explain(ctx context.Context, err error) error {
	if timeout, ok := errors.AsType[*TimeoutError](context.Cause(ctx)); ok {
		return timeout
	}
	return err
}

// request returns r with the watch's context. Its body tells the watch of each piece that the transport takes from it.
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

// The connection reads a sentBody piece by piece, as it takes the pieces: the watch is on from one Read to the next.
type sentBody struct {
	io.ReadCloser
	watch *watch
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.watch.pause()
	n, err := b.ReadCloser.Read(p)
	b.watch.moved(n)
	if err != nil {
		b.watch.await() // net/http still holds the last piece of the body, and has to send it
	} else {
		b.watch.wait()
	}
	return n, err
}

// A receivedBody lets the watch run while its reader waits for a piece.
type receivedBody struct {
	io.ReadCloser
	watch *watch
}

func (b *receivedBody) Read(p []byte) (int, error) {
	b.watch.wait()
	n, err := b.ReadCloser.Read(p)
	b.watch.pause()
	b.watch.moved(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = explain(b.watch.ctx, err)
	}
	return n, err
}

func (b *receivedBody) Close() error {
	b.watch.end()
	err := b.ReadCloser.Close()
	b.watch.cancel(nil)
	return err
}

// A direction is what an error calls a body's direction.
type direction string

const (
	toServer   direction = "went"
	fromServer direction = "came"
)

func (d direction) idle(idle time.Duration) error {
	return &TimeoutError{fmt.Sprintf("the connection stood still: no byte of a body %s for %s", d, idle)}
}

func (d direction) tooSlow(bytes int64, took time.Duration) error {
	return &TimeoutError{fmt.Sprintf("the connection is too slow: %d bytes of a body %s in %s", bytes, d, took.Round(time.Second))}
}

func noAnswer(wait time.Duration) error {
	return &TimeoutError{fmt.Sprintf("the server did not begin to answer within %s", wait)}
}
