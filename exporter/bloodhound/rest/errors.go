package rest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind is the kind of failure of an [Error]. It decides what a user or the client can do.
type Kind uint8

// The kinds of failure. [Error.Retryable] says which of them another try may heal.
const (
	Unauthorized Kind = iota + 1 // clock skew, wrong key, revoked token, expired session, wrong password
	Forbidden                    // the user lacks the role, or is disabled
	BadRequest                   // the server does not understand the request
	NotFound                     // no such route: most often the wrong URL
	RateLimited                  // too many requests
	Timeout                      // the query took too long: a smaller page may do
	Server                       // the server, or a proxy in front of it, failed
	Transport                    // no connection, no TLS, no proxy, or a body that was cut short
	NotJSON                      // a reply that is not from BloodHound, such as a proxy's login page
	Redirect                     // the URL is not the server's own
	TooLarge                     // a body that is larger than allowed: a smaller page is needed
)

// String is the kind's name in metrics and logs.
func (k Kind) String() string {
	names := [...]string{
		"unknown", "unauthorized", "forbidden", "bad_request", "not_found", "rate_limited", "timeout", "server",
		"transport", "not_json", "redirect", "too_large",
	}
	if int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// An Error is a request that failed. It never holds a secret.
type Error struct {
	Kind   Kind
	Method string
	Target string // path and query as the client sent them
	Host   string

	Status  int    // the reply's; 0 if there was none
	Message string // the words of the server or the network, on one line
	Advice  string // what to do next

	RequestID  string        // the id that the server gave the request; "" if it gave none
	RetryAfter time.Duration // how long the server asks to wait; 0 if it does not
	Date       time.Time     // the server's clock at the reply; zero if it is not known

	Err error // the cause below HTTP, if there is one

	Final bool // not worth another try, even if the kind allows one

	stubborn bool // worth another try or two, but no more
}

// Error names the request, the server, the cause of the failure and the next step.
func (e *Error) Error() string {
	var b strings.Builder
	// After a 400, the reader looks for the fault in the query. For every other kind, the query does not help.
	target, _, _ := strings.Cut(e.Target, "?")
	if e.Kind == BadRequest {
		target = e.Target
	}
	fmt.Fprintf(&b, "%s %s on %s: ", e.Method, target, e.Host)
	if e.Status != 0 {
		b.WriteString(strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))))
		if e.Message != "" {
			b.WriteString(": ")
		}
	}
	b.WriteString(e.Message)
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (the server asks to wait %s)", e.RetryAfter)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request id %s)", e.RequestID)
	}
	if e.Advice != "" {
		b.WriteString("; ")
		b.WriteString(e.Advice)
	}
	return b.String()
}

// Unwrap returns the cause below HTTP.
func (e *Error) Unwrap() error { return e.Err }

// Retryable tells whether the same request may succeed later, without any help.
func (e *Error) Retryable() bool {
	switch e.Kind {
	case RateLimited, Timeout, Server, Transport, NotJSON:
		return !e.Final
	default:
		return false
	}
}

// patience is how many tries the failure is worth. Some failures rarely pass. For those, the reader should not wait minutes for
// the message.
func (e *Error) patience(limit uint) uint {
	if e.stubborn {
		return min(limit, 3)
	}
	return limit
}
