package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cenkalti/backoff/v5"
)

// A StatusError is an answer other than 2xx.
type StatusError struct {
	Status int    // of HTTP
	Answer string // the first line of the body: printable, cut short, without our secrets; often ""

	location   string
	retryAfter time.Duration
}

func newStatusError(resp *http.Response, answer []byte, redact *strings.Replacer) *StatusError {
	e := &StatusError{
		Status: resp.StatusCode, Answer: firstLine(answer, redact), retryAfter: retryAfter(resp.Header, time.Now()),
	}
	if to, err := resp.Location(); err == nil && to.Host != "" {
		e.location = redact.Replace(to.Scheme + "://" + to.Host) // the rest may be ours again, or a session
	}
	return e
}

func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the receiver answered %d", e.Status)
	if text := http.StatusText(e.Status); text != "" {
		b.WriteString(" " + text)
	}
	if e.Answer != "" {
		fmt.Fprintf(&b, ", %q", e.Answer)
	}
	if advice := e.advice(); advice != "" {
		b.WriteString(": " + advice)
	}
	return b.String()
}

// Unwrap is how the back-off learns when to come again.
func (e *StatusError) Unwrap() error {
	if e.retryAfter <= 0 {
		return nil
	}
	return &backoff.RetryAfterError{Duration: e.retryAfter}
}

// advice says what to do next.
func (e *StatusError) advice() string {
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "it cannot read the batch; check that HOUNDTRAIL_WEBHOOK_URL takes NDJSON"
	case http.StatusUnauthorized:
		return "the credentials are missing or wrong; check HOUNDTRAIL_WEBHOOK_AUTHORIZATION"
	case http.StatusForbidden:
		return "the credentials do not allow writing there; check HOUNDTRAIL_WEBHOOK_AUTHORIZATION and the receiver's grants"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return "nothing takes a POST there; check the path of HOUNDTRAIL_WEBHOOK_URL"
	case http.StatusProxyAuthRequired:
		return "the proxy wants credentials; check HTTP_PROXY and HTTPS_PROXY"
	case http.StatusRequestEntityTooLarge:
		return "this one record is larger than it takes, and batches cannot get any smaller; raise the receiver's limit"
	case http.StatusUnsupportedMediaType:
		return "try HOUNDTRAIL_WEBHOOK_COMPRESSION=none, or the Content-Type that it wants in HOUNDTRAIL_WEBHOOK_HEADERS"
	}
	if e.Status/100 == 3 {
		to := ""
		if e.location != "" {
			to = " to " + e.location
		}
		return "redirects" + to + " are not followed; put the final address into HOUNDTRAIL_WEBHOOK_URL"
	}
	return ""
}

// transportError says why no answer came. Its cause can be told with errors.Is but is not unwrapped: it may quote what we
// sent.
type transportError struct {
	text  string
	cause error
}

func (e *transportError) Error() string        { return e.text }
func (e *transportError) Is(target error) bool { return errors.Is(e.cause, target) }

// retryable tells failures that may pass from those that will not. What is neither an answer nor a failed transport, such
// as an unreadable secret, is for people to mend.
func retryable(err error) bool {
	if answer, ok := errors.AsType[*StatusError](err); ok {
		s := answer.Status
		return s == http.StatusRequestTimeout || s == http.StatusTooManyRequests || s >= 500
	}
	_, broken := errors.AsType[*transportError](err)
	return broken
}

func tooLarge(err error) bool {
	answer, ok := errors.AsType[*StatusError](err)
	return ok && answer.Status == http.StatusRequestEntityTooLarge
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3): seconds, or a date, which is compared with the receiver's
// own clock where it sends it. Zero or less means that our own back-off decides.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(at.Sub(now), maxRetryAfter)
}

// maxShown is how much of an answer is shown, in characters.
const maxShown = 200

// firstLine is what an error may show of an answer. Web pages say nothing that the status does not.
func firstLine(answer []byte, redact *strings.Replacer) string {
	text, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	if strings.HasPrefix(text, "<") {
		return ""
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text)
	shown := []rune(strings.TrimSpace(redact.Replace(text)))
	if len(shown) > maxShown {
		return string(shown[:maxShown]) + "..."
	}
	return string(shown)
}
