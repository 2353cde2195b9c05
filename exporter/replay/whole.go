package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"
)

// covers tells whether the catalog has all objects of a span.
func (c *catalog) covers(from, to time.Time) bool {
	return !from.Before(c.after) && (c.until.IsZero() || to.Before(c.until))
}

// account is the time for which the archive accounts. If a stream began at the oldest record, there is none before it.
func (c *catalog) account() (held []window.Window) {
	if c.archive.Serial == 0 {
		return nil
	}
	own := window.Window{Start: c.archive.Start, End: c.archive.Cursor}
	if !c.archive.StartAsked {
		own.Start = farBack
	}
	held = []window.Window{own}
	if h := c.archive.History; h != nil { // these records are on their way into the archive
		held = window.Gaps(own, []window.Window{{Start: h.Next, End: h.Until}})
	}
	return append(held, c.backfill.Covered...)
}

// holds returns an error if the archive does not account for all of a span. A stream that follows need not be told: if the archive gets
// the records of such a time later, they are late. It must only not pass the archive's cursor.
func (s *Source) holds(c *catalog, after, before time.Time) error {
	s.mu.Lock()
	follows := s.bound != nil
	s.mu.Unlock()
	if s.late != nil || follows && before.Before(c.archive.Cursor) {
		return nil
	}
	return c.holds(after, before)
}

func (c *catalog) holds(after, before time.Time) error {
	gaps := window.Gaps(window.Window{Start: after, End: before.Add(grain)}, c.account())
	if len(gaps) == 0 {
		return nil
	}
	return fmt.Errorf("%w: not %s to %s. The archive accounts for the time from %s to %s. For older records, run houndtrail backfill "+
		"--stream archive first", ErrNotHeld, stamp(gaps[0].Start), stamp(gaps[0].End), stamp(c.archive.Start), stamp(c.archive.Cursor))
}

// A Missing time is a part of a range that the archive does not hold as a whole.
type Missing struct {
	window.Window
	// Absent tells that the archive does not account for the time at all. Otherwise, only some of its records are missing.
	Absent bool
	Reason string
}

// Missing lists what the archive lacks of a range. It also tells up to which time the archive has its records by now.
func (s *Source) Missing(ctx context.Context, asked window.Window) (all []Missing, until time.Time, err error) {
	err = s.with(ctx, asked.Start, asked.End, func(c *catalog) error {
		all, until = c.missing(asked), c.archive.Cursor
		return nil
	})
	return all, until, err
}

func (c *catalog) missing(asked window.Window) (all []Missing) {
	gone := asked.Intersect(window.Window{Start: asked.Start, End: c.archive.ForgottenBefore})
	if gone.Span() > 0 {
		all = append(all, Missing{gone, false, "houndtrail forget removed objects of this time from the archive on purpose"})
	}
	for _, gap := range window.Gaps(asked, append(c.account(), gone)) {
		all = append(all, Missing{gap, true, "the archive does not account for this time: houndtrail backfill --stream archive gets it from " +
			"BloodHound, as far as BloodHound still has it"})
	}
	told := int64(0)
	for _, h := range c.holes {
		told++
		if asked.Contains(h.CreatedAt) {
			all = append(all, Missing{window.Window{Start: h.CreatedAt, End: h.CreatedAt}, false, h.Reason})
		}
	}
	if known := c.archive.HolesTotal + c.backfill.HolesTotal; known > told && (c.first > 1 || c.firstKin > 1) {
		all = append(all, Missing{asked, false, fmt.Sprintf("the oldest entries of the journal were removed, and %d holes of the archive "+
			"with them: whether one is in this time is not known", known-told)})
	}
	return all
}
