package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// These are the pauses between two attempts. Each is twice as long as the previous one, plus or minus a half. So after one
// receiver's outage, many exporters do not come back at the same moment.
const (
	firstWait = 500 * time.Millisecond
	longWait  = 30 * time.Second
	// maxRetryAfter is the longest pause that Houndtrail keeps, even if a receiver asks for a longer one.
	maxRetryAfter = 24 * time.Hour
)

// A delivery is the state of a batch on its way to the receiver. The receiver may take some records of the batch, and others later
// or never.
type delivery struct {
	left    *batch    // the records that the receiver does not have; at first, all records
	done    []portion // the records that it has, and those in the dead letter
	refused *refusal  // the first record that the receiver refuses for its content (it is not in left); nil if there is none
}

// deliver posts the batch until the receiver acknowledges it or refuses it for good, or until the patience for the batch ends. When
// the context pauses ends, the pause between two attempts ends too, and no other attempt follows. If the receiver takes some of the
// records, deliver posts only the others again.
func (s *Sink) deliver(ctx, pauses context.Context, b *batch) (*delivery, error) {
	var (
		d     = &delivery{left: b}
		tries int
		odd   int // how many of the tries had an unexpected answer
		last  error
	)
	// Before started: while the batch waits for its first turn, its patience does not begin.
	if err := s.turn(ctx, pauses); err != nil {
		return d, err
	}
	started := time.Now()
	try := func() (struct{}, error) {
		if tries > 0 && s.turn(ctx, pauses) != nil {
			return struct{}{}, backoff.Permanent(last)
		}
		tries++
		if last = s.untilStored(ctx, pauses, d.left, tries); isUnexpected(last) {
			odd++
		}
		if last = s.settle(ctx, d, last); last != nil && !retryable(last, odd) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier, wait.MaxInterval = firstWait, 2, longWait
	_, err := backoff.Retry(pauses, try, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(s.options.RetryFor),
		backoff.WithNotify(func(_ error, pause time.Duration) { s.retrying(d.left, last, tries, pause) }))
	pause, again := asked(last), retryable(last, odd)
	switch {
	case err == nil:
		return d, nil
	case ctx.Err() != nil && again:
		return d, fmt.Errorf("stopped in attempt %d: %w", tries, ctx.Err())
	case again && pause > 0 && pause > s.options.RetryFor-time.Since(started):
		return d, &PostponedError{Until: time.Now().Add(pause), Err: last}
	case pauses.Err() != nil && again:
		return d, errHalted
	case tries == 1 && !again:
		return d, last
	default:
		return d, fmt.Errorf("gave up after %d attempts in %s; the next run sends the batch again: %w",
			tries, time.Since(started).Round(time.Millisecond), last)
	}
}

// turn waits until the limit of the requests a second lets one more go. The wait ends with both contexts. The error is the one of a
// batch that Houndtrail did not begin.
func (s *Sink) turn(ctx, pauses context.Context) error {
	if s.options.Limiter == nil {
		return nil
	}
	err := s.options.Limiter.Wait(pauses)
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil && pauses.Err() != nil:
		return errHalted
	default: // without a cause in ctx, its deadline would come before the turn
		return fmt.Errorf("stopped while it waited for its turn: %w", cmp.Or(ctx.Err(), err))
	}
}

// settle takes out of a delivery the records on which the answer decides one by one. If the error may pass, deliver posts the other
// records again. An error without items says the same about all records, and settle returns it without a change.
func (s *Sink) settle(ctx context.Context, d *delivery, err error) error {
	if err == nil {
		s.passed(d.left)
		d.done = append(d.done, d.left.portion(every))
		return nil
	}
	answer, ok := errors.AsType[*StatusError](err)
	if !ok || len(answer.verdict.Items) == 0 {
		return err
	}
	class := make([]format.Class, len(d.left.lines))
	for i := range class {
		class[i] = format.OK
	}
	for _, item := range answer.verdict.Items {
		class[item.N] = item.Class
	}
	if p := d.left.portion(func(i int) bool { return class[i] == format.OK }); len(p.events) > 0 {
		d.done = append(d.done, p)
	}
	if classOf(err) == format.Stop {
		return err
	}
	s.refuse(ctx, d, answer, func(i int) bool { return class[i] == format.OK })
	if classOf(err) == format.Narrow {
		return nil // the receiver has taken all other records
	}
	left, failed := s.without(d.left, func(i int) bool { return class[i] != format.Retry })
	if failed != nil {
		return fmt.Errorf("take the records out of a batch that the receiver has: %w", failed)
	}
	d.left = left
	return err
}

// without returns the batch without some of its records.
func (s *Sink) without(b *batch, leave func(i int) bool) (*batch, error) {
	s.recutting.Lock() // one at a time, since each call has the whole text of a batch in memory
	defer s.recutting.Unlock()
	t, err := unpack(s.options.Compression, b, s.format.Frame(b.walk))
	if err != nil {
		return nil, err
	}
	t = t.without(leave)
	p := s.packers.Take()
	defer s.giveBack(p)
	var wire bytes.Buffer
	rest, err := p.pack(t, 0, len(t.lines), math.MaxInt, &wire)
	rest.wire = wire.Bytes()
	return &rest, err
}

// asked is the pause that the receiver asks for.
func asked(err error) time.Duration {
	if answer, ok := errors.AsType[*StatusError](err); ok {
		return answer.retryAfter
	}
	if noToken, ok := errors.AsType[*authorize.TokenError](err); ok {
		return noToken.Wait
	}
	return 0
}

// retrying tells people that an attempt failed and that another one follows: a delivery that takes minutes must not be silent.
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
