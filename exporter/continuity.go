package exporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// ErrSourceChanged says that what the server has is not a continuation of what was exported from it. No later cycle can
// heal that: a person has to say whether it is meant.
var ErrSourceChanged = errors.New("the audit log is not the one that was exported so far")

const (
	// patience is how long a position may be left alone before retention can have dropped something behind it.
	patience = 24 * time.Hour
	// shortestRetention is the age up to which a record that vanished cannot have been dropped by retention: PR #3049
	// keeps three months.
	shortestRetention = 60 * 24 * time.Hour
)

// meets tells whether the span was read at the instant of the record, and if so whether the record was in it.
func (s span) meets(seen *checkpoint.Record) (looked, found bool) {
	if seen == nil || seen.CreatedAt.Before(s.since) || !seen.CreatedAt.Before(s.End) {
		return false, false
	}
	for i := s.firstFrom(seen.CreatedAt); i < s.count() && s.name(i).CreatedAt.Equal(seen.CreatedAt); i++ {
		if s.name(i).ID == seen.ID {
			return true, true
		}
	}
	return true, false
}

// newest is the latest record of the window proper, nil where there is none.
func (s span) newest() *checkpoint.Record {
	if n := s.count(); n > 0 && !s.name(n-1).CreatedAt.Before(s.Start) {
		newest := checkpoint.Record(s.name(n - 1))
		return &newest
	}
	return nil
}

// changed is the error that says what was seen and what it probably means.
func (c *cycle) changed(saw, means string) error {
	return failed(StageSource, fmt.Errorf("%w: %s. Probably %s. Nothing was committed since. If that is so and meant, accept it: "+
		"houndtrail accept-reset --reason \"...\"; what is archived stays, and a new lineage of the journal goes on from there without "+
		"losing or doubling a record", ErrSourceChanged, saw, means))
}

// checkContinuity tells whether what was read is of the log that was exported so far: the newest record that was delivered has to be
// there still. As a rule the overlap shows it; where that is empty, it is looked for before anything new is delivered.
func (c *cycle) checkContinuity(ctx context.Context, w walk, p part) error {
	if p.reused > 0 {
		return c.changed(fmt.Sprintf("it has a new record with the id %d, which an exported record had", p.reused),
			"the database was restored from a backup, and ids are handed out a second time")
	}
	stale := c.now.Sub(c.stored.Cursor) > patience
	looked, found := p.looked, p.found
	if !looked && !c.verified && w.seen != nil {
		var err error
		if found, err = c.find(ctx, w.seen); err != nil {
			return err
		}
		looked = true
	}
	c.verified = c.verified || looked
	if !looked || found {
		return nil
	}
	return c.vanished(w.seen, stale)
}

// stands looks for the newest record that was delivered in a cycle that had no window to read, as right after another one or
// when a clock was set back a little: that nothing is due does not tell that the log is still the same.
func (c *cycle) stands(ctx context.Context, due walk) error {
	if due.horizon.After(due.cursor) || c.verified || c.stored.Newest == nil {
		return nil
	}
	found, err := c.find(ctx, c.stored.Newest)
	if err != nil {
		return err
	}
	if c.verified = true; found {
		return nil
	}
	return c.vanished(c.stored.Newest, c.now.Sub(c.stored.Cursor) > patience)
}

func (c *cycle) find(ctx context.Context, seen *checkpoint.Record) (bool, error) {
	found, err := c.Source.Has(ctx, seen.ID, seen.CreatedAt)
	if err != nil {
		return false, failed(StageSource, fmt.Errorf("look for the record with id %d once more: %w", seen.ID, err))
	}
	return found, nil
}

func (c *cycle) vanished(seen *checkpoint.Record, stale bool) error {
	gone := fmt.Sprintf("the record with id %d of %s, the newest that was exported, is not there any more",
		seen.ID, stamp(seen.CreatedAt))
	switch {
	case c.now.Sub(seen.CreatedAt) < shortestRetention:
		return c.changed(gone, "the database was restored from a backup or begun anew, another server answers at this address, "+
			"or a person removed records (if a replica that lags gave this answer, the next run that finds the record goes on by itself)")
	case stale:
		return c.changed(gone+fmt.Sprintf(", and nothing was exported for %s", c.now.Sub(c.stored.Cursor).Round(time.Hour)),
			"the server drops old records, and may have dropped some that were never exported")
	default:
		return nil // a quiet server that drops old records: the position was kept up with it all the time
	}
}
