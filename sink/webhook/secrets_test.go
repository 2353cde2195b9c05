package webhook_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// These are the secrets of the tests. All begin alike, so the tests find any part of them.
const (
	tokenSecret  = `SECRET/tok"en+1<&>`
	headerSecret = "SECRETheader2"
	querySecret  = "SECRET query/3"
	pathSecret   = "SECRETpath4"
	bareSecret   = "SECRETbare6"
	userSecret   = "SECRETuser5"
)

func secretive(t *testing.T, base, authorization string) webhook.Options {
	t.Helper()
	return webhook.Options{
		URL:           base + "/receiver/v1/" + pathSecret + "?token=" + url.QueryEscape(querySecret) + "&x=1&" + bareSecret,
		Authorization: func() (string, error) { return authorization, nil },
		Headers:       headers(http.Header{"X-Api-Key": {headerSecret}, "X-Short": {headerSecret[:4]}}),
		RetryFor:      time.Nanosecond,
	}
}

var authorizations = map[string]string{
	"bearer": "Bearer " + tokenSecret,
	"bare":   tokenSecret,
	"basic":  "Basic " + base64.StdEncoding.EncodeToString([]byte("someone:"+userSecret)),
}

// leaks walks the whole chain of an error, and prints it in every way.
func leaks(t *testing.T, err error, authorization string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error to look into")
	}
	secrets := []string{
		"SECRET", "en+1", "header2", "query/3", "query%2F3", "path4", "user5", "bare6",
		strings.TrimPrefix(authorization, "Basic "),
	}
	var walk func(error)
	walk = func(err error) {
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err)} {
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%T shows %q: %s", err, secret, text)
				}
			}
		}
		switch e := err.(type) { //nolint:errorlint // it is the chain that is walked
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
		case interface{ Unwrap() error }:
			if inner := e.Unwrap(); inner != nil {
				walk(inner)
			}
		}
	}
	walk(err)
}

// notations are the ways in which a receiver may repeat the texts of a request.
var notations = map[string]func(string) string{
	"plain": func(s string) string { return s },
	"query": url.QueryEscape,
	"path":  url.PathEscape,
	"go":    strconv.Quote,
	"json": func(s string) string {
		quoted, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		return string(quoted)
	},
}

// A receiver repeats all texts of the request, one at a time and in every notation.
func TestSecretsStayOutOfAnswers(t *testing.T) {
	t.Parallel()
	for kind, authorization := range authorizations {
		for notation, write := range notations {
			for name, repeat := range map[string]func(*http.Request) string{
				"authorization": func(r *http.Request) string { return r.Header.Get("Authorization") },
				"credential": func(r *http.Request) string {
					_, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
					return credential
				},
				"password":   func(r *http.Request) string { _, password, _ := r.BasicAuth(); return password },
				"header":     func(r *http.Request) string { return r.Header.Get("X-Api-Key") },
				"value":      func(r *http.Request) string { return r.URL.Query().Get("token") },
				"bare value": func(r *http.Request) string { _, bare, _ := strings.Cut(r.URL.RawQuery, "&x=1&"); return bare },
				"raw query":  func(r *http.Request) string { return r.URL.RawQuery },
				"path":       func(r *http.Request) string { return r.URL.Path },
				"URL":        func(r *http.Request) string { return r.URL.String() },
			} {
				t.Run(kind+" "+name+" as "+notation, func(t *testing.T) {
					t.Parallel()
					o := secretive(t, "https://siem.example", authorization)
					o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
						said := write(repeat(r))
						re := reply{status: http.StatusBadRequest, body: "you said " + said + ", which is wrong"}
						return re.response(), r.Body.Close()
					})
					rs := records(t, 1)
					_, err := sinktest.Write(t.Context(), newSink(t, o), windowOf(rs), rs)
					leaks(t, err, authorization)
					wants(t, err, "400 Bad Request", "/receiver/v1/[redacted]?[redacted]", "you said ", "which is wrong")
				})
			}
		}
	}
}

// A query may be malformed.
func TestSecretsStayOutWithAnOddQuery(t *testing.T) {
	t.Parallel()
	s := newSink(t, webhook.Options{
		URL: "https://siem.example/in?SECRETa;SECRETb%zz",
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return reply{status: http.StatusBadRequest, body: "bad query " + r.URL.RawQuery}.response(), r.Body.Close()
		}),
	})
	rs := records(t, 1)
	_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
	leaks(t, err, tokenSecret)
	wants(t, err, `"bad query [redacted]"`)
}

// A redirect often repeats the URL. The error names only the host of its address.
func TestSecretsStayOutOfRedirects(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://other.example"+r.URL.String())
		w.WriteHeader(http.StatusPermanentRedirect)
	}))
	defer srv.Close()
	rs, authorization := records(t, 1), authorizations["basic"]
	_, err := sinktest.Write(t.Context(), newSink(t, secretive(t, srv.URL, authorization)), windowOf(rs), rs)
	leaks(t, err, authorization)
	wants(t, err, "redirects to https://other.example are not followed")
}

// An error of net/http about a failed exchange may quote the URL, or bytes that came back.
func TestSecretsStayOutOfTransportErrors(t *testing.T) {
	t.Parallel()
	parrot, err := net.Listen("tcp", "127.0.0.1:0") // not a web server: it repeats all that it hears
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = parrot.Close() })
	go func() {
		for {
			conn, err := parrot.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body) // to the end: otherwise the client fails while it writes
				_, _ = fmt.Fprintf(conn, "%s %s %s\r\n\r\n", r.Method, r.RequestURI, r.Proto)
			}
			_ = conn.Close()
		}
	}()
	closed := httptest.NewServer(nil)
	closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, base := range map[string]string{
		"malformed": "http://" + parrot.Addr().String(), "refused": closed.URL, "no such host": "http://receiver.invalid",
		"does not look like": strings.Replace(plain.URL, "http:", "https:", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rs, authorization := records(t, 1), authorizations["bearer"]
			_, err := sinktest.Write(t.Context(), newSink(t, secretive(t, base, authorization)), windowOf(rs), rs)
			leaks(t, err, authorization)
			wants(t, err, "no answer: ", name)
		})
	}
}

func TestBadAuthorization(t *testing.T) {
	t.Parallel()
	rs := records(t, 1)
	missing := errors.New("open token: no such file")
	for name, read := range map[string]func() (string, error){
		"unreadable": func() (string, error) { return "", missing },
		"two lines":  func() (string, error) { return "Bearer SECRET\nx", nil },
	} {
		rc := &receiver{}
		_, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{Transport: rc, Authorization: read}), windowOf(rs), rs)
		leaks(t, err, tokenSecret)
		wants(t, err, "HOUNDTRAIL_WEBHOOK_AUTHORIZATION")
		if len(rc.posts) != 0 {
			t.Errorf("%s: posted without credentials", name)
		}
		if name == "unreadable" && !errors.Is(err, missing) {
			t.Errorf("%v does not wrap its cause", err)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://siem.example": "https://siem.example",
		"https://siem.example:8088/insert/jsonline?_time_field=x":  "https://siem.example:8088/insert/jsonline?[redacted]",
		"https://siem.example/_bulk":                               "https://siem.example/_bulk",
		"https://siem.example/services/collector/raw":              "https://siem.example/services/collector/raw",
		"https://siem.example/receiver/v1/http/ZaVnC4dhaV3==":      "https://siem.example/receiver/v1/http/[redacted]",
		"https://siem.example/in/0f8fad5b-d9cb-469f-a165-70867728": "https://siem.example/in/[redacted]",
		"https://siem.example/in/" + strings.Repeat("long", 6):     "https://siem.example/in/[redacted]",
		"https://siem.example/services/T0AB/B0CD/xyz":              "https://siem.example/services/[redacted]/[redacted]/xyz",
	} {
		if got := newSink(t, webhook.Options{URL: raw}).String(); got != want {
			t.Errorf("%s is shown as %s", raw, got)
		}
	}
}
