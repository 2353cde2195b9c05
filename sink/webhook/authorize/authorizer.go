package authorize

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// An Authorizer proves to a receiver that requests may deliver. It is safe for concurrent use.
type Authorizer interface {
	// Authorize adds the proof to a request. Each attempt is another request, and has another proof. The request already has its other
	// headers, also the Idempotency-Key. body gives the body of the request before compression. If an error has a [*TokenError] in its
	// chain, it may pass by itself. People have to mend any other error.
	Authorize(ctx context.Context, r *http.Request, body Body) error
	// Refused says that the receiver refused the request with this status. If there is no answer, the status is CertificateRefused,
	// since one side may have refused the other's certificate. The result again tells whether another attempt would have another
	// proof. The result why says more for people, and may be "".
	Refused(r *http.Request, status int) (again bool, why string)
	// Secrets returns the texts that Houndtrail must never show: the secrets of the request, and those in use now.
	Secrets(r *http.Request) []string
}

// Body returns the body of a request before compression, from its first byte.
type Body func() (io.Reader, error)

// CertificateRefused is the status for [Authorizer.Refused] if there is no answer.
const CertificateRefused = 0

// All joins the proofs: a request gets all of them.
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

// Refused asks all proofs, since the receiver does not say which one it refuses.
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

// A TokenError says that the token endpoint gave no token for now. Another try may get one.
type TokenError struct {
	Wait time.Duration // the pause that the endpoint asks for; 0 if it asks for none
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

// refusal tells whether a receiver refuses a secret with this status. Splunk answers 403 to a token that it does not know.
func refusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}
