package authorize_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
)

// This is the test vector. Python's standardwebhooks 1.1.0, the Go library of Standard Webhooks and openssl agree on it.
const (
	newSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	oldSecret = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
	batchID   = "7ab134766d8b2d1ad907315a1bd4b835"
	signedAt  = 1768480560
	signed    = "v1,SUIkX8+83F/8b36bPmq5soSNQNnKD1PgrF1SYyDftNE= v1,jRAn2B070Fgqqmg+mgLzURjryBHzQa6Ifr98V4xfgEM="
	line      = `{"event_id":"acme/123/1768480496123456","tenant":"acme","id":123,"created_at":"2026-01-15T12:34:56.123456Z",` +
		`"actor_id":"","actor_name":"","actor_email":"","action":"LoginAttempt","fields":{"auth_type":"secret","username":"admin"},` +
		`"request_id":"4c1f0b1e-0b6c-4a4f-9a47-2f0d8a1b7c3d","source_ip_address":"203.0.113.9, 10.0.0.5,10.0.0.7",` +
		`"status":"intent","commit_id":"9a47c3d0-0000-4000-8000-000000000001"}` + "\n"
)

func signature(source *file) authorize.Authorizer {
	return authorize.Signature(source.read, zap.NewNop())
}

func TestSignature(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := signature(&file{content: newSecret + " " + oldSecret})
		time.Sleep(time.Until(time.Unix(signedAt, 0)))
		first := authorized(t, a)
		if id, at, got := first.Header.Get("Webhook-Id"), first.Header.Get("Webhook-Timestamp"), first.Header.Get("Webhook-Signature"); id != batchID || at != "1768480560" || got != signed {
			t.Errorf("%s %s %s", id, at, got)
		}
		time.Sleep(10 * time.Minute)
		later := authorized(t, a)
		if later.Header.Get("Webhook-Timestamp") != "1768481160" || later.Header.Get("Webhook-Id") != batchID ||
			later.Header.Get("Webhook-Signature") == signed {
			t.Errorf("an attempt 10 minutes later has %v", later.Header)
		}
	})
}

// The receiver refused an earlier attempt: it has the new secret already, and so does the file of the secrets.
func TestSignatureAfterARefusal(t *testing.T) {
	t.Parallel()
	source := &file{content: oldSecret}
	a := signature(source)
	r := authorized(t, a)
	if again, _ := a.Refused(r, 401); again {
		t.Error("the same secret is tried again")
	}
	source.content = newSecret + " " + oldSecret
	if again, _ := a.Refused(r, 401); !again || strings.Count(authorized(t, a).Header.Get("Webhook-Signature"), "v1,") != 2 {
		t.Error("the new secret does not sign")
	}
	if secrets := a.Secrets(r); !slices.Contains(secrets, newSecret) || !slices.Contains(secrets, oldSecret) {
		t.Error("a secret is not hidden")
	}
}

func TestParseSigningSecrets(t *testing.T) {
	t.Parallel()
	of := func(n int) string {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("S", n)))
	}
	for text, want := range map[string]int{
		"": 0, newSecret: 1, newSecret + " " + oldSecret: 2, newSecret + ", " + oldSecret: 2, of(24): 1, of(64): 1,
		of(23): -1, of(65): -1, strings.TrimPrefix(newSecret, "whsec_"): -1, "whsec_SECRET!": -1,
		of(30) + " " + of(31) + " " + of(32): -1, "whsk_" + strings.TrimPrefix(newSecret, "whsec_"): -1,
	} {
		keys, err := authorize.ParseSigningSecrets(text)
		if (err != nil) != (want < 0) || err == nil && len(keys) != want {
			t.Errorf("%q: %d secrets, %v", text, len(keys), err)
		}
		if err != nil && (strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "U1NTU1")) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

// python is a Python with standardwebhooks: bash .ci/clients installs it.
var python = flag.String("python", "", "Python with standardwebhooks")

// A library of Standard Webhooks verifies a post with each of the two secrets.
func TestClientOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	if *python == "" {
		t.Skip("no Python with the library is named: bash .ci/clients runs this")
	}
	r := authorized(t, signature(&file{content: newSecret + " " + oldSecret}))
	header := map[string]string{}
	for name := range r.Header {
		header[name] = r.Header.Get(name)
	}
	for name, test := range map[string]struct {
		secret, body string
		verifies     bool
	}{
		"new secret": {newSecret, line, true}, "old secret": {oldSecret, line, true}, "other body": {newSecret, line + "\n", false},
		"other secret": {"whsec_" + strings.Repeat("QUJD", 8), line, false},
	} {
		question, err := json.Marshal([]any{test.secret, test.body, header})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), *python, "-c",
			"import json, sys, standardwebhooks as s; q = json.load(sys.stdin); s.Webhook(q[0]).verify(q[1], q[2])")
		cmd.Stdin = strings.NewReader(string(question))
		out, err := cmd.CombinedOutput()
		if (err == nil) != test.verifies || err != nil && !strings.Contains(string(out), "WebhookVerificationError") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
