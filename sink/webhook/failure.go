package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A PostponedError says that a receiver asks for a pause that is longer than the patience for one batch.
type PostponedError struct {
	Until time.Time // by this machine's clock
	Err   error     // the answer; nil if an earlier run got it
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

// A transportError says why no complete answer came. errors.Is finds its cause, but Unwrap does not return it: the cause may quote
// our request.
type transportError struct {
	text  string
	cause error
	final bool // another try would fail in the same way
}

func (e *transportError) Error() string        { return e.text }
func (e *transportError) Is(target error) bool { return errors.Is(e.cause, target) }

// newTransportError explains a failure that came before an answer.
func newTransportError(err error, redact *strings.Replacer) *transportError {
	e := &transportError{text: "no answer: " + show(err.Error(), redact), cause: err}
	proxy, refused := errors.AsType[*transport.ProxyError](err)
	switch {
	case transport.IsCertificate(err):
		e.final = true
		e.text += "; " + transport.CertificateAdvice(setting.WebhookCAFile)
	case transport.IsCertificateRefused(err):
		e.final = true
		e.text += "; the receiver wants a client certificate that it accepts: name its PEM files in " + setting.WebhookClientCertFile +
			" and " + setting.WebhookClientKeyFile
	case refused:
		e.text, e.final = "no answer: "+proxy.Error(), proxy.Final()
	case errors.Is(err, http.ErrSchemeMismatch):
		e.final = true
		e.text += "; the receiver does not speak TLS at this address: is it http:// or another port in " + setting.WebhookURL + "?"
	}
	return e
}

// fewTries is for failures that seldom pass by themselves: the reader must not wait minutes for the message.
const fewTries = 3

// retryable tells whether a failure may pass. unexpected is how many unexpected answers the batch has had. An answer, an error of
// the transport and a token that the endpoint does not give for now may pass. If the failure is another one, such as an unreadable
// secret, people have to mend it.
func retryable(err error, unexpected int) bool {
	switch classOf(err) {
	case format.Retry:
		return true
	case format.Unexpected:
		return unexpected < fewTries
	default:
	}
	broken, ok := errors.AsType[*transportError](err)
	return ok && !broken.final || authorize.IsPassing(err)
}

// reason names a failure in one word, for metrics.
func reason(err error) string {
	answer, ok := errors.AsType[*StatusError](err)
	switch {
	case isUnexpected(err):
		return "unexpected"
	case ok:
		return strconv.Itoa(answer.Status)
	case authorize.IsPassing(err):
		return "token"
	case errors.Is(err, errTimeout):
		return "timeout"
	default:
		return "transport"
	}
}

// errTimeout is the cause if a try took too long.
var errTimeout = errors.New("time-out")

// classOf is the class of the answer in the error. If the error has no answer, it is [format.Stop].
func classOf(err error) format.Class {
	if answer, ok := errors.AsType[*StatusError](err); ok {
		return answer.verdict.Class
	}
	return format.Stop
}

// tooLarge tells whether the receiver may take a smaller batch.
func tooLarge(err error) bool { return classOf(err) == format.Split }

// unreadable tells whether the receiver may take the batch without one of its records.
func unreadable(err error) bool { return classOf(err) == format.Narrow }

// OfRecord tells whether a receiver refuses one record alone, for its content or its size.
func OfRecord(err error) bool { return tooLarge(err) || unreadable(err) }

// isUnexpected tells whether the answer is a success by its status only: it does not acknowledge the batch.
func isUnexpected(err error) bool { return classOf(err) == format.Unexpected }

// stale returns an error if the window has records that are too old: the receiver does not take them any more, or gives them
// another time. Houndtrail sends nothing of such a window: a receiver that drops the records says that it has them.
func (s *Sink) stale(m *preparedWindow) error {
	if s.limits.Age == 0 || s.options.AllowStale || len(m.lines) == 0 {
		return nil
	}
	oldest := slices.MinFunc(m.lines, func(a, b line) int { return a.CreatedAt.Compare(b.CreatedAt) })
	age := time.Since(oldest.CreatedAt)
	if age < s.limits.Age {
		return nil
	}
	return fmt.Errorf("post to webhook %s: window from %s: event %s is %s old, and nothing of the window was sent: %s, set "+
		setting.WebhookAllowStale+"=true", s, m.window.Start.Format(time.RFC3339Nano), s.eventID(oldest), age.Round(time.Minute),
		s.limits.Stale)
}
