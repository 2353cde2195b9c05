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

	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// answerIdle is how long Houndtrail waits while no byte of a batch or of an answer moves.
const answerIdle = 10 * time.Second

// Tell posts events that are no records, in one post and with one try. Nothing may depend on these events: after an error, the
// receiver may have them or not. The counts of records and batches do not include them, and a receipt does not have them. Each
// event is an object of JSON on one line, with a type and an event_id. If the caller tells it again, it has the same event_id
// again.
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
	if err := s.turn(ctx, ctx); err != nil {
		return fmt.Errorf("post to webhook %s: %w", s, err)
	}
	if err := s.attempt(ctx, ctx, b, 1); err != nil && classOf(err) != format.Pending {
		return fmt.Errorf("post to webhook %s: %w", s, err)
	}
	return nil
}

// post sends one request, judges the answer, and notes in a what the answer says. It uses the transport and not an http.Client: a
// client would follow redirects, and put the URL with its query into its errors. again tells whether another post would have
// another proof.
func (s *Sink) post(ctx context.Context, b *batch, a *Attempt) (again bool, err error) {
	attempt, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	body := &attemptBody{bytes: b.wire}
	defer body.end()

	r := s.request(attempt, body, b)
	if err := s.authorize(attempt, r, b); err != nil {
		return false, err
	}
	resp, err := s.transport.RoundTrip(r)
	redact := s.redactor(r)
	if err != nil {
		if attempt.Err() != nil && ctx.Err() == nil {
			return false, &transportError{text: fmt.Sprintf("no answer within %s", s.options.Timeout), cause: errTimeout}
		}
		broken := newTransportError(err, redact)
		return s.refused(r, authorize.CertificateRefused, broken), broken
	}
	defer func() {
		body.end() // first, since closing the answer ends the exchange
		_ = resp.Body.Close()
	}()
	a.Status = resp.StatusCode
	answer, done, err := s.read(attempt, resp.Body, len(b.lines))
	defer done()
	if err != nil && resp.StatusCode/100 == 2 { // for any other answer the status is enough
		return false, s.brokeOff(ctx, resp.StatusCode, err, redact)
	}
	err = s.judge(resp, answer, b, redact, a)
	return s.refused(r, resp.StatusCode, err), err
}

// read reads an answer to a batch of so many records, up to the limit of the answer. The memory of the answer is in use until the
// caller calls done, so the sink reads one long answer at a time.
func (s *Sink) read(ctx context.Context, body io.Reader, records int) (answer []byte, done func(), err error) {
	short, bound := min(s.limits.Answer, shortAnswer), s.answerBound(records)
	answer, err = io.ReadAll(io.LimitReader(body, int64(short)))
	if err != nil || len(answer) < short || bound <= short {
		return answer, func() {}, err
	}
	if err := s.longAnswer.Acquire(ctx, 1); err != nil {
		return answer, func() {}, err
	}
	rest, err := io.ReadAll(io.LimitReader(body, int64(bound-short)))
	return append(answer, rest...), func() { s.longAnswer.Release(1) }, err
}

const (
	// shortAnswer is how many bytes of an answer each batch in flight may hold in memory.
	shortAnswer = 64 << 10
	// longestAnswer is how many bytes of an answer the sink reads at most.
	longestAnswer = 64 << 20
)

// answerBound is how many bytes of the answer to a batch of so many records the sink reads.
func (s *Sink) answerBound(records int) int {
	return max(s.limits.Answer, min(s.limits.Answer+records*s.limits.AnswerRecord, longestAnswer))
}

// brokeOff explains an answer that has a good status and no end. The missing part could say anything, so the batch is not
// acknowledged.
func (s *Sink) brokeOff(ctx context.Context, status int, err error, redact *strings.Replacer) error {
	e := &transportError{text: fmt.Sprintf("the answer began with status %d and broke off: %s", status, show(err.Error(), redact)), cause: err}
	if _, idle := errors.AsType[*transport.TimeoutError](err); idle || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		e.cause = errTimeout
	}
	return e
}

func (s *Sink) request(ctx context.Context, body *attemptBody, b *batch) *http.Request {
	header := s.header.Clone()
	// With this header, net/http sends a request again by itself if the receiver had closed its idle connection.
	header.Set("Idempotency-Key", b.id)
	for _, h := range s.format.Headers(b.about()) {
		header.Set(h.Name, h.Value)
	}
	r := &http.Request{
		Method: http.MethodPost, URL: s.address, Host: s.address.Host, Header: header,
		Body: body.body(), ContentLength: int64(len(body.bytes)),
		GetBody: func() (io.ReadCloser, error) { return body.body(), nil },
	}
	return r.WithContext(ctx)
}
