package authorize_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
)

// request returns a request as the sink makes it.
func request(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://siem.example/in", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Idempotency-Key", batchID)
	r.Header.Set("Content-Type", "application/x-ndjson")
	return r
}

// authorized returns a request with the proof.
func authorized(t *testing.T, a authorize.Authorizer) *http.Request {
	t.Helper()
	r := request(t)
	if err := a.Authorize(t.Context(), r, plain(line)); err != nil {
		t.Fatal(err)
	}
	return r
}

func plain(text string) authorize.Body {
	return func() (io.Reader, error) { return strings.NewReader(text), nil }
}

func TestCredential(t *testing.T) {
	t.Parallel()
	source := &file{content: "one"}
	a := authorize.Credential("DD-API-KEY", source.read, zap.NewNop())
	r := authorized(t, a)
	if got := r.Header.Get("Dd-Api-Key"); got != "one" {
		t.Errorf("sent %q", got)
	}
	for status, want := range map[int]bool{400: false, 401: false, 403: false} {
		if again, _ := a.Refused(r, status); again != want {
			t.Errorf("the same secret, status %d: again is %t", status, again)
		}
	}
	source.content = "two"
	for _, test := range []struct {
		status int
		again  bool
	}{{400, false}, {500, false}, {authorize.CertificateRefused, false}, {401, true}, {403, true}} {
		if again, _ := a.Refused(r, test.status); again != test.again {
			t.Errorf("status %d with another secret: again is %t", test.status, again)
		}
	}
	if got := authorized(t, a).Header.Get("Dd-Api-Key"); got != "two" {
		t.Errorf("sent %q after a refusal", got)
	}
	if secrets := a.Secrets(r); !slices.Contains(secrets, "one") {
		t.Errorf("the secret of the request is not hidden: %v", secrets)
	}
}

func TestCredentialThatIsEmpty(t *testing.T) {
	t.Parallel()
	r := authorized(t, authorize.Credential("Authorization", func() (string, error) { return "", nil }, zap.NewNop()))
	if _, there := r.Header["Authorization"]; there {
		t.Error("an empty credential makes a header")
	}
}

func TestSecretsOfBasic(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte("me:password"))
	a := authorize.Credential("Authorization", func() (string, error) { return "Basic " + encoded, nil }, zap.NewNop())
	secrets := a.Secrets(authorized(t, a))
	for _, want := range []string{"Basic " + encoded, encoded, "me:password", "password"} {
		if !slices.Contains(secrets, want) {
			t.Errorf("%q is not hidden", want)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	now := http.Header{"x-key": {"one", "more"}, "Content-Type": {"application/json"}}
	a := authorize.Headers(func() (http.Header, error) { return now, nil }, zap.NewNop())
	r := authorized(t, a)
	if got := r.Header["X-Key"]; !slices.Equal(got, []string{"one", "more"}) || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("sent %v", r.Header)
	}
	if again, _ := a.Refused(r, 401); again {
		t.Error("the same headers are tried again")
	}
	now = http.Header{"X-Other": {"two"}}
	if again, _ := a.Refused(r, 500); again {
		t.Error("500 speaks of no secret")
	}
	if again, _ := a.Refused(r, 401); !again {
		t.Error("other headers are not tried")
	}
	secrets := a.Secrets(r)
	for _, want := range []string{"one", "more", "two"} {
		if !slices.Contains(secrets, want) {
			t.Errorf("%q is not hidden", want)
		}
	}
}
