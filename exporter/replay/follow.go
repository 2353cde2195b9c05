package replay

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
)

// Follow implements [exporter.Follower]. If the stream has delivered all records of the entries so far, it reads only the later entries.
// The first time, or after a crash in the middle of a backlog, it reads the whole journals.
func (s *Source) Follow(ctx context.Context, at exporter.FollowedTo) (step exporter.Step, err error) {
	q := query{after: at.Cursor, late: true, from: at.Followed, floor: at.Floor, cursor: at.Cursor}
	q.delta = at.Whole && at.Archive.Serial > 0
	if work := at.Late; work != nil {
		q.upto = &checkpoint.Followed{Archive: work.Archive, Backfill: work.Backfill}
		if work.Next.After(q.floor) {
			q.floor = work.Next
		}
	}
	c, err := s.archive.catalog(ctx, q)
	if err != nil {
		return step, err
	}
	if !at.Since.IsZero() && at.Since.Before(c.archive.Cursor) {
		if err := c.holds(at.Since, c.archive.Cursor.Add(-grain)); err != nil {
			return step, fmt.Errorf("the stream cannot follow the archive yet: %w, or let the stream read from BloodHound until it has delivered "+
				"that time", err)
		}
	}
	s.tell(c)
	next := checkpoint.Followed{Archive: mark(c.archive), Backfill: mark(c.backfill)}
	s.mu.Lock()
	s.catalog, s.bound = c, &next
	s.mu.Unlock()
	step = exporter.Step{Next: next, Until: c.archive.Cursor, End: c.end, Standing: s.stands(c)}
	if !c.until.IsZero() && c.until.Before(step.Until) {
		step.Until, step.More = c.until, true
	}
	if from, to, ok := c.span(); ok {
		fixed := q
		fixed.upto = &next
		step.Late, step.LateFrom, step.LateTo = &Source{archive: s.archive, late: &fixed, catalog: c}, from, to
	}
	return step, nil
}

func mark(s checkpoint.Stored) checkpoint.Mark {
	return checkpoint.Mark{Serial: s.Serial, SHA256: s.SHA256}
}

// span is the time from the first late record to the last one, both included; ok is false if there are none.
func (c *catalog) span() (from, to time.Time, ok bool) {
	widen := func(low, high time.Time) {
		if !ok || low.Before(from) {
			from = low
		}
		if !ok || high.After(to) {
			to = high
		}
		ok = true
	}
	for _, pieces := range c.pieces {
		for _, p := range pieces {
			widen(p.low, p.high)
		}
	}
	for _, h := range c.holes {
		if h.late {
			widen(h.CreatedAt, h.CreatedAt)
		}
	}
	return from, to, ok
}

// tell logs what a person has done to the archive since the stream has followed it.
func (s *Source) tell(c *catalog) {
	if c.from.Archive.Serial == 0 {
		return
	}
	for _, e := range c.events {
		s.archive.log().Warn("the archive that the stream follows was changed by a person; the stream goes on with the archive's records",
			zap.Uint64("entry", e.serial), zap.String("what", e.what))
	}
}

// stands returns an error if the archive has committed nothing for too long.
func (s *Source) stands(c *catalog) error {
	last := c.archive.Progress().CommittedAt
	if s.archive.Due == nil || c.archive.Serial == 0 || !s.archive.now().After(s.archive.Due(last)) {
		return nil
	}
	return fmt.Errorf("%w: it has committed nothing since %s, and everything up to %s was delivered from it. The receiver gets newer records "+
		"when the archive has them: find out what holds up the archive stream (houndtrail status --stream archive)", ErrStands, stamp(last),
		stamp(c.archive.Cursor))
}
