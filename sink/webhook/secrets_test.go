package webhook_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"houndtrail/sink/webhook"
)

// The secrets of these tests. All begin alike, so that no part of them hides.
const (
	tokenSecret  = `SECRET/tok"en+1<&>`
	headerSecret = "SECRETheader2"
	querySecret  = "SECRET query/3"
	pathSecret   = "SECRETpath4"
	userSecret   = "SECRETuser5"
)

func secretive(t *testing.T, base, authorization string) webhook.Options {
	t.Helper()
	return webhook.Options{
		URL:           base + "/receiver/v1/" + pathSecret + "?token=" + url.QueryEscape(querySecret) + "&x=1",
		Authorization: func() (string, error) { return authorization, nil },
		Headers:       http.Header{"X-Api-Key": {headerSecret}},
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
	secrets := []string{"SECRET", "secret", url.QueryEscape(querySecret), strings.TrimPrefix(authorization, "Basic ")}
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

// A receiver that says back all it was told, in every notation, under every status.
func TestSecretsStayOutOfAnswers(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscan(r.Header.Get("X-Status"), &status)
		auth := r.Header.Get("Authorization")
		_, basic, _ := r.BasicAuth()
		said := fmt.Sprintf("%s %s %s %s %q %s %q %s", r.URL, auth, strings.TrimPrefix(auth, "Bearer "), basic,
			r.Header, r.URL.Query(), auth, url.QueryEscape(auth))
		w.Header().Set("Location", "https://other.example/"+pathSecret+"/"+strings.ToLower(headerSecret)+"?"+r.URL.RawQuery)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, said)
	}))
	defer echo.Close()
	for kind, authorization := range authorizations {
		for _, status := range []int{302, 308, 400, 401, 403, 404, 413, 418, 429, 500, 503} {
			o := secretive(t, echo.URL, authorization)
			o.Headers.Set("X-Status", fmt.Sprint(status))
			rs := records(t, 1)
			_, err := newSink(t, o).Write(t.Context(), windowOf(rs), rs)
			t.Run(fmt.Sprintf("%s %d", kind, status), func(t *testing.T) {
				leaks(t, err, authorization)
				wants(t, err, fmt.Sprint(status), "/receiver/v1/[redacted]?[redacted]")
			})
		}
	}
}

// What net/http says of a failed exchange may quote the URL, or bytes that came back.
func TestSecretsStayOutOfTransportErrors(t *testing.T) {
	t.Parallel()
	parrot, err := net.Listen("tcp", "127.0.0.1:0") // not a web server: it repeats each line
	if err != nil {
		t.Fatal(err)
	}
	defer parrot.Close()
	go func() {
		for {
			conn, err := parrot.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			_, _ = io.WriteString(conn, "HTTP/1.1 "+line+"\r\n")
			_ = conn.Close()
		}
	}()
	closed := httptest.NewServer(nil)
	closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for name, base := range map[string]string{
		"parrot": "http://" + parrot.Addr().String(), "refused": closed.URL, "no such host": "http://receiver.invalid",
		"no TLS": strings.Replace(plain.URL, "http:", "https:", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rs, authorization := records(t, 1), authorizations["bearer"]
			_, err := newSink(t, secretive(t, base, authorization)).Write(t.Context(), windowOf(rs), rs)
			leaks(t, err, authorization)
			wants(t, err, "no answer: ")
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
		_, err := newSink(t, webhook.Options{Transport: rc, Authorization: read}).Write(t.Context(), windowOf(rs), rs)
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
		"https://siem.example/services/T0AB/B0CD/xyz":              "https://siem.example/services/[redacted]/[redacted]/xyz",
	} {
		if got := newSink(t, webhook.Options{URL: raw}).String(); got != want {
			t.Errorf("%s is shown as %s", raw, got)
		}
	}
}
