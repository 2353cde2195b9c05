package bloodhoundtest

import (
	"cmp"
	"math"
	"net/http"
	"time"
)

// keptMonths is how many months before the current one PR #3049 keeps.
const keptMonths = 3

// audited is the middleware of PR #3049. It writes an intent before the handler, so the handler reads that row too, and an
// outcome after the handler. On other servers it only calls the handler.
func (s *Server) audited(w http.ResponseWriter, r *http.Request, c *call, rt route) {
	if !s.can.audited {
		s.answer(w, r, c, rt)
		return
	}
	row := Row{Action: r.Method + r.URL.Path, ActorName: "anonymous", CommitID: s.newUUID(), Status: "intent"}
	if c.who != nil {
		row.ActorID, row.ActorName, row.ActorEmail = c.who.ID, c.who.Name, c.who.Email
	}
	s.record(c, row)
	outcome := &statusWriter{ResponseWriter: w}
	s.answer(outcome, r, c, rt)
	row.Status = "success"
	if outcome.status >= http.StatusBadRequest {
		row.Status = "failure"
	}
	s.record(c, row)
}

// record adds a row of the server's own, stamped with its clock.
func (s *Server) record(c *call, row Row) {
	row.CreatedAt = s.now()
	row.VisibleAt = time.Unix(0, 0) // so it stays visible if the test sets the clock back
	row.RequestID, row.SourceIP = c.requestID, cmp.Or(row.SourceIP, c.sourceIP)
	s.Add(row)
}

// Prune deletes the rows created before an instant and tells how many there were.
func (s *Server) Prune(before time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.remove(math.MinInt64, before.UnixMicro())
}

// DropMonths does the work of the daemon of PR #3049 at its start and once a day: it drops each month that ended three
// months before this one began, or earlier. Rows from before 2024 lie in the default partition, which the daemon never drops.
func (s *Server) DropMonths() int {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pruned = now
	firstPartition := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	return s.table.remove(firstPartition.UnixMicro(), monthsBefore(now, keptMonths).UnixMicro())
}

// dropMonthsDaily is the daemon. It has no timer of its own, so requests wake it.
func (s *Server) dropMonthsDaily() {
	if !s.can.audited {
		return
	}
	s.mu.RLock()
	due := s.now().Sub(s.pruned) >= 24*time.Hour
	s.mu.RUnlock()
	if due {
		s.DropMonths()
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.status = cmp.Or(w.status, http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
