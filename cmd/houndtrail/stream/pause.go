package stream

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

const (
	// longestPause is more than Houndtrail grants any receiver. If the remembered time is later, another clock wrote it.
	longestPause = 25 * time.Hour
	// rememberTime bounds how long a run takes to write a pause down.
	rememberTime = 10 * time.Second
)

// A pause is the time that a receiver asks for, if it is longer than Houndtrail keeps trying a batch. It is remembered beside
// the journal, in <stream>/state/postponed.json, so that a job that starts every few minutes obeys it too. Nothing depends on
// it: without it Houndtrail asks the receiver, which answers the same again.
type pause struct {
	state checkpoint.State[pauseRecord]
	now   func() time.Time
	log   *zap.Logger

	until time.Time // as this process knows it
	asked bool      // the bucket was asked; that is not needed in each cycle
}

// pauseRecord is the content of the object.
type pauseRecord struct {
	NotBefore time.Time `json:"not_before"`
}

func newPause(b bucket.Bucket, stream string, now func() time.Time, log *zap.Logger) *pause {
	return &pause{state: checkpoint.OpenState[pauseRecord](b, stream, "postponed"), now: now, log: log}
}

// pending is when the pause ends; zero if there is none.
func (p *pause) pending(ctx context.Context) time.Time {
	if !p.asked {
		r, err := p.state.Read(ctx)
		if err != nil {
			p.log.Warn("whether the receiver has asked for a pause is not known, and it is asked", zap.Error(err))
		}
		p.until, p.asked = r.NotBefore, true
	}
	if left := p.until.Sub(p.now()); left <= 0 || left > longestPause {
		return time.Time{}
	}
	return p.until
}

// remember writes the pause down.
func (p *pause) remember(ctx context.Context, postponed *webhook.PostponedError) {
	p.until, p.asked = p.now().Add(time.Until(postponed.Until)), true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rememberTime)
	defer cancel()
	if err := p.state.Write(ctx, pauseRecord{p.until.UTC().Truncate(time.Second)}); err != nil {
		p.log.Warn("the pause that the receiver asks for could not be written down: another run will not know of it",
			zap.Time("not_before", p.until), zap.Error(err))
	}
}

// Postponed is the end of the pause that a stream's receiver has asked for; zero if there is none.
func (s *Set) Postponed(ctx context.Context, name string) (time.Time, error) {
	if name != Webhook {
		return time.Time{}, nil
	}
	b, err := s.Journals(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return newPause(b, name, s.Now, zap.NewNop()).pending(ctx), nil
}
