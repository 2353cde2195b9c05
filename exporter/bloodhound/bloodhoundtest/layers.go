package bloodhoundtest

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// loginsPerSecond is how many logins a client address may send in a second.
const loginsPerSecond = 1

// limiter counts in fixed windows of one second, in memory, as one process of the server does.
// It stands in for the token bucket of 2023-24 as well: only the answers of the two differ.
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

// limited refuses a request that comes too soon after the others. It returns true if it refused the request.
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

// patience is how long a request may take, and the Preference-Applied of its answer.
type patience struct {
	limit   time.Duration
	bounded bool
	applied string // Preference-Applied
}

// prefer reads the Prefer header as one generation does. Its error names the fault of the header.
type prefer func(http.Header) (patience, error)

func seconds(n int) patience {
	return patience{
		limit:   time.Duration(n) * time.Second,
		bounded: true,
		applied: fmt.Sprintf("wait=%.2f", float64(n)),
	}
}

// preferWait sets a deadline if the header asks for one. Without a wait above zero it sets none, and the answer has no
// Preference-Applied.
func preferWait(h http.Header) (patience, error) {
	n, err := waitOf(h)
	if err != nil || n <= 0 {
		return patience{}, err
	}
	return seconds(n), nil
}

var documentedWait = regexp.MustCompile(`^wait=[0-9]+$`)

// preferDocumented takes the published pattern and nothing else; 0 is the documented default.
func preferDocumented(h http.Header) (patience, error) {
	value := h.Get("Prefer")
	if value == "" {
		return patience{}, nil
	}
	n, err := waitOf(h)
	if err != nil || !documentedWait.MatchString(value) {
		return patience{}, invalidPrefer(value)
	}
	if n == 0 {
		return patience{}, nil
	}
	return seconds(n), nil
}

// waitOf finds wait=N among the preferences: in lower case only, and the last one wins. It is 0 without one.
func waitOf(h http.Header) (n int, err error) {
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, found := strings.Cut(preference, "=")
			if !found || strings.TrimSpace(name) != "wait" {
				continue
			}
			if n, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return 0, invalidPrefer(err.Error())
			}
		}
	}
	return n, nil
}

func invalidPrefer(detail string) *api.Error {
	return badRequest("Prefer header has an invalid value: " + detail)
}
