package authorize

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config/setting"
)

// These are the size of a secret of Standard Webhooks, in bytes, and how many secrets may be in use at a time.
const (
	minSigningSecret   = 24
	maxSigningSecret   = 64
	mostSigningSecrets = 2
	signingPrefix      = "whsec_"
)

// ParseSigningSecrets reads one or two secrets of Standard Webhooks, with a blank or a comma between them. While the user exchanges
// secrets, the new one comes first. Its errors never show a secret. "" means none.
func ParseSigningSecrets(text string) ([][]byte, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
	if len(words) > mostSigningSecrets {
		return nil, fmt.Errorf("has %d secrets; give one, or two while the receiver changes from one to the other", len(words))
	}
	var keys [][]byte
	for i, word := range words {
		encoded, found := strings.CutPrefix(word, signingPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !found || err != nil || len(key) < minSigningSecret || len(key) > maxSigningSecret {
			return nil, fmt.Errorf("secret %d is not %s and base64 of %d to %d bytes (not shown)",
				i+1, signingPrefix, minSigningSecret, maxSigningSecret)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Signature proves by the signatures of Standard Webhooks 1.0.0, one for each secret. read returns the text of the secrets. The
// signed text is the batch id, the time of the attempt, and the body before compression. The specification does not say which body
// it means. Most frameworks of receivers give the uncompressed body to the code that verifies.
func Signature(read func() (string, error), log *zap.Logger) Authorizer {
	parsed := func() ([][]byte, error) {
		text, err := read()
		var keys [][]byte
		if err == nil {
			keys, err = ParseSigningSecrets(text)
		}
		if err == nil && len(keys) == 0 {
			err = errors.New("there is no secret")
		}
		if err != nil {
			return nil, fmt.Errorf("read the value of "+setting.WebhookSigningSecrets+": %w", err)
		}
		return keys, nil
	}
	return &signature{NewFresh(setting.WebhookSigningSecrets, parsed, log)}
}

type signature struct{ keys *Fresh[[][]byte] }

// Authorize signs each attempt again: libraries refuse a time that differs from theirs by more than five minutes.
func (s *signature) Authorize(_ context.Context, r *http.Request, body Body) error {
	keys, err := s.keys.Value()
	if err != nil {
		return err
	}
	id, at := r.Header.Get("Idempotency-Key"), strconv.FormatInt(time.Now().Unix(), 10)
	macs, writers := make([]hash.Hash, len(keys)), make([]io.Writer, len(keys))
	for i, key := range keys {
		macs[i] = hmac.New(sha256.New, key)
		writers[i] = macs[i]
	}
	if err := sign(io.MultiWriter(writers...), id+"."+at+".", body); err != nil {
		return fmt.Errorf("sign the batch: %w", err)
	}
	texts := make([]string, len(keys))
	for i, mac := range macs {
		texts[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", at)
	r.Header.Set("Webhook-Signature", strings.Join(texts, " "))
	return nil
}

func sign(w io.Writer, before string, body Body) error {
	plain, err := body()
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, before)
	if err == nil {
		_, err = io.Copy(w, plain)
	}
	return err
}

func (s *signature) Refused(_ *http.Request, status int) (again bool, why string) {
	if !refusal(status) {
		return false, ""
	}
	return s.keys.Again()
}

// Secrets returns the secrets as texts and as bytes. A request never has one.
func (s *signature) Secrets(*http.Request) (secrets []string) {
	for _, key := range slices.Concat(s.keys.All()...) {
		secrets = append(secrets, signingPrefix+base64.StdEncoding.EncodeToString(key),
			base64.StdEncoding.EncodeToString(key), string(key))
	}
	return secrets
}
