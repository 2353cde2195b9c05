package bloodhoundtest

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// loginsPerSecond is what a client address may ask of the login in a second.
const loginsPerSecond = 1

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
		tooMany := &api.Error{
			Status: http.StatusTooManyRequests, Context: "middleware",
			Message: "Too many requests. Please try again later.",
		}
		tooMany.Write(w, now)
		return true
	}
	api.WriteLimitExceeded(w, rt.perSecond, now.Add(time.Second))
	return true
}

// peer is the client's address without its port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
