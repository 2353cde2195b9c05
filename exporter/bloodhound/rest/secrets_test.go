package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
	"github.com/houndtrail/houndtrail/exporter/quote"
)

// echoes are replies and failures of programs on the way that repeat a request. All of them exist: debugging proxies, request
// inspectors, gateways with verbose error pages.
var echoes = map[string]func(r *http.Request, said string) (*http.Response, error){
	"text": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(500, "got "+said), nil
	},
	"long text": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(502, strings.Repeat("x", 380)+said), nil
	},
	"JSON": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(400, resttest.Complain(escape(said))), nil
	},
	"401": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(401, resttest.Complain(escape(said))), nil
	},
	"403": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(403, resttest.Complain(escape(said))), nil
	},
	"HTML": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(503, "<title>"+html.EscapeString(said)+"</title>"), nil
	},
	"HTML 200": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(200, "<title>"+html.EscapeString(said)+"</title>"), nil
	},
	"429": func(_ *http.Request, said string) (*http.Response, error) { return resttest.Respond(429, said), nil },
	"content type": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(200, "x", "Content-Type", said), nil
	},
	"request id": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(500, "", "RequestID", said), nil
	},
	"location": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(302, "", "Location", "https://x.example/"+said), nil
	},
	"host": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(302, "", "Location", "https://"+said+"/"), nil
	},
	"network": func(_ *http.Request, said string) (*http.Response, error) {
		return nil, errors.New("malformed HTTP response " + said)
	},
	"encoding": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(200, "x", "Content-Encoding", said), nil
	},
	"odd session": func(_ *http.Request, said string) (*http.Response, error) {
		return resttest.Respond(200, `{"data":"`+escape(said)+`"}`), nil
	},
}

func escape(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}

// Whatever fails, and whatever a reply repeats, no secret gets into an error or a log: not the key, not the signature, not
// the session, not the password, and no half of one.
func TestNoSecretInErrorsOrLogs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		printable := rapid.StringMatching(`[A-Za-z0-9+/=_.-]{12,60}`).Draw(rt, "credential")
		password := rapid.StringMatching(`[A-Za-z0-9"<>&\\ éß%+\t]{10,30}[a-z]`).Draw(rt, "password")
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(echoes))).Draw(rt, "echo")
		for kind, auth := range map[string]Authenticator{
			"token":  Token(resttest.Token, resttest.Always(printable)),
			"bearer": Bearer(resttest.Always(printable)),
			"login":  Login("siem", resttest.Always(password)),
		} {
			synctest.Test(t, func(t *testing.T) {
				secrets := []string{printable, password, escape(password)}
				core, logs := observer.New(zap.DebugLevel)
				c := newClient(t, Options{
					Auth: auth, Log: zap.New(core), Retry: RetryPolicy{Tries: 2, Initial: 1},
					Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
						said := fmt.Sprint(r.Header.Get("Authorization"), " ", r.Header.Get("Signature"))
						if s := r.Header.Get("Signature"); s != "" {
							secrets = append(secrets, s)
						}
						if r.Body != nil {
							body, _ := io.ReadAll(r.Body)
							said += password + string(body)
						}
						return echoes[name](r, said)
					}),
				})
				err := c.Retry(t.Context(), func(ctx context.Context) error {
					_, err := get(ctx, c, "/api/v2/audit?limit=1")
					return err
				})
				if err == nil && name != "odd session" { // any JSON object is a page, as far as an exchange can tell
					t.Errorf("%s, %s: no error", kind, name)
				}
				texts := []string{fmt.Sprint(err), fmt.Sprintf("%+v", err)}
				for _, entry := range logs.All() {
					texts = append(texts, entry.Message, fmt.Sprint(entry.ContextMap()))
				}
				for _, text := range texts {
					if leak := leakOf(text, secrets); leak != "" {
						t.Errorf("%s, %s: %q is in %q", kind, name, leak, text)
					}
				}
			})
		}
	})
}

// leakOf finds any eight characters in a row of a secret.
func leakOf(text string, secrets []string) string {
	const width = 8
	for _, s := range secrets {
		for i := 0; i+width <= len(s); i++ {
			if part := s[i : i+width]; strings.Contains(text, part) {
				return part
			}
		}
	}
	return ""
}

// A complaint is foreign text: whatever it is, an error quotes it as one short printable line.
func FuzzComplaint(f *testing.F) {
	f.Add([]byte(resttest.Complain("not authenticated")))
	f.Add([]byte(resttest.Complain("x") + resttest.Complain("y")))
	f.Add([]byte(resttest.HTMLPage))
	f.Add([]byte("Limit exceeded\n"))
	f.Add([]byte(`{"errors":[]}`))
	f.Add([]byte(strings.Repeat("\xffa", 300)))
	f.Add([]byte(`{"errors":[{"message":null}]}{`))
	f.Add([]byte("{\"errors\":[{\"message\":\"\x1b[31m\\u0000\\ud800\xff\"}]}"))
	f.Add([]byte(strings.Repeat(`{"errors":[{"message":"`, 3000)))
	f.Add([]byte(strings.Repeat("[", 70000)))
	f.Fuzz(func(t *testing.T, body []byte) {
		said := readComplaint(body)
		line := said.quote(quote.Redactor("", "secret"))
		if !said.ours && utf8.RuneCountInString(line) > longestForeign+len("...") {
			t.Errorf("%q is long", line)
		}
		if utf8.RuneCountInString(line) > longestMessage+len("...") || strings.ContainsAny(line, "\r\n\x1b\x00") {
			t.Errorf("%q", line)
		}
		if said.ours && !page.IsObject(body) {
			t.Errorf("%q is taken for BloodHound's", body)
		}
	})
}

// Unpacking must end with an error or with the body that was packed.
func FuzzReadBody(f *testing.F) {
	f.Add(zip(f, `{"data":{}}`), int64(100))
	f.Add(append(zip(f, "{"), zip(f, "}")...), int64(100))
	f.Add(zip(f, strings.Repeat("x", 5000)), int64(10))
	f.Add([]byte{0x1f, 0x8b}, int64(0))
	f.Add([]byte("\x1f\x8b\x080000000"), int64(11)) // a comment that does not end
	f.Fuzz(func(t *testing.T, body []byte, limit int64) {
		limit = max(0, limit%(1<<20))
		for _, encoding := range []string{"", "gzip"} {
			b, err := new(shelf).readBody(&http.Response{
				ContentLength: -1,
				Header:        http.Header{"Content-Encoding": {encoding}},
				Body:          io.NopCloser(bytes.NewReader(body)),
			}, limit)
			switch {
			case err == nil && int64(len(b.Bytes)) > limit:
				t.Errorf("%d bytes, allowed %d", len(b.Bytes), limit)
			case err == nil && encoding == "" && string(b.Bytes) != string(body):
				t.Error("another body")
			case err == nil && encoding == "gzip" && len(body) > 0 && len(body) < 18:
				t.Errorf("%d bytes are no gzip stream", len(body))
			}
			b.Release()
		}
	})
}

// Debug logs name each request, so that a user can follow it on the server by its request id.
func TestRequestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		seen := &audience{}
		const requestID = "6a1f9d5e-58e7-4b0c-9d54-0d6a4b3c2f10"
		c := newClient(t, Options{
			Log: zap.New(core), Observer: seen,
			Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
				time.Sleep(3 * time.Second)
				if r.URL.RawQuery == "" {
					return nil, errors.New("unplugged")
				}
				return resttest.Respond(200, `{"a":1}`, "RequestID", requestID), nil
			}),
		})
		if _, err := get(t.Context(), c, "/api/v2/audit?limit=1"); err != nil {
			t.Fatal(err)
		}
		if _, err := get(t.Context(), c, "/api/v2/audit"); err == nil {
			t.Fatal("no error")
		}
		fields := logs.All()[0].ContextMap()
		for name, want := range map[string]any{
			"method": "GET", "target": "/api/v2/audit?limit=1", "status": "200",
			"took": 3 * time.Second, "bytes": int64(7), "request_id": requestID,
		} {
			if fields[name] != want {
				t.Errorf("%s is %v, want %v", name, fields[name], want)
			}
		}
		if got := fmt.Sprint(seen.requests); got != "[200 transport]" {
			t.Error(got)
		}
	})
}
