package authorize

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// An Authorizer proves that requests may deliver. It is safe for concurrent use.
type Authorizer interface {
	// Authorize adds the proof to a request. Each attempt is a request of its own and has a proof of its own. The request has its
	// other headers already, the Idempotency-Key among them. body is its body before compression. An error with a [*TokenError] in its
	// chain may pass by itself. Any other error is for people to mend.
	Authorize(ctx context.Context, r *http.Request, body Body) error
	// Refused tells that the receiver refused the request, with that status. The status is CertificateRefused if there is no answer,
	// since one side may have refused the other's certificate. again tells that another attempt would have another proof. why says
	// more for people, and may be "".
	Refused(r *http.Request, status int) (again bool, why string)
	// Secrets are the texts that nothing may show: those of the request, and those in use now.
	Secrets(r *http.Request) []string
}

// Body returns the body of a request before compression, from its first byte.
type Body func() (io.Reader, error)

// CertificateRefused is the status of [Authorizer.Refused] if there is no answer.
const CertificateRefused = 0

// All joins the proofs: a request has each of them.
func All(list ...Authorizer) Authorizer { return all(list) }

type all []Authorizer

func (a all) Authorize(ctx context.Context, r *http.Request, body Body) error {
	for _, one := range a {
		if err := one.Authorize(ctx, r, body); err != nil {
			return err
		}
	}
	return nil
}

// Refused asks all of them, since the receiver does not say which proof it refuses.
func (a all) Refused(r *http.Request, status int) (again bool, why string) {
	var reasons []string
	for _, one := range a {
		other, reason := one.Refused(r, status)
		again = again || other
		if reason != "" {
			reasons = append(reasons, reason)
		}
	}
	return again, strings.Join(reasons, "; ")
}

func (a all) Secrets(r *http.Request) (secrets []string) {
	for _, one := range a {
		secrets = append(secrets, one.Secrets(r)...)
	}
	return secrets
}

// A TokenError says that the token endpoint gave no token for now, and that another try may get one.
type TokenError struct {
	Wait time.Duration // for which the endpoint asks; 0 if it does not
	Err  error
}

func (e *TokenError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *TokenError) Unwrap() error { return e.Err }

// IsPassing tells whether an error of [Authorizer.Authorize] may pass by itself.
func IsPassing(err error) bool {
	_, passing := errors.AsType[*TokenError](err)
	return passing
}

// refusal tells whether a status is one with which a receiver refuses a secret. Splunk answers 403 to a token that it does not know.
func refusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}
