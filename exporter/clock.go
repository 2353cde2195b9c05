package exporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/bloodhound"
)

const (
	// mostBehind is how far a cycle's time may be behind the true time. If it is behind, no record is lost, but users wait longer.
	// It must never be ahead of the true time.
	mostBehind = time.Minute
	// Apart is how far two clocks may differ. If they differ by more, Houndtrail says so.
	Apart = time.Minute
)

// errGuess ends a cycle that guessed the time wrong. The cycle has not written anything yet. RunOnce then begins the cycle
// anew, and never returns this error.
var errGuess = errors.New("the guess at the server's clock was wrong")

// ErrClock says that a clock is behind the position. The stream still delivers the records that it finds. The error ends when
// the clocks have caught up with the position. Until then records may be missing.
var ErrClock = errors.New("a clock is behind what was exported")

// A moment is the time that a cycle goes by: the earlier of the server's clock and our own. No position ever passes either
// clock. If one clock is ahead, records may still come with times of the other clock, and the stream does not skip them.
type moment struct {
	now     time.Time     // the earlier of the two, when the cycle began
	own     time.Time     // our clock then
	began   time.Time     // the same instant by the monotonic clock, to measure with: it does not jump
	skew    time.Duration // how far the server's clock is ahead of ours
	guessed bool          // the server's time is a guess, and no reply has confirmed it
}

// at turns an instant of this machine's clock into the cycle's time.
func (m moment) at(local time.Time) time.Time { return m.now.Add(local.Sub(m.began)) }

// clock is the cycle's time now.
func (m moment) clock() time.Time { return m.at(time.Now()) }

// present is the earlier of the two clocks at this moment. It takes the server's clock from the server's latest reply.
func (c *cycle) present() time.Time {
	m := c.compare(c.Source.Guess())
	m.now = earliest(m.own, m.own.Add(m.skew))
	return m.clock()
}

// moment reads both clocks. If mayGuess is set, it guesses the server's time, and the first reply then has to confirm the guess.
func (e *Exporter) moment(ctx context.Context, mayGuess bool) (moment, error) {
	var told bloodhound.Reading
	if mayGuess {
		told = e.Source.Guess()
	}
	m := moment{guessed: !told.Server.IsZero()}
	if !m.guessed {
		var err error
		if told, err = e.Source.Clock(ctx); err != nil {
			return m, failed(StageSource, err)
		}
	}
	m.began, m.own = time.Now(), e.ownClock()
	m = m.compare(told)
	m.now = earliest(m.own, m.own.Add(m.skew))
	return m, nil
}

// compare sets how far the server's clock is ahead.
func (m moment) compare(told bloodhound.Reading) moment {
	m.skew = told.Server.Add(m.began.Sub(told.Local)).Sub(m.own)
	return m
}

func (e *Exporter) ownClock() time.Time {
	if e.Now != nil {
		return e.Now().UTC()
	}
	return time.Now().UTC()
}

// checkGuessedClock compares a guessed time with the time that the first reply told. The zero reading means that the reply told
// no time, or that there was no reply at all. Then the guess may be the only reason why no window seems due, so it counts as
// wrong.
func (c *cycle) checkGuessedClock(told bloodhound.Reading) error {
	if !c.guessed {
		return nil
	}
	c.guessed = false
	if told.Server.IsZero() {
		return errGuess
	}
	c.moment = c.compare(told)
	behind := earliest(c.own, c.own.Add(c.skew)).Sub(c.now)
	if behind < 0 || behind > mostBehind {
		return errGuess
	}
	return nil
}

// tellClocks says how far the clocks are apart.
func (c *cycle) tellClocks() {
	if c.guessed {
		return // no reply has told yet
	}
	if c.Observer != nil {
		c.Observer.Clocks(c.skew)
	}
	if c.skew.Abs() > Apart {
		c.Log.Warn("the server's clock and this machine's are apart: Houndtrail goes by the earlier one; set the wrong one right",
			zap.Duration("server_ahead", c.skew.Round(time.Second)), zap.Time("server", c.own.Add(c.skew)), zap.Time("here", c.own))
	}
}

// behind tells that the cycle's time is behind the position, by more than clocks may differ.
func (c *cycle) behind() bool { return c.stored.Serial > 0 && c.stored.Cursor.Sub(c.now) > Apart }

// search walks the time behind the position once more, because new records now have times that Houndtrail has already exported.
// Even if all goes well, it ends in [ErrClock]. It does so in every cycle until the clocks have caught up. It first commits an
// entry that says that a search is owed. So the first cycle with right clocks makes that search, even if the schedule asks for
// none.
//
// Houndtrail remembers the ids of delivered records only for some time. If a record is older, Houndtrail cannot tell whether it
// has delivered that record. So if the clocks are that far back, it exports nothing.
func (c *cycle) search(ctx context.Context) error {
	if c.guessed {
		return errGuess
	}
	if !c.reaches() {
		return c.farBehind()
	}
	kind := walkSearch
	if c.stored.RescannedAt.IsZero() {
		kind = walkSearchOn
	}
	if err := c.export(ctx, c.revisit(kind, c.stored.DeliveredSince, c.stored.Cursor, c.nextPass())); err != nil {
		return err
	}
	if err := c.ahead(ctx); err != nil {
		return err
	}
	return failed(StageSource, fmt.Errorf("%w: %s. This cycle searched the time before that again and delivered the new "+
		"records in it. Each cycle does so until the clocks have caught up. Set the wrong clock right; nothing else is needed",
		ErrClock, c.clocks()))
}

// reaches tells that Houndtrail remembers the delivered ids back to the cycle's time, and back to the instant at which a person
// may have set the clocks back.
func (c *cycle) reaches() bool { return !c.now.Add(-IdleCommit).Before(c.stored.DeliveredSince) }

// farBehind is the error for clocks that are further back than that. It tells the user what to do.
func (c *cycle) farBehind() error {
	if c.skew.Abs() > Apart {
		return failed(StageSource, fmt.Errorf("%w: %s. Houndtrail cannot tell records of so long ago from delivered ones, so it "+
			"exports nothing. Set the wrong clock right (a cache in front of the server may also answer with an old Date); nothing else is "+
			"needed", ErrClock, c.clocks()))
	}
	return c.changed(c.clocks(), "both clocks were ahead, and are right now; the server's records carry times that were exported before")
}

// clocks names the times of the two clocks, and the position.
func (c *cycle) clocks() string {
	return fmt.Sprintf("the server's clock says %s, this machine's %s, and everything up to %s was exported already",
		stamp(c.own.Add(c.skew).Truncate(time.Second)), stamp(c.own.Truncate(time.Second)), stamp(c.stored.Cursor))
}
