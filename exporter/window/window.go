// Package window decides which span of time is read next. It is pure: no clock, no I/O.
package window

import "time"

// A Window is the half-open span Start <= created_at < End.
type Window struct {
	Start, End time.Time
	// Pass tells the walks over one span apart: what a later one finds is kept beside what the first one did. It is 0 for
	// the first.
	Pass uint64
	// Parts tells that the window does not fit into memory, and is read and written in parts.
	Parts bool
}

// Contains tells whether the instant belongs to the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Start) && t.Before(w.End) }

// Span is the window's length.
func (w Window) Span() time.Duration { return w.End.Sub(w.Start) }
