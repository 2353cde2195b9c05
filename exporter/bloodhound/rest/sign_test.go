package rest

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// The worked examples of the API contract, computed with Python and OpenSSL.
func TestSignature(t *testing.T) {
	const utc = "2026-01-15T12:34:56Z"
	for _, test := range []struct{ method, target, date, body, want string }{
		{"GET", "/api/v2/audit", utc, "", "1B59jryLvsAGphMNGa2CeLEqLN6koNHLnTudjQTFYl4="},
		{"GET", "/api/v2/audit?limit=1000&skip=0&sort_by=id", utc, "", "t5wnMoDuPh1X3scapkRuSNDlx90o4+Pf3gX467ZjfNA="},
		{
			"GET", "/api/v2/audit?after=2026-01-15T00%3A00%3A00Z&before=2026-01-15T12%3A00%3A00Z&limit=1000", utc, "",
			"F5MRAKbGVeCsb7Et+fjp53YOn5cHijlAMrgqYfULAWk=",
		},
		{"GET", "/api/v2/audit", "2026-01-15T14:34:56.123456+02:00", "", "MVtxXpLhvTg7TqKZ3btIVgz16OUF9PWtBjQu4uIVqSc="},
		{
			"POST", "/api/v2/clear-database", utc, `{"deleteCollectedGraphData":true}`,
			"zwN0gx+z6eCnI28E4TlMcWiCUKckt+EFCmSJbSP0d44=",
		},
	} {
		if got := signature(resttest.Key, test.method, test.target, test.date, []byte(test.body)); got != test.want {
			t.Errorf("%s %s at %s: %s, want %s", test.method, test.target, test.date, got, test.want)
		}
	}
}

// The steps between, so that a wrong signature says which one broke.
func TestSignatureSteps(t *testing.T) {
	for target, want := range map[string][2]string{
		"/api/v2/audit": {
			"05f62e759e7e16b047de24b9cbae435b44dd3acc5eb663da9b17aa60f5a92847",
			"d847c0ead1e29963e25e04566456098e3aea4fd761e1847415865b6585cf6c0f",
		},
		"/api/v2/audit?limit=1000&skip=0&sort_by=id": {
			"911ad8011dc898c910ddfc7fb8ad695f1929955b48c286d488b7565c8edce51f",
			"8ffec9bcda1675dec6332d626c5ab2655671b4f3a556a62547af0173d57b7057",
		},
		"/api/v2/audit?after=2026-01-15T00%3A00%3A00Z&before=2026-01-15T12%3A00%3A00Z&limit=1000": {
			"30c595e3f33151672f6a18d141a7cab3bd1e8b18da9398b329488c7da6dbec92",
			"565fdafdf43d94e8c47625457901b4ec84bc41671f1c2e1180f75cbb755d5d7b",
		},
	} {
		k1 := mac([]byte(resttest.Key), []byte("GET"+target))
		k2 := mac(k1, []byte("2026-01-15T12"))
		if got := [2]string{hex.EncodeToString(k1), hex.EncodeToString(k2)}; got != want {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
	}
}

// One whole request, headers and all, at the instant of the worked example.
func TestTokenSignsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Date(2026, 1, 15, 12, 34, 56, 987654321, time.UTC)
		time.Sleep(time.Until(at)) // a bubble's clock starts in the year 2000
		var seen http.Header
		c := newClient(t, Options{Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
			seen = r.Header
			return resttest.Respond(200, `{}`), nil
		})})
		if _, err := get(t.Context(), c, "/api/v2/audit?limit=1000&skip=0&sort_by=id"); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"Authorization":   "bhesignature " + resttest.Token,
			"RequestDate":     "2026-01-15T12:34:56Z",
			"Signature":       "t5wnMoDuPh1X3scapkRuSNDlx90o4+Pf3gX467ZjfNA=",
			"Prefer":          "wait=30",
			"Accept-Encoding": "gzip",
		} {
			if got := seen.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	})
}

// The server must read the signed target on the request line, whatever the URL looks like and whichever proxy carries it.
func TestSignedTargetIsTheOneOnTheWire(t *testing.T) {
	const target = "/api/v2/audit?after=2026-01-15T00%3A00%3A00.5Z&b=%2B+x%20y&b=&limit=10&sort_by=-created_at&sort_by=-id"
	for _, base := range []string{"", "/", "/bloodhound", "/a%2Fb/c%20d/"} {
		for _, proxied := range []bool{false, true} {
			t.Run(strings.Join([]string{base, map[bool]string{true: "through a proxy"}[proxied]}, " "), func(t *testing.T) {
				var line, signed string
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					line = strings.TrimPrefix(r.RequestURI, "http://tenant.example") // a proxy is sent the absolute form
					signed = signature(resttest.Key, r.Method, line, r.Header.Get("RequestDate"), nil)
					signed = map[bool]string{true: "ok", false: "mismatch"}[signed == r.Header.Get("Signature")]
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(`{}`))
				}))
				defer server.Close()
				o := Options{URL: resttest.MustParse(t, server.URL+base)}
				if proxied {
					o.URL = resttest.MustParse(t, "http://tenant.example"+base)
					o.Transport = &http.Transport{Proxy: http.ProxyURL(resttest.MustParse(t, server.URL)), DisableKeepAlives: true}
				}
				if _, err := get(t.Context(), newClient(t, o), target); err != nil {
					t.Fatal(err)
				}
				if want := strings.TrimRight(base, "/") + target; line != want || signed != "ok" {
					t.Errorf("signature %s, request target\n %s, want\n %s", signed, line, want)
				}
			})
		}
	}
}

// Over HTTP/2 the target travels in a header of its own.
func TestSignedTargetOverHTTP2(t *testing.T) {
	var line, protocol string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line, protocol = r.RequestURI, r.Proto
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`))
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c := newClient(t, Options{URL: resttest.MustParse(t, server.URL), CAFile: writePEM(t, server)})
	const target = "/api/v2/audit?after=2026-01-15T00%3A00%3A00Z&limit=10"
	if _, err := get(t.Context(), c, target); err != nil {
		t.Fatal(err)
	}
	if line != target || protocol != "HTTP/2.0" {
		t.Errorf("%s %s", protocol, line)
	}
}

func TestTargetsThatWouldChangeAreRefused(t *testing.T) {
	c := newClient(t, Options{Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return resttest.Respond(200, `{}`), nil
	})})
	for _, target := range []string{"/a b", "/a?b=c d", "/a#b", "/ä", "/a?b=c\nd", "/%zz"} {
		_, err := get(context.Background(), c, target)
		resttest.WantText(t, err, "request target")
	}
}
