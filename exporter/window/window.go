// Package window decides which span of time is read next. It is pure: no clock, no I/O.
package window

import "time"

// A Window is the half-open span Start <= created_at < End: what one entry of the journal accounts for.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Pass is the lineage's epoch, or for a window that was read once more later on, in search of stragglers, the serial
	// that was next when that began. It is part of the keys of objects.
	Pass uint64 `json:"pass,omitempty"`
	// Parts tells that it does not fit into memory and is read and written in parts, one after the other. An attempt that finds a
	// window declared so goes on in parts: what an earlier one still has on its way can only be the next of them.
	Parts bool `json:"parts,omitempty"`
}

// Equal tells whether the two are one walk over one span, in parts or not.
func (w Window) Equal(other Window) bool {
	return w.Start.Equal(other.Start) && w.End.Equal(other.End) && w.Pass == other.Pass
}

// UTC is the same window with its times in UTC.
func (w Window) UTC() Window {
	w.Start, w.End = w.Start.UTC(), w.End.UTC()
	return w
}

// Contains tells whether the instant belongs to the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Start) && t.Before(w.End) }

// Span is the window's length.
func (w Window) Span() time.Duration { return w.End.Sub(w.Start) }
