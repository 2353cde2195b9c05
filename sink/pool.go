package sink

// A Pool keeps values that take long to make, such as buffers and encoders, from one window to the next. It is safe for
// concurrent use.
type Pool[T any] struct {
	kept  chan T
	fresh func() T
	size  func(T) int
}

// MostPooled is the largest value in bytes that a Pool keeps: one very large window must not stay in memory for ever.
const MostPooled = 8 << 20

// NewPool returns an empty pool. It keeps up to so many values, and makes a new one if none is left. It does not keep a value
// that is larger than [MostPooled] when the caller gives it back.
func NewPool[T any](keep int, fresh func() T, size func(T) int) Pool[T] {
	return Pool[T]{make(chan T, keep), fresh, size}
}

// Take returns a value that another caller gave back. If there is none, it returns a new one.
func (s Pool[T]) Take() T {
	select {
	case v := <-s.kept:
		return v
	default:
		return s.fresh()
	}
}

// Give keeps v for another Take. It does not keep v if the pool has enough values, or if v is too large. After that, the caller
// must not use v.
func (s Pool[T]) Give(v T) {
	if s.size(v) > MostPooled {
		return
	}
	select {
	case s.kept <- v:
	default:
	}
}
