package webhook

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// Ask asks the receiver about itself, with the credential of a batch. The question changes nothing at the receiver. With OAuth, Ask
// needs a token, so it finds a client that the token endpoint does not know. asked is false if there is nothing to ask. The error says
// that no answer came.
func (s *Sink) Ask(ctx context.Context) (found format.Finding, asked bool, err error) {
	to := s.format.Question(s.url)
	if to == nil && s.options.OAuth == nil {
		return found, false, nil
	}
	if err := s.turn(ctx, ctx); err != nil {
		return found, true, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address.String(), http.NoBody)
	if err != nil {
		return found, true, &transportError{text: "the address cannot be asked"} // the error would show the address
	}
	r.Header.Set("User-Agent", s.header.Get("User-Agent"))
	if err := s.proof.Authorize(ctx, r, func() (io.Reader, error) { return strings.NewReader(""), nil }); err != nil {
		return found, true, err
	}
	if to == nil {
		return format.Finding{Health: format.Well, Seen: "the token endpoint gives a token"}, true, nil
	}
	r.URL, r.Host = to, to.Host
	redact := s.redactor(r)
	resp, err := s.transport.RoundTrip(r)
	if err != nil {
		return found, true, newTransportError(err, redact)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, shortAnswer))
	if err != nil {
		return found, true, newTransportError(err, redact)
	}
	if resp.StatusCode/100 == 3 {
		return format.Finding{Seen: "it answers with a redirect"}, true, nil
	}
	return s.format.Examined(format.Answer{
		Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: body,
		Quote: func(text string) string { return show(text, redact) },
	}), true, nil
}
