package exporter

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"houndtrail/checkpoint"
	"houndtrail/exporter/dedup"
)

// A cycle is what one RunOnce works with beside the stages.
type cycle struct {
	*Exporter
	lease   *checkpoint.Lease
	now     time.Time // the server's, read once
	guessed bool      // and not yet confirmed
	began   time.Time // ours, at the same moment
	mark    time.Time // ours, at the last commit

	page     time.Duration // about how long it takes until a page is full; 0 where the stream is not new
	verified bool          // the source is the one that it was

	stored checkpoint.Stored // the last commit
	set    dedup.Set         // what it knows of delivered ids
}

// clock is the server's time, carried on by our own clock since the cycle began.
func (c *cycle) clock() time.Time { return c.at(time.Now()) }

// at is the server's time at a time of our own.
func (c *cycle) at(local time.Time) time.Time { return c.now.Add(local.Sub(c.began)) }

// idle tells whether the window brought nothing that is worth a journal entry now: nothing at all, or only what our own
// requests leave in the log, which would otherwise be news in every cycle for ever. The cursor then stays, and the next
// cycle reads a longer window.
func (c *cycle) idle(w walk, p part) bool {
	idle := !w.again && !w.past && w.intent == nil && p.last && p.records.News() == 0 && c.stored.Serial > 0 &&
		p.End.Sub(c.stored.Cursor) < idleCommit
	if idle {
		c.Log.Info("nothing new", zap.Time("cursor", c.stored.Cursor), zap.Time("until", p.End),
			zap.Int("read", p.records.Read), zap.Int("self", p.records.Self))
		if c.Observer != nil {
			c.Observer.CaughtUp(p.End, c.clock().Sub(p.End))
		}
	}
	return idle
}

// bar commits an entry that accounts for nothing, before a window is tried again whose commit may still be under way. That
// would otherwise arrive after this attempt has replaced the window's objects by larger ones, and say of them what is not
// true any more. So it finds its serial taken; or it was first, and this is a conflict.
func (c *cycle) bar(ctx context.Context, w walk) (err error) {
	if w.intent == nil || !c.lease.InDoubt() {
		return nil
	}
	at, next := c.stored.Cursor, c.stored.Checkpoint
	if w.past {
		at = w.cursor
	}
	next.Window, next.Cursor = checkpoint.Window{Start: at, End: at, Pass: next.Epoch}, at
	next.Kind, next.Reset, next.Moved, next.Adopted = checkpoint.KindBarrier, nil, nil, nil
	next.Records, next.ServerCount, next.Objects, next.Holes, next.Changed = checkpoint.Counts{}, nil, nil, nil, nil
	next.CommittedAt = c.clock()
	if c.stored.Serial == 0 {
		next.Start, next.RescannedAt = at, c.now
	}
	if c.stored, err = c.Store.Commit(ctx, c.stored, next); err != nil {
		return failed(StageCheckpoint, err)
	}
	c.Log.Info("an attempt that was not committed is made again, and kept out of the journal should it still end",
		zap.Uint64("serial", c.stored.Serial),
		zap.Time("window_start", w.intent.Start), zap.Time("window_end", w.intent.End))
	return nil
}

// entry is the journal entry for a window whose records are durable.
func (c *cycle) entry(
	w walk, p part, receipt checkpoint.Receipt, counted *checkpoint.ServerCount, seen checkpoint.Sighting,
) (checkpoint.Checkpoint, error) {
	delivered, err := p.next.MarshalBinary()
	if err != nil {
		return checkpoint.Checkpoint{}, fmt.Errorf("writing down the set of %d delivered ids: %w", p.next.Len(), err)
	}
	next := checkpoint.Checkpoint{
		Kind:           checkpoint.KindExport,
		Window:         checkpoint.Window(p.Window),
		Start:          c.stored.Start,
		StartAsked:     c.stored.StartAsked,
		Cursor:         p.End,
		DeliveredSince: p.since,
		RescannedAt:    c.stored.RescannedAt,
		MaxID:          max(c.stored.MaxID, p.maxID),
		Newest:         c.stored.Newest,
		Delivered:      delivered,
		Records:        p.records,
		ServerCount:    counted,
		Objects:        receipt.Objects,
		Oldest:         seen,
		CommittedAt:    c.clock(),
	}
	if p.newest != nil && !w.again {
		next.Newest = p.newest
	}
	if w.again {
		next.Kind, next.Cursor = checkpoint.KindRescan, c.stored.Cursor
	}
	if next.Start.IsZero() {
		next.Start = p.Start
	}
	if c.stored.Serial == 0 || w.completes && p.last {
		next.RescannedAt = c.now
	}
	return next, nil
}

func (c *cycle) committed() {
	took, entry := time.Since(c.mark), c.stored.Checkpoint
	c.mark = time.Now()
	c.Log.Info("committed",
		zap.Uint64("serial", entry.Serial),
		zap.Time("window_start", entry.Window.Start), zap.Time("window_end", entry.Window.End),
		zap.String("kind", string(entry.Kind)),
		zap.Int("read", entry.Records.Read), zap.Int("fresh", entry.Records.Fresh),
		zap.Int("duplicates", entry.Records.Duplicate), zap.Int("late", entry.Records.Late),
		zap.Int("self", entry.Records.Self), zap.Int("excluded", entry.Records.Excluded),
		zap.Int("objects", len(entry.Objects)), zap.Duration("duration", took))
	c.guard(entry)
	if c.Observer != nil {
		c.Observer.Committed(Commit{Entry: entry, Lag: c.clock().Sub(entry.Cursor), Duration: took})
	}
}
