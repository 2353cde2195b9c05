package bloodhoundtest

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// audit answers GET /api/v2/audit.
func (s *Server) audit(w http.ResponseWriter, r *http.Request, c *call) {
	k := api.QuirksOf(r.Context())
	values := r.URL.Query()
	if k.AnyTime {
		values.Del("before")
		values.Del("after")
	}
	q, err := s.can.parseQuery(values, s.now())
	if refused, ok := errors.AsType[*api.Error](err); ok {
		refused.Write(w, s.now())
		return
	}
	if err != nil {
		api.WriteNothing(w) // the handler has panicked, and the server goes on as if it had answered
		return
	}
	q.order.by = cmp.Or(k.Direction, q.order.by)
	if err := wait(r.Context(), k.Latency); err != nil {
		s.late(w, err)
		return
	}
	if err := s.can.filters.compile(q.filters, s.now()); err != nil {
		api.ErrInternal.Write(w, s.now())
		return
	}
	count, page := s.read(q, k, c)
	if slices.ContainsFunc(page, func(e *entry) bool { return e.Unprintable }) {
		api.ErrInternal.Write(w, s.now())
		return
	}
	s.writePage(w, q, count, page)
}

// read does the database's part of a request: its two statements, and the quirks that change their rows.
func (s *Server) read(q query, k api.Quirks, c *call) (count int, page []*entry) {
	now := s.now().Add(-k.Lag).UnixMicro()
	counted := q.filters
	if k.WholeCount {
		counted = nil
	}
	shuffle := rand.New(rand.NewPCG(s.seed, uint64(c.number)))
	s.mu.RLock()
	count = s.table.count(counted, now)
	page, skipped := s.table.pick(q, now, shuffle)
	s.mu.RUnlock()
	s.counters.served.Add(int64(len(page)))
	s.counters.skipped.Add(int64(skipped))
	if k.Twice {
		page = twice(page, q.rows())
	}
	return count, page
}

func twice(page []*entry, most int) []*entry {
	if len(page) == 0 || most == 1 {
		return page
	}
	twin := *page[0]
	twin.Action += "Changed"
	page = slices.Insert(page, 1, &twin)
	return page[:min(len(page), most)]
}

// late answers a request whose deadline has passed. If the client has gone, it sends nothing.
func (s *Server) late(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, context.Canceled):
	case s.can.emptyTimeout:
		api.WriteNothing(w)
	default:
		api.ErrTimeout.Write(w, s.now())
	}
}

// chunk is how many bytes of a page are printed before they are handed on.
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

// wait takes the time that the database takes. It ends early when the request ends.
func wait(ctx context.Context, latency time.Duration) error {
	if latency == 0 {
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
