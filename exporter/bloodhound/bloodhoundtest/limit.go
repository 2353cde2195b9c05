package bloodhoundtest

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// What a client address may ask of one route in a second.
const (
	requestsPerSecond = 55
	loginsPerSecond   = 1
)

// limiter counts in fixed windows of one second, in memory, as one process of the server does.
// The token bucket of 2023-24 is not told apart: only its answer is.
type limiter struct {
	mu     sync.Mutex
	second int64
	hits   map[string]int
}

func (l *limiter) allow(key string, most int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := now.Unix(); second != l.second || l.hits == nil {
		l.second, l.hits = second, make(map[string]int)
	}
	l.hits[key]++
	return l.hits[key] <= most
}

// limited refuses a request that comes too soon after the others, and tells whether it did.
func (s *Server) limited(w http.ResponseWriter, r *http.Request, rt route) bool {
	now := s.now()
	if !s.rateLimit || s.limiter.allow(peer(r)+" "+r.URL.Path, rt.perSecond, now) {
		return false
	}
	if s.can.limitJSON {
		tooMany := &failure{
			status: http.StatusTooManyRequests, context: "middleware",
			message: "Too many requests. Please try again later.",
		}
		tooMany.write(w, now)
		return true
	}
	writeLimitExceeded(w, rt.perSecond, now.Add(time.Second))
	return true
}

// writeLimitExceeded is the plain text that the newer servers send; a zero reset leaves the headers out.
func writeLimitExceeded(w http.ResponseWriter, most int, reset time.Time) {
	if !reset.IsZero() {
		w.Header().Set("X-RateLimit-Limit", strconv.Itoa(most))
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = io.WriteString(w, "Limit exceeded\n")
}

// peer is the client's address without its port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
