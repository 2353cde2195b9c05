package transport

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// RetryAfter is the time for which a server asks to wait with the Retry-After header (RFC 9110, 10.2.3). The header has
// seconds, or a date. RetryAfter compares a date with the server's own clock if the answer has it. If not, it compares it with
// now. Zero or less means that the server asks for no wait. The wait may be years: the caller decides whether that is still a
// pause.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(math.MaxInt64/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return at.Sub(now)
}
