package bloodhoundtest

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// A Fault stands between the server and its client, and sees to it that something goes wrong.
//
// It wraps everything that the server does with a request, so that it can answer in its place, cut its answer short,
// or do something to the log first. Faults compose: [Next], [Sequence] and [When] say which requests one is for.
type Fault func(next http.Handler) http.Handler

// faults are those in force, by path.
type faults struct {
	mu     sync.Mutex
	byPath map[string][]Fault
}

// around wraps a handler in the faults of a path, the earliest outermost.
func (f *faults) around(h http.Handler, path string) http.Handler {
	f.mu.Lock()
	set := f.byPath[path]
	f.mu.Unlock()
	for _, fault := range slices.Backward(set) {
		h = fault(h)
	}
	return h
}

// Fault puts a fault on the audit endpoint. It stays until [Server.ClearFaults].
func (s *Server) Fault(f Fault) { s.FaultAt(auditPath, f) }

// FaultAt puts a fault on any path, known to the server or not.
func (s *Server) FaultAt(path string, f Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if s.faults.byPath == nil {
		s.faults.byPath = make(map[string][]Fault)
	}
	s.faults.byPath[path] = append(slices.Clone(s.faults.byPath[path]), f)
}

// ClearFaults takes all faults off again. Requests under way keep theirs.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.byPath = nil
}

// Next applies a fault to the next n requests that reach it.
func Next(n int, f Fault) Fault {
	return Sequence(slices.Repeat([]Fault{f}, n)...)
}

// Sequence applies its first fault to the first request that reaches it, its second to the second, and so on. A nil
// fault lets its request through, and so does the end of the sequence.
func Sequence(steps ...Fault) Fault {
	var taken atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			step := taken.Add(1) - 1
			if step < int64(len(steps)) && steps[step] != nil {
				steps[step](next).ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// When applies a fault to the requests that match.
func When(match func(*http.Request) bool, f Fault) Fault {
	return func(next http.Handler) http.Handler {
		faulty := f(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if match(r) {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Before runs a hook ahead of a request that is then answered as ever. With a [Sequence] it changes the log, the
// credentials or the clock between two pages.
func Before(hook func()) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hook()
			next.ServeHTTP(w, r)
		})
	}
}
