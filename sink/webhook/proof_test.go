package webhook_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/receivers"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A receiver demands a client certificate. The certificate's files are first half written, and then right. The delivery goes on
// without a restart. If the receiver refuses the certificate, the error names the settings and the fault of the files.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	authority := receivers.NewAuthority(t)
	h := receivers.NewHEC(receivers.HECOptions{Token: hecToken})
	address, trusted := authority.Guard(t, h)
	wrong, wrongKey := receivers.NewAuthority(t).Client(t, "stranger", time.Time{})
	right, rightKey := authority.Client(t, "houndtrail", time.Time{})
	now := authorize.Identity{Certificate: wrong, Key: wrongKey, Authorities: trusted}
	var unreadable error
	s := newSink(t, webhook.Options{
		URL: address, Format: format.SplunkHEC, RetryFor: time.Nanosecond,
		Identity:      func() (authorize.Identity, error) { return now, unreadable },
		Authorization: func() (string, error) { return "Splunk " + hecToken, nil },
	})
	rs := records(t, 10)
	deliver := func() error {
		_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		return err
	}
	if err := deliver(); err == nil || h.Posts() > 0 {
		t.Fatalf("a stranger gets in: %v", err)
	}
	now.Certificate = right // its key is not there yet
	if err := deliver(); err == nil || strings.Contains(err.Error(), "PRIVATE KEY") {
		t.Errorf("%v", err)
	}
	now.Key = rightKey
	if err := deliver(); err != nil {
		t.Fatal(err)
	}
	unreadable = errors.New("no such file")
	if err := deliver(); err != nil {
		t.Errorf("a file that went away breaks what worked: %v", err)
	}
	arrived(t, rs, hecIDs(h), len(rs))
}

// The receiver repeats every header of the request. The token endpoint repeats the client's secret.
func TestSecretsOfProofsStayOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, log := observer.New(zap.DebugLevel)
		for name, status := range map[string]int{"refused": 401, "bad": 400, "down": 503} {
			for _, endpoint := range []int{200, 400, 503} {
				answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Host == "login.example" {
						_ = r.ParseForm()
						w.WriteHeader(endpoint)
						_, _ = fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"SECRET-token","error_description":%q}`,
							r.PostForm.Get("client_secret")+url.QueryEscape(r.PostForm.Get("client_secret")))
						return
					}
					w.WriteHeader(status)
					_, _ = fmt.Fprint(w, "you sent ", r.Header, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
				})
				s := newSink(t, webhook.Options{
					RetryFor: time.Second, Transport: receivers.Direct(answers), Log: zap.New(core), Compression: ndjson.None,
					Headers: headers(http.Header{"X-Key": {"SECRET-header"}}),
					OAuth: &authorize.OAuthOptions{
						TokenURL: "https://login.example/token", Client: "c", Secret: func() (string, error) { return "SECRET&client/ 1", nil },
					},
					SigningSecrets: func() (string, error) { return "whsec_U0VDUkVUU0VDUkVUU0VDUkVUU0VDUkVU", nil },
				})
				rs := records(t, 1)
				_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
				if err == nil {
					t.Fatal("no error")
				}
				told := err.Error()
				for _, entry := range log.TakeAll() {
					told += fmt.Sprint(entry.Message, entry.ContextMap())
				}
				told = strings.ReplaceAll(told, "_CLIENT_SECRET", "")
				for _, secret := range []string{"SECRET", "U0VDUkVU", "client/", "client%2F"} {
					if strings.Contains(told, secret) {
						t.Errorf("%s, endpoint %d: %q is in %s", name, endpoint, secret, told)
					}
				}
			}
		}
	})
}

// The signature is over the body before compression. Each attempt has another signature.
func TestEachAttemptIsSigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, compression := range []ndjson.Compression{ndjson.Gzip, ndjson.Zstd, ndjson.None} {
			const secrets = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
			rc := &receiver{answer: script(503, 200)}
			_, err := write(t.Context(), t, rc, webhook.Options{
				Compression: compression, SigningSecrets: func() (string, error) { return secrets, nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			again := authorize.Signature(func() (string, error) { return secrets, nil }, zap.NewNop())
			for i, p := range rc.posts {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://siem.example", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Idempotency-Key", p.header.Get("Idempotency-Key"))
				if p.header.Get("Webhook-Timestamp") != fmt.Sprint(p.at.Unix()) || p.header.Get("Webhook-Id") != p.header.Get("Idempotency-Key") {
					t.Errorf("%s: post %d at %d has %v", compression, i, p.at.Unix(), p.header)
				}
				if err := again.Authorize(t.Context(), r, func() (io.Reader, error) { return bytes.NewReader(p.body), nil }); err != nil {
					t.Fatal(err)
				}
				if i == len(rc.posts)-1 && r.Header.Get("Webhook-Signature") != p.header.Get("Webhook-Signature") {
					t.Errorf("%s: another body is signed", compression)
				}
			}
		}
	})
}
