package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A StatusError is an answer that does not acknowledge the batch.
type StatusError struct {
	Status int    // of HTTP; a 2xx that does not meet the demands of the format or of the user is an error too
	Answer string // the first line of the body: printable, cut short, without our secrets; often ""

	verdict    format.Verdict
	cookies    []*http.Cookie // of a pending batch
	retryAfter time.Duration
}

// judge returns nil if the answer acknowledges its batch. Otherwise it returns a [StatusError].
func (s *Sink) judge(resp *http.Response, answer []byte, b *batch, redact *strings.Replacer, a *Attempt) error {
	v := s.verdict(resp, answer, b, redact)
	if a.Aside, b.aside = v.Aside, v.Aside; v.Aside > 0 {
		s.options.Log.Error("the receiver has put records into another place than asked, since they do not fit: they count as delivered, "+
			"and a search of the index does not find them: look into its failure store, and mend the index",
			zap.Int("records", v.Aside), zap.String("batch", b.id))
	}
	if v.Slow {
		s.slowUntil.Store(time.Now().Add(slowFor).UnixNano())
	}
	if v.Class == format.OK && len(v.Items) == 0 {
		return nil
	}
	if len(v.Items) > 0 {
		v = summed(v, b.about().Records)
	}
	return &StatusError{
		Status: resp.StatusCode, Answer: firstLine(answer, redact), verdict: v, cookies: resp.Cookies(),
		retryAfter: min(max(transport.RetryAfter(resp.Header, time.Now()), v.Wait), maxRetryAfter),
	}
}

// If a receiver refuses each record of a batch of more than alike records, the records are not at fault: a mapping, an index, a
// schema or a token makes every record look bad.
const alike = 10

// summed turns a verdict about some records into one about their batch. A class that people must mend comes first, then a class
// that may pass.
func summed(v format.Verdict, records int) format.Verdict {
	counts, first := map[format.Class]int{}, map[format.Class]string{}
	for _, item := range v.Items {
		if counts[item.Class]++; counts[item.Class] == 1 {
			first[item.Class] = item.Why
		}
	}
	if counts[format.Narrow] == records && records > alike {
		v.Class = format.Stop
		v.Why = fmt.Sprintf("and refuses each of the %d records alike, the first one since %s", records, first[format.Narrow])
		v.Advice = "this is no fault of the records: check the index, its mapping or schema, and " + setting.WebhookURL
		return v
	}
	v.Class = format.Narrow
	for _, class := range []format.Class{format.Retry, format.Stop} {
		if counts[class] > 0 {
			v.Class = class
		}
	}
	v.Why = fmt.Sprintf("and does not take %d of the %d records, the first one since %s", counts[v.Class], records, first[v.Class])
	return v
}

// verdict is the verdict of the format. The format does not get the answers that do not come from the receiver: a redirect, and the
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

// answered is the beginning of the text of a [StatusError].
const answered = "the receiver answered "

func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, answered+"%d", e.Status)
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

// Unwrap tells the back-off how long to wait.
func (e *StatusError) Unwrap() error {
	if e.retryAfter <= 0 {
		return nil
	}
	return &backoff.RetryAfterError{Duration: e.retryAfter}
}
