package bloodhoundtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// audit answers GET /api/v2/audit.
func (s *Server) audit(w http.ResponseWriter, r *http.Request, c *call) {
	q, err := s.can.parseQuery(r.URL.Query(), s.now())
	if refused, ok := errors.AsType[*failure](err); ok {
		refused.write(w, s.now())
		return
	}
	if override, ok := r.Context().Value(orderKey{}).(direction); ok {
		q.order.by = override
	}
	if err := wait(r.Context()); err != nil {
		s.late(w, err)
		return
	}
	if err := s.can.filters.compile(q.filters); err != nil {
		errInternal.write(w, s.now())
		return
	}
	now := s.now().UnixMicro()
	shuffle := rand.New(rand.NewPCG(s.seed, uint64(c.number)))
	s.mu.RLock()
	count := s.table.count(q.filters, now)
	page, skipped := s.table.pick(q, now, shuffle)
	s.mu.RUnlock()
	s.counters.served.Add(int64(len(page)))
	s.counters.skipped.Add(int64(skipped))
	s.writePage(w, q, count, page)
}

// late answers a request whose deadline has passed; one whose client has gone gets nothing.
func (s *Server) late(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, context.Canceled):
	case s.can.emptyTimeout:
		writeNothing(w)
	default:
		errTimeout.write(w, s.now())
	}
}

// chunk is how much of a page is printed before it is handed on, in bytes.
const chunk = 64 << 10

func (s *Server) writePage(w http.ResponseWriter, q query, count int, page []*entry) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	b := make([]byte, 0, chunk+chunk/4)
	b = append(b, '{')
	if s.can.counts {
		b = append(b, `"count":`...)
		b = strconv.AppendInt(b, int64(count), 10)
		b = append(b, `,"limit":`...)
		b = strconv.AppendInt(b, int64(q.limit), 10)
		b = append(b, `,"skip":`...)
		b = strconv.AppendInt(b, int64(q.skip), 10)
		b = append(b, ',')
	}
	b = append(b, `"data":{"logs":[`...)
	for i, e := range page {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRow(b, &e.Row, s.shape)
		if len(b) >= chunk {
			if _, err := w.Write(b); err != nil {
				return // the client has gone
			}
			b = b[:0]
		}
	}
	_, _ = w.Write(append(b, `]}}`...))
}

// Keys of what a fault asks of the handler.
type (
	latencyKey struct{} // time.Duration that the database takes
	orderKey   struct{} // direction in which it answers
)

// wait is the database taking its time; it gives up with the request.
func wait(ctx context.Context) error {
	latency, ok := ctx.Value(latencyKey{}).(time.Duration)
	if !ok {
		return ctx.Err()
	}
	timer := time.NewTimer(latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
