package header_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/sink/webhook/header"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, value, says string }{
		{"X-Key", "abc", ""},
		{"dd-api-key", "a, b; c=\"d\" é", ""},
		{"Content-Type", "application/json", ""},
		{"User-Agent", "siem/1", ""},
		{"X-Empty", "", ""},
		{"authorization", "SECRET", "sets Authorization: put its value into HOUNDTRAIL_WEBHOOK_AUTHORIZATION"},
		{"connection", "close", "sets Connection"},
		{"content-encoding", "gzip", "sets Content-Encoding"},
		{"CONTENT-LENGTH", "1", "sets Content-Length"},
		{"host", "other.example", "sets Host, which Houndtrail itself sets"},
		{"idempotency-key", "SECRET", "sets Idempotency-Key, which Houndtrail itself sets"},
		{"Transfer-Encoding", "chunked", "sets Transfer-Encoding"},
		{"", "SECRET", "has a name"},
		{"X SECRET", "a", "has a name"},
		{"X-SECRET\n", "a", "has a name"},
		{"SÉCRET", "a", "has a name"},
		{"X-Key", "SECRET\r\nX: y", "has a line break"},
		{"X-Key", "SECRET\tb", "has a line break or another control character"},
		{"X-Key", "SECRET\x7f", "has a line break or another control character"},
	} {
		err := header.Check(test.name, test.value)
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%q: %q is refused: %v", test.name, test.value, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%q: %q gives %v, want %q", test.name, test.value, err, test.says)
		case err != nil && strings.Contains(err.Error(), "SECRET"):
			t.Errorf("error %q tells the secret", err)
		}
	}
}

// TestGoodHeadersAreSent: net/http sends what the check allows.
func TestGoodHeadersAreSent(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringMatching("[!-~\u00e9 ]{1,8}").Draw(rt, "name")
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,10}`)).Draw(rt, "value")
		if header.Check(name, value) != nil {
			return
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, http.NoBody)
		if err != nil {
			rt.Fatal(err)
		}
		r.Header[http.CanonicalHeaderKey(name)] = []string{value}
		resp, err := srv.Client().Do(r)
		if err != nil {
			rt.Fatalf("%q: %q is allowed and not sent: %v", name, value, err)
		}
		_ = resp.Body.Close()
	})
}
