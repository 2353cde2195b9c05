package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// How long to wait between two attempts: doubling, each time plus or minus a half, so that many exporters do not come
// back in step after one receiver's outage.
const (
	firstWait = 500 * time.Millisecond
	longWait  = 30 * time.Second
	// maxRetryAfter caps what a receiver may ask for. Longer waits are the schedule's business.
	maxRetryAfter = time.Minute
)

// maxAnswer is how much of an answer is read, in bytes: enough for any message, and to reuse the connection.
const maxAnswer = 64 << 10

// deliver posts the batch until it is acknowledged, refused for good, or the patience is used up.
func (s *Sink) deliver(ctx context.Context, b *batch) error {
	var (
		started = time.Now()
		tries   int
		last    error
	)
	try := func() (struct{}, error) {
		tries++
		last = s.attempt(ctx, b, tries)
		if last != nil && !retryable(last) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier, wait.MaxInterval = firstWait, 2, longWait
	_, err := backoff.Retry(ctx, try, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(s.options.RetryFor))
	switch {
	case err == nil:
		return nil
	case !retryable(last):
		return last
	case ctx.Err() != nil:
		return fmt.Errorf("stopped in attempt %d: %w", tries, ctx.Err())
	default:
		return fmt.Errorf("gave up after %d attempts in %s; the next run sends the window again: %w",
			tries, time.Since(started).Round(time.Millisecond), last)
	}
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
	body := &loan{bytes: b.wire}
	defer body.end()

	resp, err := s.options.Transport.RoundTrip(s.request(attempt, body, b.id, authorization))
	if err != nil {
		if attempt.Err() != nil && ctx.Err() == nil {
			return 0, &transportError{text: fmt.Sprintf("no answer within %s", s.options.Timeout)}
		}
		return 0, &transportError{text: "no answer: " + s.redactor(authorization).Replace(err.Error()), cause: err}
	}
	defer func() { _ = resp.Body.Close() }() // the status has said it all
	// Only the status counts: an answer that breaks off, or is longer than we care to read, changes nothing.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 == 2 {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, newStatusError(resp, answer, s.redactor(authorization))
}

func (s *Sink) request(ctx context.Context, body *loan, id, authorization string) *http.Request {
	header := s.header.Clone()
	// With this header net/http itself sends a request again whose idle connection the receiver had closed.
	header.Set("Idempotency-Key", id)
	if authorization != "" {
		header.Set("Authorization", authorization)
	}
	r := &http.Request{
		Method: http.MethodPost, URL: s.url, Host: s.url.Host, Header: header,
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
		return "", fmt.Errorf("read the value of HOUNDTRAIL_WEBHOOK_AUTHORIZATION: %w", err)
	}
	if invalidValue(value) {
		return "", errors.New("the value of HOUNDTRAIL_WEBHOOK_AUTHORIZATION holds a line break or control character: " +
			"it must be one line, such as: Bearer <token>")
	}
	return value, nil
}
