package rest

import (
	"cmp"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/quote"
	"github.com/houndtrail/houndtrail/exporter/transport"
)

// longestType is how many characters of a content type an error quotes at most.
const longestType = 60

const (
	adviceForbidden = "give the user the role Auditor (BloodHound v8.4.0 and later, permission AuditLogRead) " +
		"or Administrator (before v8.4.0)"
	adviceForeign = "the reply is not BloodHound's own: something in front of the server answers in its place, or it is another server; " +
		"check " + setting.BloodHoundURL + ", and ask who runs the proxy"
	adviceTimeout  = "smaller pages help: lower " + setting.BloodHoundPageSize + " if this goes on"
	adviceNotFound = "is " + setting.BloodHoundURL + " the address of a BloodHound server, without any path that belongs to its web pages?"
)

// newError begins an error about the request.
func newError(kind Kind, r *http.Request, a answer) *Error {
	return &Error{
		Kind: kind, Method: r.Method, Target: r.URL.RequestURI(), Host: r.URL.Host,
		Status: a.status, Date: a.clock.Server, RequestID: requestID(a.header),
	}
}

// judge returns nil if the answer is a 200 with a JSON object. If not, its error says what the answer is.
func judge(a answer, r *http.Request) *Error {
	if a.status == http.StatusOK {
		return judgeOK(a, r)
	}
	redact := redactorOf(r)
	said := readComplaint(a.body.Bytes)
	e := newError(kindOf(a.status), r, a)
	e.Message = said.quote(redact)
	e.RequestID = cmp.Or(e.RequestID, said.requestID)
	switch e.Kind {
	case RateLimited, Server, Timeout:
		e.RetryAfter = retryAfter(a)
		e.Final = a.status == http.StatusNotImplemented || a.status == http.StatusHTTPVersionNotSupported
		if e.Kind == Server && strings.EqualFold(e.Message, "request timed out") { // BloodHound says so for a 504
			e.Kind = Timeout
		}
	case Redirect:
		e.Message = quote.Foreign("a redirect to "+redirectHost(a.header), redact, longestMessage)
		e.Advice = "redirects are not followed, since credentials must not travel on: set " + setting.BloodHoundURL +
			" to the address that the server itself uses"
	case Transport: // 407, the only status of this kind
		e.Final = true
		e.Advice = transport.ProxyAdvice
	case NotJSON: // another success, such as a 206; its body may hold records too
		e.Message = describe(a.body.Bytes).quote(redact)
		e.stubborn = true
	default:
	}
	if e.Advice == "" {
		e.Advice = adviceFor(e, said.ours)
	}
	return e
}

// kindOf reads a status that is not 200.
func kindOf(status int) Kind {
	switch status {
	case http.StatusUnauthorized:
		return Unauthorized
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound:
		return NotFound
	case http.StatusProxyAuthRequired:
		return Transport
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusRequestTimeout, http.StatusGatewayTimeout, 524: // one large front end says 524 for 504
		return Timeout
	}
	switch status / 100 {
	case 3:
		return Redirect
	case 4:
		return BadRequest
	case 5:
		return Server
	default:
		return NotJSON // a 204 has no page
	}
}

func adviceFor(e *Error, ours bool) string {
	switch {
	case e.Kind == Timeout:
		return adviceTimeout
	case e.Kind == NotFound:
		return adviceNotFound
	case e.Kind == BadRequest && strings.Contains(e.Message, "HTTP request to an HTTPS server"):
		return "begin " + setting.BloodHoundURL + " with https://"
	case e.Kind == Forbidden && strings.Contains(e.Message, "disabled"):
		return "enable the user in BloodHound, or use another one's credentials"
	case e.Kind == NotJSON, !ours && (e.Kind == Forbidden || e.Kind == Unauthorized):
		return adviceForeign
	case e.Kind == Forbidden:
		return adviceForbidden
	default:
		return ""
	}
}

// judgeOK distrusts a 200: builds of 2024 answer a timed-out query with an empty 200, and proxies answer with a login page.
// Houndtrail must never take one of these for "no events".
func judgeOK(a answer, r *http.Request) *Error {
	contentType := a.header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case len(a.body.Bytes) == 0:
		e := newError(Timeout, r, a)
		e.Message = "an empty reply, which is how some servers say that the query took too long"
		e.Advice = adviceTimeout
		return e
	case page.IsObject(a.body.Bytes) && (contentType == "" || err == nil && kind == "application/json"):
		if !page.IsCut(a.body.Bytes) {
			return nil
		}
		e := newError(Transport, r, a) // a proxy cut the page, and then closed the body as if it were complete
		e.Message = "the reply was cut in the middle of its JSON"
		return e
	default:
		e := newError(NotJSON, r, a)
		redact := redactorOf(r)
		named := quote.Foreign(cmp.Or(contentType, "something untyped"), redact, longestType)
		e.Message = "not JSON but " + named + ": " + describe(a.body.Bytes).quote(redact)
		e.Advice = adviceForeign
		e.stubborn = true
		return e
	}
}

// redirectHost returns the host of a redirect. It leaves out the path and the query, which may hold anything, even a secret.
func redirectHost(h http.Header) string {
	to, err := url.Parse(h.Get("Location"))
	switch {
	case err != nil || h.Get("Location") == "":
		return "nowhere"
	case to.Host == "":
		return "another path on the same host"
	default:
		return strings.TrimPrefix(to.Scheme+"://"+to.Host, "://")
	}
}

// retryAfter is how long the server asks to wait: by Retry-After, in seconds or as a date, or by X-RateLimit-Reset, in seconds
// since the epoch. It compares a date with the server's clock, not with ours.
func retryAfter(a answer) time.Duration {
	const farthest = 24 * time.Hour // a longer time is no pause, or it is in another unit
	server := cmp.Or(a.clock.Server, time.Now())
	wait := transport.RetryAfter(a.header, server)
	if a.header.Get("Retry-After") == "" {
		if seconds, err := strconv.ParseInt(a.header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			wait = time.Unix(seconds, 0).Sub(server)
		}
	}
	if wait > 0 && wait <= farthest {
		return wait
	}
	return 0
}
