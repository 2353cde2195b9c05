// Package window decides which span of time Houndtrail reads next. It is pure: no clock, no I/O.
package window

import "time"

// A Window is the half-open span Start <= created_at < End. One entry of the journal accounts for one window.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Pass is the lineage's epoch, as a rule. If Houndtrail reads a window again later to find late records, Pass is the serial
	// that was the next one when that walk began. Pass is part of the keys of objects.
	Pass uint64 `json:"pass,omitempty"`
	// Parts tells that the window does not fit into memory. Houndtrail then reads and writes it in parts, one after the other. If
	// a next attempt finds such a window in the lease, it goes on in parts: if a write of the earlier attempt is still under way,
	// it can only be the next part.
	Parts bool `json:"parts,omitempty"`
}

// Equal tells whether both windows have the same span and the same pass; Parts does not count.
func (w Window) Equal(other Window) bool {
	return w.Start.Equal(other.Start) && w.End.Equal(other.End) && w.Pass == other.Pass
}

// UTC returns the same window with its times in UTC.
func (w Window) UTC() Window {
	w.Start, w.End = w.Start.UTC(), w.End.UTC()
	return w
}

// Contains tells whether the instant belongs to the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Start) && t.Before(w.End) }

// Span is the window's length.
func (w Window) Span() time.Duration { return w.End.Sub(w.Start) }
