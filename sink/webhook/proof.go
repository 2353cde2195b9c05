package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// proof makes the proofs that requests may deliver, and the transport of the requests. credential is the name of the header that
// has the user's credential.
func (o Options) proof(credential string) (authorize.Authorizer, http.RoundTripper, error) {
	var list []authorize.Authorizer
	carrier := o.Transport
	if carrier == nil {
		build := func(c *tls.Config) *http.Transport { return newTransport(c, o.InFlight) }
		identity := o.Identity
		if identity == nil {
			identity = func() (authorize.Identity, error) { return authorize.Identity{}, nil }
		}
		certificate, err := authorize.NewCertificate(identity, build, o.Log)
		if err != nil {
			return nil, nil, fmt.Errorf("webhook: %w", err)
		}
		carrier, list = certificate, append(list, certificate)
	}
	if o.Headers != nil {
		headers, err := o.Headers()
		if err = errors.Join(err, authorize.CheckHeaders(headers)); err != nil {
			return nil, nil, err
		}
		list = append(list, authorize.Headers(o.Headers, o.Log))
	}
	if o.Authorization != nil {
		list = append(list, authorize.Credential(credential, o.Authorization, o.Log))
	}
	if o.OAuth != nil {
		tokens := *o.OAuth
		tokens.Transport, tokens.Log = cmp.Or(tokens.Transport, carrier), o.Log
		oauth, err := authorize.NewOAuth(tokens)
		if err != nil {
			return nil, nil, fmt.Errorf("webhook: %w", err)
		}
		list = append(list, oauth)
	}
	if o.SigningSecrets != nil {
		list = append(list, authorize.Signature(o.SigningSecrets, o.Log))
	}
	return authorize.All(list...), carrier, nil
}

// authorize adds the proof to the request of an attempt.
func (s *Sink) authorize(ctx context.Context, r *http.Request, b *batch) error {
	err := s.proof.Authorize(ctx, r, func() (io.Reader, error) { return s.options.Compression.Reader(bytes.NewReader(b.wire)) })
	if noToken, ok := errors.AsType[*authorize.TokenError](err); ok {
		return &noProofError{noToken}
	}
	return err
}

// A noProofError says that there is no proof for now.
type noProofError struct{ *authorize.TokenError }

// Unwrap also tells the back-off how long to wait.
func (e *noProofError) Unwrap() []error {
	if e.Wait <= 0 {
		return []error{e.TokenError}
	}
	return []error{e.TokenError, &backoff.RetryAfterError{Duration: e.Wait}}
}

// attempt makes one POST. If the receiver refuses its proof, and Houndtrail has another one by now, attempt makes a second POST,
// and no third one. If Houndtrail crashes after the receiver's answer, the next process sends the batch again under the same id.
func (s *Sink) attempt(ctx, pauses context.Context, b *batch, number int) error {
	again, err := s.observed(ctx, b, number)
	if again && s.turn(ctx, pauses) == nil {
		s.options.Log.Info("the receiver refused the credentials, trying again with newer ones", zap.String("batch", b.id), zap.Error(err))
		_, err = s.observed(ctx, b, number)
	}
	return err
}

func (s *Sink) observed(ctx context.Context, b *batch, number int) (again bool, err error) {
	started := time.Now()
	a := Attempt{Batch: b.id, Number: number, Records: len(b.lines), Bytes: len(b.wire)}
	again, err = s.post(ctx, b, &a)
	a.Took = time.Since(started)
	if classOf(err) != format.Pending { // otherwise the receiver has taken the batch
		a.Err = err
	}
	s.options.Observe(a)
	return again, err
}

// refused asks whether there is another proof after a refusal. It adds to the error what people should know about the proof. The
// status is [authorize.CertificateRefused] if no answer came.
func (s *Sink) refused(r *http.Request, status int, err error) (again bool) {
	switch e := err.(type) { //nolint:errorlint // this package has made it a line before
	case *StatusError:
		again, why := s.proof.Refused(r, status)
		e.verdict.Advice = also(e.verdict.Advice, why)
		return again
	case *transportError:
		// A server that refuses a certificate may close the connection before its alert arrives. Then the connection looks broken.
		again, why := s.proof.Refused(r, status)
		e.text = also(e.text, why)
		return again
	default:
		return false
	}
}

func also(text, more string) string {
	if text == "" || more == "" {
		return text + more
	}
	return text + "; " + more
}
