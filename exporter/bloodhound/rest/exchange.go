package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// errorBody is how many bytes of a failed request's body the client reads at most.
const errorBody = 64 << 10

// A Reply is a 200 that holds a JSON object.
type Reply struct {
	Body   *Buffer // the caller releases it
	Clock  Reading
	Waited time.Duration // from the request until the server began to answer
}

// Get performs one GET. It keeps the rate, adds the credentials, Prefer and gzip, reads a body of limited size, and sorts the
// failures into kinds. The target is the path and the query exactly as the client sends them, after the prefix of Options.URL.
// A failure is an [*Error], except for a cancelled context and for credentials that cannot be read.
//
// read reads the body if the answer is a 200.
//
// If the server refuses a session, the client replaces it and sends the request once more. A second refusal is final. So a
// client of a revoked user does not send request after request.
func (c *Client) Get(ctx context.Context, target string, read BodyReader) (Reply, error) {
	for renewed := false; ; renewed = true {
		r, err := c.newRequest(ctx, http.MethodGet, target, nil)
		if err != nil {
			return Reply{}, err
		}
		r.Header.Set("Prefer", c.prefer)
		if err := c.options.Auth.authorize(ctx, c, r, nil); err != nil {
			return Reply{}, err
		}
		a, err := c.roundTrip(r, read)
		if err != nil {
			return Reply{}, err
		}
		e := judge(a, r)
		if e == nil {
			return Reply{Body: a.body, Clock: a.clock, Waited: a.waited}, nil
		}
		a.body.Release()
		if e.Kind == Unauthorized && !renewed && c.options.Auth.refused(r) {
			continue
		}
		if e.Advice != adviceForeign && (e.Kind == Unauthorized || e.Kind == Forbidden || e.Kind == BadRequest) {
			e.Advice = cmp.Or(c.options.Auth.explain(e, r), e.Advice)
		}
		return Reply{}, e
	}
}

// An answer is a reply of any status.
type answer struct {
	status int
	header http.Header
	clock  Reading
	waited time.Duration
	body   *Buffer
}

// roundTrip waits until the rate allows the request, sends it, and reads the whole reply. It follows no redirect: at the new
// place the signature would be wrong, and the client would show a bearer token to another server.
func (c *Client) roundTrip(r *http.Request, read BodyReader) (answer, error) {
	if err := c.throttle.wait(r.Context()); err != nil {
		return answer{}, fmt.Errorf("%s %s on %s: wait for the request rate: %w", r.Method, r.URL.Path, r.URL.Host, err)
	}
	start := time.Now()
	a, err := c.receive(r, read)
	took := time.Since(start)
	c.throttle.learn(a.status, err, took)
	if err != nil {
		a.body.Release()
		err = c.explainFailure(r, a, err)
	}
	c.note(r, a, err, took)
	if err != nil {
		return answer{}, err
	}
	return a, nil
}

// receive is one HTTP exchange. It does not judge the answer. With an error, it returns the bytes that arrived before.
func (c *Client) receive(r *http.Request, read BodyReader) (answer, error) {
	asked := time.Now()
	res, err := c.transport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, header: res.Header, clock: c.clock.learn(res.Header), waited: time.Since(asked)}
	if res.StatusCode == http.StatusOK {
		a.body, err = read(res)
		return a, err
	}
	// The beginning of an error page is enough. If the page is damaged, its status is still of use.
	a.body, _ = c.shelf.readBody(res, errorBody)
	return a, nil
}

// note records the request in the metrics and the log.
func (c *Client) note(r *http.Request, a answer, err error, took time.Duration) {
	status := strconv.Itoa(a.status)
	var e *Error
	switch {
	case errors.As(err, &e):
		status = e.Kind.String()
	case err != nil:
		status = "cancelled"
	}
	c.options.Observer.Request(status, took)
	if entry := c.options.Log.Check(zap.DebugLevel, "request"); entry != nil {
		size := 0
		if err == nil {
			size = len(a.body.Bytes)
		}
		entry.Write(zap.String("method", r.Method), zap.String("target", r.URL.RequestURI()),
			zap.String("status", status), zap.Duration("took", took), zap.Int("bytes", size),
			zap.String("request_id", requestID(a.header)))
	}
}
