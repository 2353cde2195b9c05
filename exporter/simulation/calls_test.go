package simulation

import (
	"context"
	"path"
	"time"
)

// do makes a call of the world. A process has no other way to act on it.
func do[T any](ctx context.Context, p *process, c call, effect func(context.Context) (T, error)) (result T, err error) {
	f := p.decide(c)
	defer func() { p.remember(c, f, err) }()
	var none T
	switch {
	case p.over():
		return none, errOver
	case p.isDead(): // a dead process sends no more calls, whichever of its goroutines notices first
		return none, errDead
	case ctx.Err() != nil: // a client whose caller has gone sends none either
		return none, ctx.Err()
	}
	p.thaw(c)
	ctx = context.WithValue(ctx, faultKey{}, f.fault)
	sent := time.Now()
	if err := p.travel(ctx, f.travel); err != nil {
		// If a call ends at the same moment at which it is sent, it was never sent. Otherwise the result would depend on the
		// scheduler.
		if f.lands && p.mayLand(c) && time.Now().After(sent) {
			_, _ = effect(context.WithoutCancel(ctx))
		}
		return none, err
	}
	switch f.kind {
	case refused:
		return none, errReset
	case timedOut:
		return none, p.silent(ctx, f.silence)
	case slow:
		if err := p.travel(ctx, f.silence); err != nil {
			return none, err
		}
	case frozen:
		// If the process is stopped now, that is too late for this call.
		l := p.launch(c, f, func() { result, err = effect(context.WithoutCancel(ctx)) })
		p.freeze(f.silence)
		p.thaw(c)
		p.count("zombies that woke up")
		l.land()
		return result, err
	case delayed:
		l := p.launch(c, f, func() { _, _ = effect(context.WithoutCancel(ctx)) })
		p.inFlight.Go(func() {
			time.Sleep(f.silence)
			p.count("effects after an error")
			l.land()
		})
		return none, p.silent(ctx, min(f.silence, 30*time.Second))
	case killedBefore:
		p.kill()
		return none, errDead
	default:
	}
	result, err = effect(ctx)
	switch f.kind {
	case unheard:
		p.count("effects after an error")
		return none, errReset
	case unheardLate:
		p.count("effects after an error")
		return none, p.silent(ctx, f.silence)
	case repeated:
		return effect(ctx)
	case killedAfter:
		p.kill()
		return none, errDead
	default:
	}
	return result, err
}

// mayLand tells whether a call can have its effect after its sender has died. In a directory of its own machine, it cannot.
func (p *process) mayLand(c call) bool { return c.part == hook || c.part != api && !p.locks }

// A landing is an effect on its way.
type landing struct {
	*world
	call call
	who  string
	run  func()

	landed bool // guarded by the world's mutex
}

// launch sends an effect on its way.
func (p *process) launch(c call, f fate, effect func()) *landing {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	l := &landing{world: p.world, call: c, who: p.name, run: effect}
	p.onTheWay = append(p.onTheWay, l)
	p.note(p.name, "%s %s %s: %s", c.part, c.op, c.key, f)
	return l
}

// land makes the effect happen, unless it already has.
func (l *landing) land() {
	l.mu.Lock()
	landed := l.landed
	l.landed = true
	if !landed {
		l.note(l.who, "%s %s %s lands", l.call.part, l.call.op, l.call.key)
	}
	l.mu.Unlock()
	if !landed {
		l.run()
	}
}

// overtake lets effects on their way land at the worst moment: just before the same call of another process, or before the next
// try.
func (p *process) overtake(c call) {
	p.world.mu.Lock()
	var late []*landing
	for _, l := range p.onTheWay {
		if !l.landed && l.call == c && p.dice(l.who+l.call.key, uint64(len(p.onTheWay))).IntN(2) == 0 {
			late = append(late, l)
		}
	}
	p.world.mu.Unlock()
	for _, l := range late {
		p.count("calls overtaken: " + c.op + " " + string(c.part) + " " + path.Base(c.key)[:5])
		l.land()
	}
}

// silent waits for a part that does not answer.
func (p *process) silent(ctx context.Context, d time.Duration) error {
	if err := p.travel(ctx, d); err != nil {
		return err
	}
	return errTimeout
}

// rounded is the next millisecond. The exporter itself draws its pauses between tries, some of them in nanoseconds. Rounding
// removes them, so that the story is the same each time.
func rounded(t time.Time) time.Time { return t.Truncate(time.Millisecond).Add(time.Millisecond) }

// travel is the time that a request takes. It ends early if its sender's patience or life ends.
func (p *process) travel(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(time.Until(rounded(time.Now()).Add(d)))
	defer timer.Stop()
	select {
	case <-p.died:
		p.count("calls of the dead")
		return errDead
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	if p.isDead() {
		return errDead
	}
	return nil
}
