package bloodhound

import "sync"

const (
	// keptBuffer is the largest buffer, in bytes, that is kept for another body: one freak page must not stay in
	// memory for ever.
	keptBuffer = DefaultMaxPage + DefaultMaxPage/4
	// keptLoose is how many buffers of single bodies are kept.
	keptLoose = 2
)

// A buffer holds one decoded body. Its memory serves another one once it is released.
type buffer struct {
	b    []byte
	home *shelf
}

// release gives the memory back; nothing may look at b after it. It is a no-op on nil.
func (b *buffer) release() {
	if b != nil && b.home != nil {
		b.home.put(keptLoose, b)
	}
}

// A shelf keeps the buffers that are not in use. A sync.Pool would do, but for its habit of forgetting them at the next
// collection while a backlog is read, which costs a window's worth of memory.
type shelf struct {
	mu   sync.Mutex
	free []*buffer
}

func (s *shelf) take() *buffer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free[n-1] = nil
		s.free = s.free[:n-1]
		return b
	}
	return &buffer{home: s}
}

// put takes buffers back and keeps so many in all. A batch keeps some times as many as it had pages: a backlog is read in the same
// buffers from one window to the next, and an idle daemon is left with a few.
func (s *shelf) put(keep int, all ...*buffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range all {
		if cap(b.b) <= keptBuffer {
			b.b = b.b[:0]
			s.free = append(s.free, b)
		}
	}
	if keep < len(s.free) {
		clear(s.free[keep:])
		s.free = s.free[:keep]
	}
}
