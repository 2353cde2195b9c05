package bloodhound

import (
	"context"
	"time"
)

// A search closes in on the first row of a span, step by step of a grid that is the same for every search, so that each finds
// the same. It asks "is there any row up to t?", which works on every build, and also for a row that the server cannot print.
// It counts in steps of microseconds, since a Duration ends at 292 years.
type search struct {
	c    *Client
	from time.Time
	step int64 // microseconds

	none, known int64 // no row is in the steps before none, and there is one that is in known, or before
}

// search returns the beginning of the step that the first row of from..some is in, or from, if that is later. One row has to
// be there. It looks 30, 60, 120... days before one that there is, and then halves the gap.
func (c *Client) search(ctx context.Context, from, some time.Time, step time.Duration) (time.Time, error) {
	s := search{c: c, from: from, step: step.Microseconds()}
	s.none, s.known = s.of(from), s.of(some)
	for start, back := s.none, int64(searchStep/step); s.none == start && s.known-back > start; back *= 2 {
		if err := s.look(ctx, s.known-back); err != nil {
			return time.Time{}, err
		}
	}
	for s.none < s.known {
		if err := s.look(ctx, s.none+(s.known-s.none)/2); err != nil {
			return time.Time{}, err
		}
	}
	// A row may have come in before none meanwhile.
	if first := time.UnixMicro(s.known * s.step).UTC(); first.After(from) {
		return first, nil
	}
	return from, nil
}

// of is the step that an instant is in.
func (s *search) of(t time.Time) int64 {
	at := t.UnixMicro()
	n := at / s.step
	if at%s.step < 0 {
		n--
	}
	return n
}

// look asks whether there is a row up to the end of a step.
func (s *search) look(ctx context.Context, step int64) error {
	e, err := s.c.glimpse(ctx, s.from, time.UnixMicro((step+1)*s.step-1).UTC(), NewestFirst(), 1)
	if e.ok {
		s.known = s.of(e.at)
	} else {
		s.none = step + 1
	}
	return err
}
