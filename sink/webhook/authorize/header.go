package authorize

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/sink/webhook/header"
)

// Credential proves by one header with a secret, such as Authorization. read returns the value of the header. If it returns "", the
// request has no such header.
func Credential(name string, read func() (string, error), log *zap.Logger) Authorizer {
	checked := func() (string, error) {
		value, err := read()
		if err != nil {
			return "", fmt.Errorf("read the value of "+setting.WebhookAuthorization+": %w", err)
		}
		if !header.ValidValue(value) {
			return "", errors.New("the value of " + setting.WebhookAuthorization + " holds a line break or control character: " +
				"it must be one line, such as: Bearer <token>")
		}
		return value, nil
	}
	return &credential{name: name, value: NewFresh(setting.WebhookAuthorization, checked, log)}
}

type credential struct {
	name  string
	value *Fresh[string]
}

func (c *credential) Authorize(_ context.Context, r *http.Request, _ Body) error {
	value, err := c.value.Value()
	if err == nil && value != "" {
		r.Header.Set(c.name, value)
	}
	return err
}

// Refused reads the file: the request may be older than the file's content.
func (c *credential) Refused(r *http.Request, status int) (again bool, why string) {
	if !refusal(status) {
		return false, ""
	}
	_, why = c.value.Again()
	value, err := c.value.Value()
	return err == nil && value != r.Header.Get(c.name), why
}

func (c *credential) Secrets(r *http.Request) []string { return headerSecrets(r.Header.Get(c.name)) }

// headerSecrets returns the value of a header, and the credential after its scheme. If the credential is of the scheme Basic, it
// also returns the decoded text and the password.
func headerSecrets(value string) []string {
	scheme, secret, _ := strings.Cut(value, " ")
	secret = strings.TrimSpace(secret)
	secrets := []string{value, secret}
	if !strings.EqualFold(scheme, "basic") {
		return secrets
	}
	if plain, err := base64.StdEncoding.DecodeString(secret); err == nil {
		_, password, _ := strings.Cut(string(plain), ":")
		secrets = append(secrets, string(plain), password)
	}
	return secrets
}

// Headers proves by additional headers. They may replace headers that a request already has. read returns them.
func Headers(read func() (http.Header, error), log *zap.Logger) Authorizer {
	checked := func() (http.Header, error) {
		headers, err := read()
		if err != nil {
			return nil, fmt.Errorf("read the value of "+setting.WebhookHeaders+": %w", err)
		}
		return headers, CheckHeaders(headers)
	}
	return &headers{NewFresh(setting.WebhookHeaders, checked, log)}
}

// CheckHeaders returns an error for bad headers. Without it, net/http would refuse them only at each attempt, and that looks like a
// broken connection.
func CheckHeaders(headers http.Header) error {
	var problems []error
	for name, values := range headers {
		for _, value := range values {
			if err := header.Check(name, value); err != nil {
				problems = append(problems, fmt.Errorf("webhook: one of "+setting.WebhookHeaders+" %w", err))
			}
		}
	}
	return errors.Join(problems...)
}

type headers struct{ value *Fresh[http.Header] }

func (h *headers) Authorize(_ context.Context, r *http.Request, _ Body) error {
	value, err := h.value.Value()
	for name, values := range value {
		r.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	return err
}

func (h *headers) Refused(r *http.Request, status int) (again bool, why string) {
	if !refusal(status) {
		return false, ""
	}
	again, why = h.value.Again()
	value, _ := h.value.Value() // without a value there would be no request
	for name, values := range value {
		again = again || !slices.Equal(values, r.Header[http.CanonicalHeaderKey(name)])
	}
	return again, why
}

func (h *headers) Secrets(*http.Request) (secrets []string) {
	for _, value := range h.value.All() {
		for _, values := range value {
			secrets = append(secrets, values...)
		}
	}
	return secrets
}
