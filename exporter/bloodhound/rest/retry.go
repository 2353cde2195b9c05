package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
)

// A RetryPolicy limits how long and how often the client repeats a failed request. A zero field takes its default.
type RetryPolicy struct {
	Tries   uint          // tries in all; default 8; 1 means only one try
	Elapsed time.Duration // from the first try to the start of the last; default 5m
	Initial time.Duration // about the first pause; it doubles from try to try, and half of it is random; default 500ms
	Max     time.Duration // about the longest pause; default 30s
	// Limited is the least pause after a 429 that does not say how long to wait; default 1s, since the server counts
	// requests in whole seconds.
	Limited time.Duration
	// Interactive is for a command while a person waits. If no server listens at the address, or the name does not exist, the
	// client reports that at once. It does not search for a bad row at the ends of the log to tell how far the log reaches.
	Interactive bool
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	p.Tries = cmp.Or(p.Tries, 8)
	p.Elapsed = cmp.Or(p.Elapsed, 5*time.Minute)
	p.Initial = cmp.Or(p.Initial, 500*time.Millisecond)
	p.Max = cmp.Or(p.Max, 30*time.Second)
	p.Limited = cmp.Or(p.Limited, time.Second)
	return p
}

// pace is the pause between tries. It grows exponentially, with jitter, and is added to the pause for which the server asked.
// If the server asks for a longer pause than the policy has left, the client does not try again.
type pace struct {
	backoff.ExponentialBackOff
	floor time.Duration
}

// NextBackOff adds the two pauses. So if the server told several clients the same second, they do not come back in the same
// instant.
func (p *pace) NextBackOff() time.Duration { return p.floor + p.ExponentialBackOff.NextBackOff() }

// Retry runs op until it succeeds, until it fails for good, or until the policy ends. It runs op again only if the error, or
// one that it wraps, has a method Retryable that returns true.
func (c *Client) Retry(ctx context.Context, op func(ctx context.Context) error) error {
	policy := c.options.Retry
	wait := &pace{ExponentialBackOff: backoff.ExponentialBackOff{
		InitialInterval: policy.Initial, MaxInterval: policy.Max, Multiplier: 2, RandomizationFactor: 0.5,
	}}
	var (
		start = time.Now()
		tries uint
		last  error
	)
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		tries++
		last = op(ctx)
		if last == nil {
			return struct{}{}, nil
		}
		if !policy.worthAnother(last, tries) {
			return struct{}{}, backoff.Permanent(last)
		}
		wait.floor = askedToWait(last, policy.Limited)
		return struct{}{}, last
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(policy.Elapsed),
		backoff.WithNotify(func(err error, pause time.Duration) { c.noteRetry(err, tries, pause) }))

	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(last, err):
		return fmt.Errorf("stopped before try %d: %w; the previous try: %w", tries+1, err, last)
	case tries > 1:
		return fmt.Errorf("%w (gave up after %d tries in %s)", err, tries, time.Since(start).Round(time.Millisecond))
	default:
		return err
	}
}

// worthAnother decides after a failed try. A cancelled context is never Retryable.
func (p RetryPolicy) worthAnother(err error, tries uint) bool {
	var again interface {
		error
		Retryable() bool
	}
	if !errors.As(err, &again) || !again.Retryable() || p.Interactive && isAbsent(err) {
		return false
	}
	limit := p.Tries
	if e, ok := errors.AsType[*Error](err); ok {
		limit = e.patience(limit)
	}
	return tries < limit
}

// isAbsent tells that no server listens at the address, or that the name does not exist.
func isAbsent(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound || errors.Is(err, syscall.ECONNREFUSED)
}

// askedToWait is the pause for which the failure itself asks.
func askedToWait(err error, limited time.Duration) time.Duration {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return 0
	case e.Kind == RateLimited:
		return max(e.RetryAfter, limited)
	default:
		return e.RetryAfter
	}
}

func (c *Client) noteRetry(err error, tries uint, pause time.Duration) {
	reason := "other"
	if e, ok := errors.AsType[*Error](err); ok {
		reason = e.Kind.String()
	}
	c.options.Observer.Retry(reason)
	c.options.Log.Warn("request failed, trying again",
		zap.String("reason", reason), zap.Uint("tries", tries), zap.Duration("pause", pause), zap.Error(err))
}
