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
	// mostBehind is how far a cycle's time may be behind the true time. A late time loses no record, but users wait longer. A
	// cycle's time must never be ahead of the true time.
	mostBehind = time.Minute
	// Apart is a difference in time. If two clocks differ by more, they disagree. If a clock is behind by more, Houndtrail says
	// so.
	Apart = time.Minute
)

// errGuess ends a cycle that went by a wrong time before it wrote anything. RunOnce then begins the cycle anew, and never
// returns this error.
var errGuess = errors.New("the server's clock is not what it was taken for")

// ErrClock says that a clock is behind the position. The stream delivers the records that it finds, and the error ends when the
// clocks have caught up. Until then records may be missing.
var ErrClock = errors.New("a clock is behind what was exported")

// A moment is the time that a cycle goes by: the earlier of the server's clock and our own. No position ever passes either
// clock. So if one clock is ahead, the stream does not skip records that are still to come by the other clock.
type moment struct {
	now     time.Time     // the earlier of the two, when the cycle began
	own     time.Time     // our clock then
	began   time.Time     // the same instant by the monotonic clock, to measure with: it does not jump
	skew    time.Duration // how far the server's clock is ahead of ours
	guessed bool          // and not yet confirmed
}

// at turns an instant of this machine's clock into the cycle's time.
func (m moment) at(local time.Time) time.Time { return m.now.Add(local.Sub(m.began)) }

// clock is the cycle's time now.
func (m moment) clock() time.Time { return m.at(time.Now()) }

// present is the earlier of the two clocks, by the time that the server's latest reply told.
func (c *cycle) present() time.Time {
	m := c.compare(c.Source.Guess())
	m.now = earliest(m.own, m.own.Add(m.skew))
	return m.clock()
}

// moment reads both clocks. If guess is set, it guesses the server's time, and the first reply then has to confirm the guess.
func (e *Exporter) moment(ctx context.Context, guess bool) (moment, error) {
	var told bloodhound.Reading
	if guess {
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

// compare takes in how far the server's clock is ahead.
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

// checkGuessedClock compares a guessed time with the time that the first reply told. The zero reading stands for a reply that
// tells no time, and for no reply at all: perhaps no window seems to be due only because the guess is wrong.
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

// behind tells that the clocks are behind the position by more than clocks may differ.
func (c *cycle) behind() bool { return c.stored.Serial > 0 && c.stored.Cursor.Sub(c.now) > Apart }

// search walks the time behind the position once more, because new records now carry times that Houndtrail has exported
// already. Even if all goes well, it ends in [ErrClock], in every cycle until the clocks have caught up. It first commits an
// entry that says that a search is owed. So the first cycle with right clocks makes that search, whatever the schedule.
//
// If a record is older than the remembered ids, Houndtrail cannot tell whether it has delivered that record. So if the clocks
// are that far back, it exports nothing.
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
	return failed(StageSource, fmt.Errorf("%w: %s. What lies behind it was searched and delivered just now, and is again in "+
		"every cycle until the clocks have caught up. Set the wrong clock right; nothing else is needed", ErrClock, c.clocks()))
}

// reaches tells that the remembered ids go back to the cycle's time, and to the instant at which a person may have set the
// clocks back.
func (c *cycle) reaches() bool { return !c.now.Add(-IdleCommit).Before(c.stored.DeliveredSince) }

// farBehind is the error for clocks that are further back. It tells the user what to do.
func (c *cycle) farBehind() error {
	if c.skew.Abs() > Apart {
		return failed(StageSource, fmt.Errorf("%w: %s. Records of so long ago cannot be told from delivered ones, so nothing is "+
			"exported. Set the wrong clock right (a cache in front of the server may also answer with an old Date); nothing else is "+
			"needed", ErrClock, c.clocks()))
	}
	return c.changed(c.clocks(), "both clocks were ahead, and are right now; the server's records carry times that were exported before")
}

// clocks names the times of the two clocks, and the position.
func (c *cycle) clocks() string {
	return fmt.Sprintf("the server's clock says %s, this machine's %s, and everything up to %s was exported already",
		stamp(c.own.Add(c.skew).Truncate(time.Second)), stamp(c.own.Truncate(time.Second)), stamp(c.stored.Cursor))
}
