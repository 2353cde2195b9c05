package authorize

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/quote"
	"github.com/houndtrail/houndtrail/exporter/transport"
)

// mostShown is how many characters of an endpoint's answer an error shows.
const mostShown = 200

// longestLife limits the life of a token. Without it, a very large number of seconds would overflow a duration.
const longestLife = 365 * 24 * time.Hour

// longestWait is the longest pause that Houndtrail keeps for a token endpoint.
const longestWait = 24 * time.Hour

// question asks the endpoint for a token. If the endpoint refuses the client's secret, and the file of the secret has another one
// by now, it asks once more.
func (o *OAuth) question(ctx context.Context) (token, error) {
	secret, err := o.secret.Value()
	if err != nil {
		return token{}, fmt.Errorf("read the value of "+setting.WebhookOAuthClientSecret+": %w", err)
	}
	t, status, err := o.post(ctx, secret)
	if err == nil || status != http.StatusBadRequest && !refusal(status) {
		return t, err
	}
	changed, why := o.secret.Again()
	switch {
	case changed:
		if secret, err = o.secret.Value(); err == nil {
			t, _, err = o.post(ctx, secret)
		}
		return t, err
	case why != "":
		return t, fmt.Errorf("%w; %s", err, why)
	default:
		return t, err
	}
}

// post asks once. status is 0 if no answer came.
func (o *OAuth) post(ctx context.Context, secret string) (t token, status int, err error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {o.options.Client}, "client_secret": {secret}}
	if o.options.Scope != "" {
		form.Set("scope", o.options.Scope)
	}
	r := &http.Request{
		Method: http.MethodPost, URL: o.url, Host: o.url.Host,
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}},
	}
	text := form.Encode()
	r.ContentLength = int64(len(text))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	r.Body, _ = r.GetBody() // it never fails
	redact := quote.Redactor(secret)
	asked := time.Now()
	resp, err := o.options.Transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return t, 0, o.noAnswer(err, redact)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostTokenAnswer))
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode == http.StatusOK && err != nil {
		return t, 0, o.noAnswer(err, redact)
	}
	if resp.StatusCode != http.StatusOK {
		return t, resp.StatusCode, o.refused(resp, body, redact)
	}
	t, err = o.read(body, asked)
	return t, resp.StatusCode, err
}

// noAnswer explains a question without an answer. The reason may quote the question, so the error does not have it in its chain.
func (o *OAuth) noAnswer(err error, redact *strings.Replacer) error {
	text := "no answer from the token endpoint " + o.url.Host + ": " + quote.Foreign(err.Error(), redact, mostShown)
	if transport.IsCertificate(err) {
		return errors.New(text + "; " + transport.CertificateAdvice(setting.WebhookCAFile))
	}
	return &TokenError{Err: errors.New(text)}
}

// A tokenAnswer is an answer of a token endpoint (RFC 6749, 5). Some endpoints write the life of a token as a text.
type tokenAnswer struct {
	Token   string      `json:"access_token"`
	Type    string      `json:"token_type"`
	Expires json.Number `json:"expires_in"`

	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// read reads a success. The life of a token begins at the question.
func (o *OAuth) read(body []byte, asked time.Time) (token, error) {
	const advice = ": check that " + setting.WebhookOAuthTokenURL + " is a token endpoint"
	var a tokenAnswer
	if json.Unmarshal(body, &a) != nil || a.Token == "" || strings.ContainsFunc(a.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return token{}, errors.New("the token endpoint " + o.url.Host + " answered 200 OK without an access_token" + advice)
	}
	if !strings.EqualFold(a.Type, "Bearer") {
		return token{}, errors.New("the token endpoint " + o.url.Host + " gave a token that is no bearer token" + advice)
	}
	seconds, err := a.Expires.Float64()
	if a.Expires == "" { // RFC 6749 allows this: only the receiver knows when the token ends
		seconds, err = time.Hour.Seconds(), nil
	}
	life := time.Duration(min(seconds, longestLife.Seconds()) * float64(time.Second))
	end := asked.Add(life)
	if err != nil || !end.After(time.Now()) {
		return token{}, &TokenError{Err: fmt.Errorf("the token endpoint %s gave a token that has ended already: its life is %s",
			o.url.Host, cmp.Or(quote.Clip(a.Expires.String(), 20), "no number"))}
	}
	return token{text: a.Token, renew: asked.Add(time.Duration(float64(life) * renewAt)), end: end}, nil
}

// refused explains an answer that is no success.
func (o *OAuth) refused(resp *http.Response, body []byte, redact *strings.Replacer) error {
	var a tokenAnswer
	_ = json.Unmarshal(bytes.TrimSpace(body), &a) // a body of another form says nothing
	text := fmt.Sprintf("the token endpoint %s answered %d %s", o.url.Host, resp.StatusCode, http.StatusText(resp.StatusCode))
	if said := quote.Foreign(a.Error+" "+a.Description, redact, mostShown); said != "" {
		text += fmt.Sprintf(", %q", said)
	}
	switch status := resp.StatusCode; {
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return &TokenError{Wait: min(transport.RetryAfter(resp.Header, time.Now()), longestWait), Err: errors.New(text)}
	case status/100 == 3, status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return errors.New(text + ": check " + setting.WebhookOAuthTokenURL)
	default:
		return errors.New(text + ": check " + setting.WebhookOAuthClientID + ", " + setting.WebhookOAuthClientSecret + " and " +
			setting.WebhookOAuthScope + "; a client secret also ends by itself, so look at its date")
	}
}
