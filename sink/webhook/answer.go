package webhook

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// A StatusError is an answer that is no acknowledgement.
type StatusError struct {
	Status int    // of HTTP; a 2xx that does not say what it must say is an error as well
	Answer string // the first line of the body: printable, cut short, without our secrets; often ""

	compression ndjson.Compression // of what it is the answer to

	problem    string // of a 2xx: why it does not count
	page       bool   // it is a web page
	location   string
	retryAfter time.Duration
}

func (s *Sink) newStatusError(resp *http.Response, answer []byte, redact *strings.Replacer) *StatusError {
	e := &StatusError{
		Status: resp.StatusCode, Answer: firstLine(answer, redact), compression: s.options.Compression,
		retryAfter: retryAfter(resp.Header, time.Now()),
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
	if e.problem != "" {
		b.WriteString(", " + e.problem)
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
	switch {
	case e.page:
		return "something in front of the receiver seems to answer in its place, such as a single sign-on or a load balancer: check " +
			"HOUNDTRAIL_WEBHOOK_URL and HOUNDTRAIL_WEBHOOK_AUTHORIZATION; a receiver of your own should answer 204, or not as HTML"
	case e.problem != "":
		return "HOUNDTRAIL_WEBHOOK_EXPECT demands that, so the batch does not count as delivered: find out at the receiver why, or " +
			"correct the setting"
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		takes := "NDJSON"
		if e.compression == ndjson.Zstd {
			takes += " in zstd, or set HOUNDTRAIL_WEBHOOK_COMPRESSION=gzip"
		}
		return "it cannot read this record, and the stream waits in front of it: find out at the receiver, by the event id, " +
			"what it does not like; if it takes no record at all, check that HOUNDTRAIL_WEBHOOK_URL takes " + takes
	case http.StatusUnauthorized:
		return "the credentials are missing or wrong; check HOUNDTRAIL_WEBHOOK_AUTHORIZATION"
	case http.StatusForbidden:
		return "the credentials do not allow writing there; check HOUNDTRAIL_WEBHOOK_AUTHORIZATION and the receiver's grants"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return "nothing takes a POST there; check the path of HOUNDTRAIL_WEBHOOK_URL"
	case http.StatusProxyAuthRequired:
		return transport.ProxyAdvice
	case http.StatusRequestEntityTooLarge:
		return "this one record is larger than it takes, and batches cannot get any smaller; raise the receiver's limit"
	case http.StatusUnsupportedMediaType:
		if e.compression == ndjson.Zstd {
			return "it may not know zstd: set HOUNDTRAIL_WEBHOOK_COMPRESSION=gzip"
		}
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
