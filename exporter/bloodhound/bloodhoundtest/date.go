package bloodhoundtest

import "time"

// A DateRule says what the Date header of an answer tells, given what the server's clock says. Nothing else of the
// server follows it: neither what stamps rows nor what checks signatures.
type DateRule func(now time.Time) time.Time

// DateAhead is a Date header that differs from the server's clock: a proxy's, whose own clock is wrong.
func DateAhead(d time.Duration) DateRule {
	return func(now time.Time) time.Time { return now.Add(d) }
}

// DateFixed is a Date header that stands still: that of a cached answer, or of a clock at its end.
func DateFixed(at time.Time) DateRule {
	return func(time.Time) time.Time { return at }
}

// SetDate changes what the Date header tells from the next request on; nil is the server's clock.
func (s *Server) SetDate(rule DateRule) { s.date.Store(&rule) }

// dateHeader is what the Date header says of an instant.
func (s *Server) dateHeader(now time.Time) time.Time {
	if rule := *s.date.Load(); rule != nil {
		return rule(now)
	}
	return now
}
