package bloodhoundtest

import (
	"net/http"
	"slices"
	"sync"
)

// A Fault stands between the server and its client, and makes something go wrong.
//
// It wraps all that the server does with a request. So it can answer in place of the server, cut the answer short, or change
// the log first. Package faults has them.
type Fault func(next http.Handler) http.Handler

// faults are the faults in force, by path.
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

// ClearFaults removes all faults. Requests under way keep theirs.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.byPath = nil
}
