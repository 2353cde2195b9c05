package bloodhoundtest

import "slices"

// Alter changes a row that is in the log, as an administrator of the database could, and tells whether there was one
// with that id. Pages that are being served keep the row as it was.
func (s *Server) Alter(id int64, change func(*Row)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.table.take(func(e *entry) bool { return e.ID == id })
	rows := make([]Row, len(taken))
	for i, e := range taken {
		rows[i] = e.Row
		change(&rows[i])
	}
	s.table.add(s.dated(rows))
	return len(rows) > 0
}

// Delete takes rows out of the log by their ids and tells how many there were. The sequence does not go back.
func (s *Server) Delete(ids ...int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.table.take(func(e *entry) bool { return slices.Contains(ids, e.ID) }))
}
