package bloodhoundtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// answer is a fault that answers in the server's place, compressed if the client takes that.
func answer(write func(w http.ResponseWriter, r *http.Request)) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w, done := compress(w, r)
			write(w, r)
			done()
		})
	}
}

// Fail answers with a JSON error of the API.
func Fail(status int, message string) Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		(&failure{status: status, message: message}).write(w, time.Now())
	})
}

// TimedOut is what a server says whose deadline has passed: 500, not 504.
func TimedOut() Fault { return Fail(errTimeout.status, errTimeout.message) }

// InternalError is what a server says whose database failed.
func InternalError() Fault { return Fail(errInternal.status, errInternal.message) }

// SessionExpired is what a bearer token gets whose time is over, in the middle of paging too.
func SessionExpired() Fault { return Fail(errBearer.status, errBearer.message) }

// Forbidden is what an account gets that has lost its role.
func Forbidden() Fault { return Fail(errForbidden.status, errForbidden.message) }

// LimitHeaders are the headers of a 429 that tell when to come back. The servers send X-RateLimit-Reset, and
// Retry-After only where a proxy adds it. Zero values are left out.
type LimitHeaders struct {
	Reset      time.Time
	RetryAfter string
}

// RateLimited answers 429 in plain text.
func RateLimited(h LimitHeaders) Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		if h.RetryAfter != "" {
			w.Header().Set("Retry-After", h.RetryAfter)
		}
		writeLimitExceeded(w, requestsPerSecond, h.Reset)
	})
}

// Empty answers 200 with no content type and nothing in it, as some servers of 2024 do when their deadline passed.
func Empty() Fault { return answer(func(w http.ResponseWriter, _ *http.Request) { writeNothing(w) }) }

// NotJSON answers 200 with the page of a single sign-on in front of the server.
func NotJSON() Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) { writeHTML(w, http.StatusOK, "Sign in") })
}

// Proxy answers with a proxy's page in HTML and a status such as 502 or 504.
func Proxy(status int) Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		// The proxy did not reach the server, so its headers are not there either.
		w.Header().Del(requestIDHeader)
		writeHTML(w, status, fmt.Sprintf("%d %s", status, http.StatusText(status)))
	})
}

func writeHTML(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html><head><title>%[1]s</title></head><body><center><h1>%[1]s</h1></center></body></html>\n",
		title)
}

// Redirect answers 302.
func Redirect(location string) Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
	})
}

// Huge answers 200 with one entry whose fields make the body about n bytes long.
func Huge(n int64) Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"count":1,"limit":1000,"skip":0,"data":{"logs":[{"id":1,`+
			`"created_at":"2026-01-15T12:34:56Z","actor_id":"","actor_name":"","actor_email":"","action":"MutateGraph",`+
			`"fields":{"query":"`)
		filler := bytes.Repeat([]byte("x"), chunk)
		for left := n; left > 0; left -= chunk {
			if _, err := w.Write(filler[:min(left, chunk)]); err != nil {
				return // the client has had enough
			}
		}
		_, _ = io.WriteString(w, `"},"request_id":"","source_ip_address":"","status":"success","commit_id":"`+
			zeroUUID+`"}]}}`)
	})
}

// Hang says nothing until the client goes away.
func Hang() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
	}
}

// PruneBefore deletes the rows from before an instant ahead of the request: history shrinks while a client reads it.
func (s *Server) PruneBefore(cut time.Time) Fault { return Before(func() { s.Prune(cut) }) }

// Reveal adds rows ahead of the request: they were committed late, between this page and the one before.
func (s *Server) Reveal(rows ...Row) Fault { return Before(func() { s.Add(rows...) }) }

func setLength(w http.ResponseWriter, n int) { w.Header().Set("Content-Length", strconv.Itoa(n)) }
