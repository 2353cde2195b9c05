package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A StatusError is an answer that is no acknowledgement.
type StatusError struct {
	Status int    // of HTTP; a 2xx that does not meet the format's or the user's demands is an error as well
	Answer string // the first line of the body: printable, cut short, without our secrets; often ""

	verdict    format.Verdict
	retryAfter time.Duration
}

// judge returns nil if the answer acknowledges its batch, and else a [StatusError].
func (s *Sink) judge(resp *http.Response, answer []byte, b *batch, redact *strings.Replacer) error {
	v := s.verdict(resp, answer, b, redact)
	if v.Slow {
		s.slowUntil.Store(time.Now().Add(slowFor).UnixNano())
	}
	if v.Class == format.OK {
		return nil
	}
	return &StatusError{
		Status: resp.StatusCode, Answer: firstLine(answer, redact), verdict: v,
		retryAfter: min(max(transport.RetryAfter(resp.Header, time.Now()), v.Wait), maxRetryAfter),
	}
}

// verdict is the verdict of the format. The format does not get answers that do not come from the receiver: a redirect, and the
// refusal of a proxy.
func (s *Sink) verdict(resp *http.Response, answer []byte, b *batch, redact *strings.Replacer) format.Verdict {
	switch {
	case resp.StatusCode/100 == 3:
		to := ""
		if at, err := resp.Location(); err == nil && at.Host != "" {
			to = " to " + redact.Replace(at.Scheme+"://"+at.Host) // the rest may have our secrets, or a session
		}
		return format.Verdict{Advice: "redirects" + to + " are not followed; put the final address into " + setting.WebhookURL}
	case resp.StatusCode == http.StatusProxyAuthRequired:
		return format.Verdict{Advice: transport.ProxyAdvice}
	default:
		return s.format.Read(format.Answer{
			Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: answer,
			Quote: func(text string) string { return show(text, redact) },
		}, b.about())
	}
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
	if e.verdict.Why != "" {
		b.WriteString(", " + e.verdict.Why)
	}
	if e.verdict.Advice != "" {
		b.WriteString(": " + e.verdict.Advice)
	}
	return b.String()
}

// Unwrap tells the back-off for how long to wait.
func (e *StatusError) Unwrap() error {
	if e.retryAfter <= 0 {
		return nil
	}
	return &backoff.RetryAfterError{Duration: e.retryAfter}
}
