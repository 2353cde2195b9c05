package webhook_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/receivers"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A question is a GET with the credential of a batch. No answer shows the credential, and none has an effect on the receiver.
func TestAsk(t *testing.T) {
	t.Parallel()
	s := toHEC(t, receivers.NewHEC(receivers.HECOptions{Token: hecToken}), false)
	if found, asked, err := s.Ask(t.Context()); !asked || err != nil || found.Health != format.Well {
		t.Errorf("HEC is %+v, asked: %t, %v", found, asked, err)
	}
	tests := map[string]struct {
		format string
		answer reply
		err    error
		asked  bool
		health format.Health
	}{
		"NDJSON has no question":      {format: format.NDJSON},
		"the secret is not shown":     {format: format.SplunkHEC, answer: answer(403, `{"text":"no token s3cr3t","code":4}`), asked: true, health: format.Ill},
		"a redirect says nothing":     {format: format.Loki, answer: answer(302, "Location: /login", "ready"), asked: true},
		"no answer is a failure":      {format: format.Loki, err: errBroken, asked: true},
		"no key of Datadog elsewhere": {format: format.Datadog},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSink(t, webhook.Options{
				URL: "https://siem.example", Format: test.format, Authorization: func() (string, error) { return "s3cr3t", nil },
				Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Method != http.MethodGet || r.Header.Get("Authorization") != "s3cr3t" {
						t.Errorf("%s with %v", r.Method, r.Header)
					}
					return test.answer.response(), test.err
				}),
			})
			found, asked, err := s.Ask(t.Context())
			if asked != test.asked || (err != nil) != (test.err != nil) || found.Health != test.health || strings.Contains(found.Seen, "s3cr3t") {
				t.Errorf("found %+v, asked: %t, %v", found, asked, err)
			}
		})
	}
}

// Without a question to the receiver, the token shows whether the client is known.
func TestAskForToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAzure(receivers.SentinelOptions{}, 20*time.Minute)
		if found, asked, err := a.sink(t, 2).Ask(t.Context()); !asked || err != nil || found.Health != format.Well {
			t.Errorf("found %+v, asked: %t, %v", found, asked, err)
		}
		s := newSink(t, webhook.Options{
			URL: "https://dce.example/x", Format: format.Sentinel, Transport: receivers.Direct(a),
			OAuth: &authorize.OAuthOptions{
				TokenURL: "https://login.example/dir/oauth2/v2.0/token", Client: "client", Scope: "https://monitor.azure.com//.default",
				Secret: func() (string, error) { return "an0ther-SECRET", nil },
			},
		})
		if _, asked, err := s.Ask(t.Context()); !asked || err == nil || strings.Contains(err.Error(), "an0ther") {
			t.Errorf("asked: %t, %v", asked, err)
		}
		if n := len(a.sentinel.Rows()); n > 0 {
			t.Errorf("the questions stored %d rows", n)
		}
	})
}
