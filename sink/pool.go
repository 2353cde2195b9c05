package sink

// A Pool keeps values that are costly to make, such as buffers and encoders, from one window to the next. It is safe for
// concurrent use.
type Pool[T any] struct {
	kept  chan T
	fresh func() T
	size  func(T) int
}

// MostPooled is the largest size in bytes that a Pool keeps: one freak window must not stay in memory for ever.
const MostPooled = 8 << 20

// NewPool returns an empty pool that keeps up to so many values, and makes a fresh one when none is left. It does not keep a
// value that is larger than [MostPooled] when the caller gives it back.
func NewPool[T any](keep int, fresh func() T, size func(T) int) Pool[T] {
	return Pool[T]{make(chan T, keep), fresh, size}
}

// Take returns a spare one, as it was given back, or a fresh one.
func (s Pool[T]) Take() T {
	select {
	case v := <-s.kept:
		return v
	default:
		return s.fresh()
	}
}

// Give keeps v for another Take, unless enough are kept or it has become too large. The caller must not use v after it.
func (s Pool[T]) Give(v T) {
	if s.size(v) > MostPooled {
		return
	}
	select {
	case s.kept <- v:
	default:
	}
}
