package exporter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A cycle has the state of one RunOnce, beside the stages.
type cycle struct {
	*Exporter
	moment
	lease *checkpoint.Lease
	mark  time.Time // this machine's time at the last commit

	page     time.Duration // about how long it takes until a page is full; 0 if the stream is not new
	verified bool          // the source is the same one as in the previous cycle
	counts   counted       // known if the server's count obeys a filter
	barred   bool          // a barrier was committed
	looked   bool          // this cycle has looked for the far ends of the log; it does so only now and then
	newest   *foremost     // the newest record that this look found; nil if it found none

	following *checkpoint.Followed // the entries of the archive that this cycle follows; nil if it reads from the server
	end       time.Time            // these entries have no later record

	stored checkpoint.Stored // the last commit
	set    dedup.Set         // the delivered ids that this commit knows
}

// idle tells whether the window needs no journal entry now: it brought no record, or only records of our own requests. Each
// cycle makes such requests. If they counted, each cycle would commit an entry, for ever. The cursor then stays, and the next
// cycle reads a longer window.
func (c *cycle) idle(w walk, p part) bool {
	switch {
	case !w.mayIdle(p), c.stored.Serial == 0:
		return false
	case w.kind.keepsPosition():
		return true
	case p.End.Sub(c.stored.Cursor) >= IdleCommit:
		return false
	}
	c.Log.Info("nothing new", zap.Time("cursor", c.stored.Cursor), zap.Time("until", p.End),
		zap.Int("read", p.records.Read), zap.Int("self", p.records.Self))
	if c.Observer != nil {
		c.Observer.CaughtUp(p.End, c.clock().Sub(p.End))
	}
	return true
}

// mayIdle tells whether the window needs no entry: the last entry must be recent.
func (w walk) mayIdle(p part) bool {
	switch {
	case p.news(), len(w.intents) > 0, w.kind.past():
		return false
	case w.kind.keepsPosition(): // the next cycle would take this window's records for delivered, so the window must bring none
		return w.kind.quiet() && p.records.Fresh+p.records.Excluded+p.records.Held == 0
	default:
		return p.last
	}
}

// commitBarrier commits an entry without records: a barrier. It does so before Houndtrail repeats a window whose first commit
// may still arrive. Without a barrier, this attempt may replace the window's objects by larger ones. If the first commit
// arrives after that, the journal has a wrong account of the objects. The barrier takes the first commit's serial, so the store
// rejects that commit. If the first commit arrives before the barrier, the barrier fails with a conflict.
func (c *cycle) commitBarrier(ctx context.Context, w walk) (err error) {
	if len(w.intents) == 0 || !c.lease.CommitUncertain() || c.barred {
		return nil
	}
	// Houndtrail took the lease over before it read the journal, so the lease may list windows that are committed. The journal's
	// newest entry tells which ones, but only until the barrier is the newest entry. So Houndtrail first writes the lease without
	// the committed windows. If it did not, and crashed after the barrier, the next run would take all listed windows for
	// committed.
	if err := c.lease.Tell(ctx); err != nil {
		return failed(StageCheckpoint, err)
	}
	at, next := c.stored.Cursor, c.stored.Standing(checkpoint.KindBarrier)
	if w.kind.past() {
		at = w.cursor
	}
	next.Window, next.Cursor = window.Window{Start: at, End: at, Pass: next.Epoch}, at
	next.CommittedAt = c.clock()
	if c.stored.Serial == 0 {
		next.RescannedAt = c.now
	}
	if c.stored, err = c.Store.Commit(ctx, c.stored, next); err != nil {
		return failed(StageCheckpoint, err)
	}
	c.barred = true
	c.Log.Info("Houndtrail repeats an attempt that was not committed; if the commit of the first attempt still arrives, the store rejects it",
		zap.Uint64("serial", c.stored.Serial), zap.String("head", c.stored.Head),
		zap.Time("window_start", w.cursor), zap.Time("window_end", w.horizon))
	return nil
}

// leavesNothing makes sure that a repeated window replaces every object of the first attempt. If an object of the first attempt
// stays, no entry accounts for it. If the server later returns the records of that object again, Houndtrail would deliver them
// a second time. So this is an error.
func (c *cycle) leavesNothing(ctx context.Context, w walk, p part, receipt checkpoint.Receipt) error {
	if len(w.intents) == 0 || c.Destination.Attempt == nil {
		return nil
	}
	keys, err := c.Destination.Attempt(ctx, p.Window)
	if err != nil {
		return fmt.Errorf("list what the first attempt at the window from %s has written: %w", stamp(p.Start), err)
	}
	for _, key := range keys {
		written := slices.ContainsFunc(receipt.Objects, func(o checkpoint.Object) bool { return o.Key == key })
		if !written {
			return fmt.Errorf("%w: the first attempt at the window from %s to %s wrote %s, and the server returns none of its records "+
				"now; nothing of the window is committed; if a replica that lags answers for the server, the next run finds them again; "+
				"if the server has purged them, keep the file elsewhere, move it out of the archive, and run again",
				ErrIncomplete, stamp(p.Start), stamp(p.End), key)
		}
	}
	return nil
}

// An outcome is the result of a part: the destination's receipt, and all else that the entry has to say.
type outcome struct {
	receipt checkpoint.Receipt
	counted *checkpoint.ServerCount
	seen    checkpoint.Sighting
	holes   []checkpoint.Hole
}

// entry is the journal entry for a window whose records are durable.
func (c *cycle) entry(ctx context.Context, w walk, p part, o outcome) (next checkpoint.Checkpoint, err error) {
	next = checkpoint.Checkpoint{
		Kind:           w.kind.entry(),
		Window:         p.Window,
		Cursor:         p.End,
		Start:          c.stored.Start,
		StartAsked:     c.stored.StartAsked,
		History:        c.stored.History,
		Ahead:          c.stored.Ahead,
		DeliveredSince: p.since,
		RescannedAt:    c.stored.RescannedAt,
		MaxID:          max(c.stored.MaxID, p.maxID),
		Newest:         c.stored.Newest,
		Records:        p.records,
		Filter:         c.Filter.String(),
		ServerCount:    o.counted,
		Objects:        o.receipt.Objects,
		Refused:        o.receipt.Letters,
		Waiting:        p.waiting,
		Oldest:         o.seen,
		Holes:          o.holes,
		Changed:        changes(p),
		CommittedAt:    c.clock(),
	}
	next.Records.Diverted = o.receipt.Diverted
	if p.newest != nil && !w.kind.keepsPosition() {
		next.Newest = p.newest
	}
	if w.kind.keepsPosition() {
		next.Cursor = c.stored.Cursor
	}
	c.account(w, p, &next)
	next.Followed = c.followed(w, p, next.Cursor)
	if !w.kind.past() { // a backfill never looks back
		err = c.writeSet(ctx, c.Store, c.stored, c.set, p.next, &next)
	}
	return next, err
}

// account sets how far the stream has come with this entry, besides the cursor.
func (c *cycle) account(w walk, p part, next *checkpoint.Checkpoint) {
	switch {
	case w.kind.owes():
		next.RescannedAt = time.Time{}
	case c.stored.Serial == 0 && !w.kind.past(), w.kind.completes() && p.last:
		next.RescannedAt = c.now
	}
	switch {
	case w.kind == walkHistory && p.last:
		next.Start, next.History = c.stored.History.From, nil
	case w.kind == walkHistory:
		rest := *c.stored.History
		rest.Next, next.History = p.End, &rest
	case w.kind == walkAhead:
		next.Ahead = latest(next.Ahead, p.End)
	case !p.oldest.IsZero() && !w.kind.past():
		next.Start = earliest(next.Start, p.oldest) // an older record that appears later is history
		if !w.kind.keepsPosition() {
			shorten(next) // the stream has read everything from its oldest record on
		}
	}
	c.appeared(next) // even older records may have appeared during the walk over a history
}

// shorten leaves out of the history all time from the start on.
func shorten(next *checkpoint.Checkpoint) {
	if next.History == nil || !next.Start.Before(next.History.Until) {
		return
	}
	rest := *next.History
	rest.Until, next.History = next.Start, &rest
	if !rest.Next.Before(rest.Until) {
		next.Start, next.History = earliest(next.Start, rest.From), nil
	}
}

// changes lists, for the entry, the delivered records that the source has changed or removed after their delivery.
func changes(p part) *checkpoint.Changes {
	if len(p.altered)+len(p.gone) == 0 {
		return nil
	}
	const most = 20
	said := &checkpoint.Changes{Altered: len(p.altered), Gone: len(p.gone)}
	for _, r := range slices.Concat(p.altered, p.gone) {
		if len(said.Examples) < most {
			said.Examples = append(said.Examples, checkpoint.Record(r))
		}
	}
	return said
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
		zap.Int("filtered", entry.Records.Filtered), zap.Int("paired", entry.Records.Paired+entry.Records.Matched),
		zap.Int("waiting", len(entry.Waiting)),
		zap.Int("objects", len(entry.Objects)), zap.Duration("duration", took),
		zap.String("head", c.stored.Head)) // a log server elsewhere then knows the head, even if the store is lost or changed
	if ch := entry.Changed; ch != nil {
		c.Log.Warn("the source has changed or removed records that were delivered: the archive keeps them as they were; find "+
			"out who changed BloodHound's audit log", zap.Int("altered", ch.Altered), zap.Int("gone", ch.Gone), zap.Any("examples", ch.Examples))
	}
	for _, h := range entry.Holes {
		c.Log.Error("Houndtrail could not get a record, so the archive has a hole", zap.Time("created_at", h.CreatedAt),
			zap.Int64("id", h.ID), zap.String("reason", h.Reason), zap.String("kept_as", h.Key))
	}
	for _, l := range entry.Refused {
		c.Log.Error("the destination refuses a record: it is in the dead letter, and not at the destination; houndtrail deadletter shows it",
			zap.Int64("id", l.ID), zap.Time("created_at", l.CreatedAt), zap.Int("open_letters", len(entry.DeadLetters)))
	}
	c.guard(entry)
	if c.Observer != nil {
		c.Observer.Committed(Commit{Entry: entry, Lag: c.clock().Sub(entry.Cursor), Duration: took})
	}
}

// quarantine keeps the bytes of records that Houndtrail could not read, as far as it has these bytes.
func (c *cycle) quarantine(ctx context.Context, holes []bloodhound.Hole) (kept []checkpoint.Hole, err error) {
	for _, h := range holes {
		k := checkpoint.Hole{CreatedAt: h.CreatedAt, ID: h.ID, Reason: h.Reason}
		if len(h.Raw) > 0 && c.Destination.Quarantine != nil {
			if k.Key, k.SHA256, err = c.Destination.Quarantine(ctx, h.Raw); err != nil {
				return nil, failed(StageSink, err)
			}
		}
		kept = append(kept, k)
	}
	return kept, nil
}
