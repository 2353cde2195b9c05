package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
	"github.com/houndtrail/houndtrail/sink/webhook/header"
)

// The pauses between two attempts: they double, each plus or minus a half, so that many exporters do not come
// back at the same moments after one receiver's outage.
const (
	firstWait = 500 * time.Millisecond
	longWait  = 30 * time.Second
	// maxRetryAfter is the longest pause that Houndtrail keeps, however long a receiver asks for.
	maxRetryAfter = 24 * time.Hour
	// answerIdle is how long an answer, or the sending of a batch, may stand still.
	answerIdle = 10 * time.Second
)

// deliver posts the batch until it is acknowledged, refused for good, or the patience is used up. When the context pauses ends,
// the pause between two attempts ends too, and no other attempt follows.
func (s *Sink) deliver(ctx, pauses context.Context, b *batch) error {
	var (
		started = time.Now()
		tries   int
		odd     int // how many of the tries had an unexpected answer
		last    error
	)
	try := func() (struct{}, error) {
		tries++
		if last = s.attempt(ctx, b, tries); isUnexpected(last) {
			odd++
		}
		if last != nil && !retryable(last, odd) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier, wait.MaxInterval = firstWait, 2, longWait
	_, err := backoff.Retry(pauses, try, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(s.options.RetryFor),
		backoff.WithNotify(func(_ error, pause time.Duration) { s.retrying(b, last, tries, pause) }))
	pause, again := asked(last), retryable(last, odd)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && again:
		return fmt.Errorf("stopped in attempt %d: %w", tries, ctx.Err())
	case again && pause > 0 && pause > s.options.RetryFor-time.Since(started):
		return &PostponedError{Until: time.Now().Add(pause), Err: last}
	case pauses.Err() != nil && again:
		return errHalted
	case tries == 1 && !again:
		return last
	default:
		return fmt.Errorf("gave up after %d attempts in %s; the next run sends the batch again: %w",
			tries, time.Since(started).Round(time.Millisecond), last)
	}
}

// Tell posts events that are no records, in one post and with one try. Nothing may depend on them: after an error the receiver may
// have them or not. They count neither as records nor as a batch of a window, and a receipt does not have them. Each is an object
// of JSON on one line, with a type and an event_id, and comes with the same event_id again if the caller tells it again.
func (s *Sink) Tell(ctx context.Context, events ...[]byte) error {
	walk := format.Walk{Events: true}
	frame := s.format.Frame(walk)
	plain := []byte(frame.Open)
	for i, event := range events {
		if i > 0 {
			plain = append(plain, frame.Between...)
		}
		plain = s.format.AppendEvent(plain, event)
	}
	plain = append(plain, frame.Close...)
	var wire bytes.Buffer
	zip := s.options.Compression.Writer()
	zip.Reset(&wire)
	_, err := zip.Write(plain)
	if err = errors.Join(err, zip.Close()); err != nil {
		return fmt.Errorf("webhook: compress an event: %w", err)
	}
	if err := s.inFlight.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.inFlight.Release(1)
	sum := sha256.Sum256(plain)
	b := &batch{walk: walk, events: len(events), id: hex.EncodeToString(sum[:len(sum)/2]), size: len(plain), wire: wire.Bytes()}
	if err := s.attempt(ctx, b, 1); err != nil {
		return fmt.Errorf("post to webhook %s: %w", s, err)
	}
	return nil
}

// asked is the pause that the receiver asks for.
func asked(err error) time.Duration {
	if answer, ok := errors.AsType[*StatusError](err); ok {
		return answer.retryAfter
	}
	return 0
}

// retrying tells people that an attempt failed and another one follows: a delivery that takes minutes should not be silent.
func (s *Sink) retrying(b *batch, err error, tries int, pause time.Duration) {
	r := Retry{Batch: b.id, Number: tries, Reason: reason(err), Pause: pause, Err: err}
	fields := []zap.Field{
		zap.Int("try", tries), zap.String("reason", r.Reason), zap.Duration("pause", pause), zap.String("batch", b.id),
	}
	if answer, ok := errors.AsType[*StatusError](err); ok {
		fields = append(fields, zap.Int("status", answer.Status), zap.String("answer", answer.Answer))
	}
	s.options.Log.Warn("the batch was not acknowledged, trying again", append(fields, zap.Error(err))...)
	s.options.Retried(r)
}

// attempt is one POST. A crash after the receiver's answer repeats the batch under the same id.
func (s *Sink) attempt(ctx context.Context, b *batch, number int) error {
	authorization, err := s.authorization()
	if err != nil {
		return err
	}
	started := time.Now()
	status, err := s.post(ctx, b, authorization)
	s.options.Observe(Attempt{
		Batch: b.id, Number: number, Status: status, Records: len(b.lines), Bytes: len(b.wire),
		Took: time.Since(started), Err: err,
	})
	return err
}

// post sends one request and judges the answer. It uses the transport and not an http.Client, which would follow
// redirects and put the URL, with its query, into its errors.
func (s *Sink) post(ctx context.Context, b *batch, authorization string) (status int, err error) {
	attempt, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	body := &attemptBody{bytes: b.wire}
	defer body.end()

	resp, err := s.transport.RoundTrip(s.request(attempt, body, b, authorization))
	redact := s.redactor(authorization)
	if err != nil {
		if attempt.Err() != nil && ctx.Err() == nil {
			return 0, &transportError{text: fmt.Sprintf("no answer within %s", s.options.Timeout), cause: errTimeout}
		}
		return 0, newTransportError(err, redact)
	}
	defer func() {
		body.end() // first, since closing the answer ends the exchange
		_ = resp.Body.Close()
	}()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, int64(s.limits.Answer)))
	if err != nil && resp.StatusCode/100 == 2 { // for any other answer the status is enough
		return resp.StatusCode, s.brokeOff(ctx, resp.StatusCode, err, redact)
	}
	return resp.StatusCode, s.judge(resp, answer, b, redact)
}

// brokeOff explains an answer that has a good status and no end. The missing part might have said anything.
func (s *Sink) brokeOff(ctx context.Context, status int, err error, redact *strings.Replacer) error {
	e := &transportError{text: fmt.Sprintf("the answer began with status %d and broke off: %s", status, show(err.Error(), redact)), cause: err}
	if _, idle := errors.AsType[*transport.TimeoutError](err); idle || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		e.cause = errTimeout
	}
	return e
}

func (s *Sink) request(ctx context.Context, body *attemptBody, b *batch, authorization string) *http.Request {
	header := s.header.Clone()
	// With this header net/http itself sends a request again if the receiver had closed its idle connection.
	header.Set("Idempotency-Key", b.id)
	for _, h := range s.format.Headers(b.about()) {
		header.Set(h.Name, h.Value)
	}
	if authorization != "" {
		header.Set(s.format.Credential(), authorization)
	}
	r := &http.Request{
		Method: http.MethodPost, URL: s.address, Host: s.address.Host, Header: header,
		Body: body.body(), ContentLength: int64(len(body.bytes)),
		GetBody: func() (io.ReadCloser, error) { return body.body(), nil },
	}
	return r.WithContext(ctx)
}

func (s *Sink) authorization() (string, error) {
	if s.options.Authorization == nil {
		return "", nil
	}
	value, err := s.options.Authorization()
	if err != nil {
		return "", fmt.Errorf("read the value of "+setting.WebhookAuthorization+": %w", err)
	}
	if !header.ValidValue(value) {
		return "", errors.New("the value of " + setting.WebhookAuthorization + " holds a line break or control character: " +
			"it must be one line, such as: Bearer <token>")
	}
	return value, nil
}
