package rest

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
)

// An Authenticator puts credentials on requests. [Token], [Bearer] and [Login] make one; it is safe for concurrent use.
//
// Secrets come through functions. The client calls these functions for every use, since a file with a secret may change.
type Authenticator interface {
	// authorize sets the headers of a request with that body. It may ask the server for a session first.
	authorize(ctx context.Context, c *Client, r *http.Request, body []byte) error
	// refused is called after the server answered 401 to r. It returns whether another try would have other credentials.
	refused(r *http.Request) bool
	// explain says what to do about the server's 400, 401 or 403 to r. It returns "" if it has no special advice.
	explain(e *Error, r *http.Request) string
}

const bearerScheme = "Bearer"

// Bearer authenticates with a JWT that the user obtained elsewhere. A session ends after some hours, and nothing can renew it:
// a scheduled run needs Token or Login.
func Bearer(jwt func() (string, error)) Authenticator { return bearer{jwt} }

type bearer struct {
	jwt func() (string, error)
}

func (b bearer) authorize(_ context.Context, _ *Client, r *http.Request, _ []byte) error {
	jwt, err := secret("the JWT", b.jwt)
	if err != nil {
		return err
	}
	setBearer(r, jwt)
	return nil
}

// refused looks whether the file with the JWT has changed in the meantime.
func (b bearer) refused(r *http.Request) bool {
	jwt, err := secret("the JWT", b.jwt)
	return err == nil && jwt != bearerOf(r)
}

func (b bearer) explain(e *Error, r *http.Request) string {
	if e.Kind != Unauthorized {
		return ""
	}
	const next = "set a new " + setting.BloodHoundJWT + ", or better use an API token, which does not expire by itself"
	if _, expires, ok := Life(bearerOf(r)); ok && !expires.After(cmp.Or(e.Date, time.Now())) {
		return fmt.Sprintf("the JWT expired at %s: %s", expires.Format(time.RFC3339), next)
	}
	return "the JWT is not valid, or its session was ended: " + next
}

func setBearer(r *http.Request, jwt string) { r.Header.Set("Authorization", bearerScheme+" "+jwt) }

func bearerOf(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), bearerScheme+" ")
}

// Life reads when a JWT was issued and when it expires, both by the server's clock. Only the server checks the signature. If
// the token has no issue time, issued is zero; ok is false if the text tells no expiry.
func Life(jwt string) (issued, expires time.Time, ok bool) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return issued, expires, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return issued, expires, false
	}
	var claims struct {
		IssuedAt float64 `json:"iat"` // seconds since the epoch; RFC 7519 allows fractions
		Expires  float64 `json:"exp"`
	}
	const year9999 = 253_402_300_799 // the last second that time.Time can print as RFC 3339
	if json.Unmarshal(payload, &claims) != nil || claims.Expires <= 0 || claims.Expires > year9999 {
		return issued, expires, false
	}
	if claims.IssuedAt > 0 && claims.IssuedAt < claims.Expires {
		issued = time.Unix(int64(claims.IssuedAt), 0).UTC()
	}
	return issued, time.Unix(int64(claims.Expires), 0).UTC(), true
}

var (
	errEmptySecret = errors.New("it is empty")
	errOddSecret   = errors.New("it holds a character that is not printable ASCII, such as a line break")
)

// secret reads a credential for a header or a signature. The error names it and never quotes it.
func secret(name string, read func() (string, error)) (string, error) {
	value, err := read()
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return "", fmt.Errorf("read %s: %w", name, errEmptySecret)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("read %s: %w", name, errOddSecret)
	}
	return value, nil
}
