package sink

// Spares keep values that are costly to make and can be used again, such as buffers and encoders, from one window to the next.
// They are safe for concurrent use.
type Spares[T any] struct {
	kept  chan T
	fresh func() T
	size  func(T) int
}

// MostSpare is the largest size in bytes that Spares keep: one freak window must not stay in memory for ever.
const MostSpare = 8 << 20

// NewSpares returns an empty store that keeps up to so many values, and makes a fresh one when none is left. It does not keep a
// value that is larger than [MostSpare] when the caller gives it back.
func NewSpares[T any](keep int, fresh func() T, size func(T) int) Spares[T] {
	return Spares[T]{make(chan T, keep), fresh, size}
}

// Take returns a kept value, as it was given back, or a fresh one.
func (s Spares[T]) Take() T {
	select {
	case v := <-s.kept:
		return v
	default:
		return s.fresh()
	}
}

// Give keeps v for another Take, unless the store is full or v has become too large. The caller must not use v after it.
func (s Spares[T]) Give(v T) {
	if s.size(v) > MostSpare {
		return
	}
	select {
	case s.kept <- v:
	default:
	}
}
