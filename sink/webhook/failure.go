package webhook

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A PostponedError is a receiver that asks for a longer pause than the patience for one batch.
type PostponedError struct {
	Until time.Time // by this machine's clock
	Err   error     // the answer; nil if it is one of an earlier run
}

func (e *PostponedError) Error() string {
	text := "the receiver asks not to be asked before " + e.Until.UTC().Format(time.RFC3339) +
		": nothing is posted to it until then, and the stream goes on by itself afterwards"
	if e.Err != nil {
		text = e.Err.Error() + "; " + text
	}
	return text
}

// Unwrap returns the answer.
func (e *PostponedError) Unwrap() error { return e.Err }

func isPostponed(err error) bool {
	_, ok := errors.AsType[*PostponedError](err)
	return ok
}

// A transportError says why no whole answer came. Its cause can be told with errors.Is but is not unwrapped: it may quote
// what we sent.
type transportError struct {
	text  string
	cause error
	final bool // no other try changes it
}

func (e *transportError) Error() string        { return e.text }
func (e *transportError) Is(target error) bool { return errors.Is(e.cause, target) }

// newTransportError explains what went wrong before an answer.
func newTransportError(err error, redact *strings.Replacer) *transportError {
	e := &transportError{text: "no answer: " + show(err.Error(), redact), cause: err}
	proxy, refused := errors.AsType[*transport.ProxyError](err)
	switch {
	case transport.IsCertificate(err):
		e.final = true
		e.text += "; " + transport.CertificateAdvice(setting.WebhookCAFile)
	case refused:
		e.text, e.final = "no answer: "+proxy.Error(), proxy.Final()
	case errors.Is(err, http.ErrSchemeMismatch):
		e.final = true
		e.text += "; the receiver does not speak TLS at this address: is it http:// or another port in " + setting.WebhookURL + "?"
	}
	return e
}

// fewTries is for failures that seldom pass by themselves: their message should not be kept from the reader for minutes.
const fewTries = 3

// retryable tells whether a failure may pass, of which so many were answers that were unexpected. What is neither an answer
// nor a failed transport, such as an unreadable secret, is for people to mend.
func retryable(err error, unexpected int) bool {
	switch classOf(err) {
	case format.Retry:
		return true
	case format.Unexpected:
		return unexpected < fewTries
	default:
	}
	broken, ok := errors.AsType[*transportError](err)
	return ok && !broken.final
}

// reason is a failure in a word, for metrics.
func reason(err error) string {
	answer, ok := errors.AsType[*StatusError](err)
	switch {
	case isUnexpected(err):
		return "unexpected"
	case ok:
		return strconv.Itoa(answer.Status)
	case errors.Is(err, errTimeout):
		return "timeout"
	default:
		return "transport"
	}
}

// errTimeout is the cause of a try that took too long.
var errTimeout = errors.New("time-out")

// classOf is what the answer means that the error carries; [format.Stop] if it carries none.
func classOf(err error) format.Class {
	if answer, ok := errors.AsType[*StatusError](err); ok {
		return answer.verdict.Class
	}
	return format.Stop
}

// tooLarge tells that the receiver may take a smaller batch.
func tooLarge(err error) bool { return classOf(err) == format.Split }

// unreadable tells that the receiver may take the batch without one of its records.
func unreadable(err error) bool { return classOf(err) == format.Narrow }

// isUnexpected tells whether it is a success by its status that does not count.
func isUnexpected(err error) bool { return classOf(err) == format.Unexpected }
