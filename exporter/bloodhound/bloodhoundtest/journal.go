package bloodhoundtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// Request is a request to the server, and its outcome.
type Request struct {
	At        time.Time // by the server's clock
	Method    string
	Target    string // path and query, byte for byte
	Prefer    string
	Encoding  string // Content-Encoding of the answer
	Status    int    // 0 if there was no answer
	Aborted   bool   // the connection was cut
	RequestID string
}

// Query is the query of the request: its sort columns, filters, skip and window. They decide its cost for the database.
func (r Request) Query() url.Values {
	_, query, _ := strings.Cut(r.Target, "?")
	values, _ := url.ParseQuery(query) // the readable part of it, as on the server
	return values
}

// Stats are totals since the start.
type Stats struct {
	Requests    int64
	RowsServed  int64 // printed into pages, whether or not the client got them
	RowsSkipped int64 // walked past for skip or offset: the server's cost of deep paging
}

type counters struct{ requests, served, skipped atomic.Int64 }

// journal keeps the latest requests.
type journal struct {
	mu       sync.Mutex
	requests []Request
}

// journalLength bounds the memory of a server that runs for long.
const journalLength = 1 << 16

func (j *journal) add(r Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.requests) == journalLength {
		j.requests = slices.Delete(j.requests, 0, journalLength/2)
	}
	j.requests = append(j.requests, r)
}

// Requests returns the requests in the order of their ends: the latest 32,768 at least.
func (s *Server) Requests() []Request {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return slices.Clone(s.journal.requests)
}

// Stats returns the totals.
func (s *Server) Stats() Stats {
	return Stats{
		Requests:    s.counters.requests.Load(),
		RowsServed:  s.counters.served.Load(),
		RowsSkipped: s.counters.skipped.Load(),
	}
}

// ServeHTTP answers a request, faults included, and writes it down.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{number: s.counters.requests.Add(1), requestID: s.newUUID(), sourceIP: source(r)}
	now := s.now()
	h := w.Header()
	h.Set(api.RequestIDHeader, c.requestID)
	h.Set("Date", s.dateHeader(now).UTC().Format(http.TimeFormat))
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin")

	done := false
	answer := &statusWriter{ResponseWriter: w}
	defer func() {
		if done && answer.status == 0 {
			answer.status = http.StatusOK // net/http sends it for a handler that says nothing
		}
		s.journal.add(Request{
			At: now, Method: r.Method, Target: target(r), Prefer: strings.Join(r.Header.Values("Prefer"), ", "),
			Encoding: h.Get("Content-Encoding"), Status: answer.status, Aborted: !done, RequestID: c.requestID,
		})
	}()
	core := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, c) })
	s.faults.around(core, r.URL.Path).ServeHTTP(answer, r)
	done = true
}

// source is the address as the log keeps it: the proxy's claim, then a comma, then the peer.
func source(r *http.Request) string {
	if forwarded := r.Header.Values("X-Forwarded-For"); len(forwarded) > 0 {
		return strings.Join(forwarded, ",") + "," + peer(r)
	}
	return peer(r)
}
