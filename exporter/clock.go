package exporter

import (
	"context"
	"errors"
	"time"

	"houndtrail/exporter/bloodhound"
)

// mostBehind is how far the time that a cycle goes by may be behind the server's: that loses nothing, but keeps people
// waiting. Ahead of it, it must not be at all.
const mostBehind = time.Minute

// errGuess ends a cycle that went by a wrong time before anything was written. It is begun anew and never returned.
var errGuess = errors.New("the server's clock is not what it was taken for")

// startTime is the server's time, or a guess at it that is to be confirmed by the first reply.
func (e *Exporter) startTime(ctx context.Context, guess bool) (now time.Time, guessed bool, err error) {
	if g, ok := e.Source.(Guesser); ok && guess {
		return g.Guess().Server, true, nil
	}
	clock, err := e.Source.Clock(ctx)
	return clock.Server, false, failed(StageSource, err)
}

// confirm holds a guessed time against what the first reply told. The zero reading stands for a reply that does not tell,
// and for no reply at all: where nothing seems to be due, that may be the guess's fault.
func (c *cycle) confirm(told bloodhound.Reading) error {
	if !c.guessed {
		return nil
	}
	c.guessed = false
	if behind := told.Server.Sub(c.at(told.Local)); told.Server.IsZero() || behind < 0 || behind > mostBehind {
		return errGuess
	}
	return nil
}
