package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

const (
	// ackPatience is how long Houndtrail asks for the acknowledgement of a batch before it sends the batch again.
	ackPatience = 5 * time.Minute
	// ackGrace is how long Houndtrail still asks after another batch has failed for good.
	ackGrace = 10 * time.Second
	// mostRounds is how often Houndtrail sends a batch again if its acknowledgement never comes. Each time may double the records of
	// the batch.
	mostRounds = 3
)

// errNoAck ends a round: the receiver has taken the batch, but its acknowledgement did not come.
var errNoAck = errors.New("no acknowledgement")

// untilStored posts a batch. If the receiver says only later that it has stored the batch, untilStored asks until it does. If the
// receiver never says so, the batch may be lost, so untilStored sends it again. During all this time, the batch keeps its place
// among the batches in flight. Houndtrail does not store the question: after a crash, the next process sends the batch again.
func (s *Sink) untilStored(ctx, pauses context.Context, b *batch, number int) error {
	for {
		err := s.attempt(ctx, pauses, b, number)
		if classOf(err) != format.Pending {
			return err
		}
		pending, _ := errors.AsType[*StatusError](err)
		err = s.ask(ctx, pauses, b, pending)
		if err == nil {
			s.ackless.Store(false)
		}
		if !errors.Is(err, errNoAck) {
			return err
		}
		if b.round >= mostRounds || s.ackless.Load() {
			s.ackless.Store(true)
			return fmt.Errorf("the receiver took the batch %d times and never said that it has stored it: if a load balancer is in front of "+
				"it, switch sticky sessions on, and look at the receiver's indexing queue; or unset "+setting.WebhookHECAck, b.round+1)
		}
		b.round++
		s.options.Log.Warn("no acknowledgement came, sending the batch anew", zap.String("batch", b.id), zap.Int("round", b.round))
		if err := s.turn(ctx, pauses); err != nil {
			return err
		}
	}
}

// ask asks for the acknowledgement of a batch, with longer and longer pauses. If an answer says nothing about the batch, it asks
// again.
func (s *Sink) ask(ctx, pauses context.Context, b *batch, pending *StatusError) error {
	halted, end := pauses.Done(), time.NewTimer(ackPatience)
	defer end.Stop()
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		next := time.NewTimer(pause)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				next.Stop()
				return fmt.Errorf("stopped before the receiver said that it has stored the batch: %w", ctx.Err())
			case <-halted:
				halted = nil
				end.Reset(ackGrace)
			case <-end.C:
				next.Stop()
				if pauses.Err() != nil {
					return errHalted
				}
				return errNoAck
			case <-next.C:
				waiting = false
			}
		}
		if err := s.poll(ctx, b, pending); classOf(err) != format.Pending {
			return err
		}
	}
}

// poll asks once. If the batch is stored, the error is nil. If the receiver does not say that the batch is stored, the error has
// the class Pending. People must mend any other error. If the answer is lost, the receiver may never say "yes" again: then
// Houndtrail sends the batch again.
func (s *Sink) poll(ctx context.Context, b *batch, pending *StatusError) error {
	asking, ok := s.format.(format.Acknowledger)
	if !ok {
		return pending // impossible: no other format says Pending
	}
	if s.turn(ctx, ctx) != nil {
		return pending // the caller sees that its context has ended
	}
	attempt, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	to, question := asking.Poll(s.address, pending.verdict.Ack)
	r := s.request(attempt, &attemptBody{bytes: question}, b)
	r.URL = to
	r.Header.Del("Content-Encoding")
	for _, c := range pending.cookies { // a load balancer finds the same indexer by them
		r.AddCookie(c)
	}
	err := s.proof.Authorize(attempt, r, func() (io.Reader, error) { return bytes.NewReader(question), nil })
	if err != nil {
		return pending
	}
	resp, err := s.transport.RoundTrip(r)
	if err != nil {
		return pending
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(s.limits.Answer)))
	if err != nil {
		return pending
	}
	redact := s.redactor(r)
	v := asking.Polled(format.Answer{
		Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: body,
		Quote: func(text string) string { return show(text, redact) },
	}, pending.verdict.Ack)
	switch v.Class {
	case format.OK:
		return nil
	case format.Stop:
		refusal := &StatusError{Status: resp.StatusCode, Answer: firstLine(body, redact), verdict: v}
		if s.refused(r, resp.StatusCode, refusal) {
			return pending // the next question has another proof
		}
		return refusal
	default:
		return pending
	}
}
