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
	// mostBehind is how far the time that a cycle goes by may be behind the true one: that loses nothing, but keeps people
	// waiting. Ahead of it, it must not be at all.
	mostBehind = time.Minute
	// Apart is the difference from which on two clocks disagree, and from which on one is behind.
	Apart = time.Minute
)

// errGuess ends a cycle that went by a wrong time before anything was written. It is begun anew and never returned.
var errGuess = errors.New("the server's clock is not what it was taken for")

// ErrClock says that a clock is behind what was exported. The stream delivers what it finds, and comes to rest when the
// clocks have caught up; until then records may be missing.
var ErrClock = errors.New("a clock is behind what was exported")

// A moment is the time that a cycle goes by: the earlier of the server's clock and our own. No position ever passes
// either, so that the one that is ahead cannot make a stream skip what the other one is still to see.
type moment struct {
	now     time.Time     // the earlier of the two, when the cycle began
	own     time.Time     // our clock then
	began   time.Time     // the same, for measuring: it does not jump
	skew    time.Duration // how far the server's clock is ahead of ours
	guessed bool          // and not yet confirmed
}

// at is the time at a moment of ours.
func (m moment) at(local time.Time) time.Time { return m.now.Add(local.Sub(m.began)) }

// clock is the time now.
func (m moment) clock() time.Time { return m.at(time.Now()) }

// present is the earlier of the two clocks by what the latest reply told.
func (c *cycle) present() time.Time {
	m := c.compare(c.Source.Guess())
	m.now = earliest(m.own, m.own.Add(m.skew))
	return m.clock()
}

// moment reads both clocks, or guesses at the server's, which the first reply then has to confirm.
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

// checkGuessedClock holds a guessed time against what the first reply told. The zero reading stands for a reply that does not tell,
// and for no reply at all: that nothing seems to be due may be the guess's fault.
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

// search walks once more what lies behind the position, since records now carry times that were exported already. It
// ends in [ErrClock] even if all went well, in every cycle until the clocks have caught up. The entry that it commits
// first says that a search is owed: the cycle after the last one of this kind makes it, whatever the schedule.
//
// What is older than the remembered ids cannot be told from what was delivered. If the clocks are that far back, nothing
// is exported.
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

// reaches tells that the remembered ids go back to what the clocks say, and to when they may have been set back.
func (c *cycle) reaches() bool { return !c.now.Add(-IdleCommit).Before(c.stored.DeliveredSince) }

// farBehind is what is to be done about clocks that are further back.
func (c *cycle) farBehind() error {
	if c.skew.Abs() > Apart {
		return failed(StageSource, fmt.Errorf("%w: %s. Records of so long ago cannot be told from delivered ones, so nothing is "+
			"exported. Set the wrong clock right (a cache in front of the server may also answer with an old Date); nothing else is "+
			"needed", ErrClock, c.clocks()))
	}
	return c.changed(c.clocks(), "both clocks were ahead, and are right now; the server's records carry times that were exported before")
}

// clocks is what the two clocks say, and the position.
func (c *cycle) clocks() string {
	return fmt.Sprintf("the server's clock says %s, this machine's %s, and everything up to %s was exported already",
		stamp(c.own.Add(c.skew).Truncate(time.Second)), stamp(c.own.Truncate(time.Second)), stamp(c.stored.Cursor))
}
