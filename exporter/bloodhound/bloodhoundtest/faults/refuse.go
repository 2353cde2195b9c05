package faults

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// answer is a fault that answers in the server's place, compressed if the client takes that.
func answer(write func(w http.ResponseWriter, r *http.Request)) bloodhoundtest.Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w, done := api.Compress(w, r)
			write(w, r)
			done()
		})
	}
}

// Fail answers with a JSON error of the API.
func Fail(status int, message string) bloodhoundtest.Fault {
	return fail(&api.Error{Status: status, Message: message})
}

func fail(e *api.Error) bloodhoundtest.Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) { e.Write(w, time.Now()) })
}

// TimedOut is the answer of a server after its deadline has passed: 500, not 504.
func TimedOut() bloodhoundtest.Fault { return fail(api.ErrTimeout) }

// InternalError is the answer of a server after its database failed.
func InternalError() bloodhoundtest.Fault { return fail(api.ErrInternal) }

// SessionExpired is the answer to a bearer token whose time is over, in the middle of paging too.
func SessionExpired() bloodhoundtest.Fault { return fail(api.ErrBearer) }

// Forbidden is the answer to an account that has lost its role.
func Forbidden() bloodhoundtest.Fault { return fail(api.ErrForbidden) }

// LimitHeaders are the headers of a 429 that tell when to come back. The servers send X-RateLimit-Reset; only a proxy adds
// Retry-After. A zero value leaves the header out.
type LimitHeaders struct {
	Reset      time.Time
	RetryAfter string
}

// RateLimited answers 429 in plain text.
func RateLimited(h LimitHeaders) bloodhoundtest.Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		if h.RetryAfter != "" {
			w.Header().Set("Retry-After", h.RetryAfter)
		}
		api.WriteLimitExceeded(w, api.RequestsPerSecond, h.Reset)
	})
}

// Empty answers 200 without a content type and with an empty body, as some servers of 2024 do after their deadline passed.
func Empty() bloodhoundtest.Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) { api.WriteNothing(w) })
}

// NotJSON answers 200 with the page of a single sign-on in front of the server.
func NotJSON() bloodhoundtest.Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) { writeHTML(w, http.StatusOK, "Sign in") })
}

// Proxy answers with a proxy's page in HTML and a status such as 502 or 504.
func Proxy(status int) bloodhoundtest.Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		// The proxy did not reach the server, so the answer does not have the server's headers.
		w.Header().Del(api.RequestIDHeader)
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
func Redirect(location string) bloodhoundtest.Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
	})
}

// chunk is how many bytes of a huge body are sent at a time.
const chunk = 64 << 10

// Huge answers 200 with one entry whose fields make the body about n bytes long.
func Huge(n int64) bloodhoundtest.Fault {
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
			api.ZeroUUID+`"}]}}`)
	})
}

// Hang does not answer until the client goes away.
func Hang() bloodhoundtest.Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
	}
}

func setLength(w http.ResponseWriter, n int) { w.Header().Set("Content-Length", strconv.Itoa(n)) }
