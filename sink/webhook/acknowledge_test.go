package webhook_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/expect"
)

func expecting(tb testing.TB, text string) expect.Expectation {
	tb.Helper()
	e, err := expect.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

const signOn = "<!DOCTYPE html>\n<html><head><title>Sign in &amp; go\x1b[31m</title></head></html>"

// If a 2xx is a web page, or does not meet the user's expectation, it is no acknowledgement. The sink tries again only a few times.
func TestUnexpectedAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		expect string
		answer reply
		says   []string // empty if the answer acknowledges the batch
	}{
		"page": {answer: answer(200, "Content-Type: text/html; charset=utf-8", signOn), says: []string{
			`200 OK, which is an HTML page titled "Sign in & go[31m" and acknowledges nothing`,
			"single sign-on", "HOUNDTRAIL_WEBHOOK_URL",
		}},
		"page by its type": {answer: answer(200, "Content-Type: text/html", "ok"), says: []string{`"ok", which is an HTML page and `}},
		"page by its body": {answer: answer(200, "Content-Type: text/plain", signOn), says: []string{"which is an HTML page"}},
		"page that is expected otherwise": {
			expect: "204", answer: answer(200, "Content-Type: text/html", signOn), says: []string{"which is an HTML page", "Sign in"},
		},
		"no content": {answer: answer(204, "Content-Type: text/html")},
		"XML":        {answer: answer(200, "Content-Type: text/xml", `<?xml version="1.0"?><ok/>`)},
		"status":     {expect: "204", answer: answer(204)},
		"another status": {expect: "204", answer: answer(260, "blocked"), says: []string{
			`answered 260, "blocked", but its status is not 204`, "HOUNDTRAIL_WEBHOOK_EXPECT", "does not count",
		}},
		"value":      {expect: "200,json:.text=Success", answer: answer(200, `{"text":"Success","code":0}`)},
		"long value": {expect: "json:.ok=true", answer: answer(200, `{"items":"`+strings.Repeat("x", 1<<20)+`","ok":true}`)},
		"another value": {expect: "json:.text=Success", answer: answer(200, `{"text":"Server is busy"}`), says: []string{
			`"{\"text\":\"Server is busy\"}", but its JSON does not have .text=Success`, "HOUNDTRAIL_WEBHOOK_EXPECT",
		}},
		"no value": {expect: "json:.text=Success", answer: answer(200), says: []string{"but it is not JSON with .text=Success"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := webhook.Options{}
				if test.expect != "" {
					o.Expect = expecting(t, test.expect)
				}
				rc := &receiver{answer: script(test.answer)}
				_, err := write(t.Context(), t, rc, o)
				if test.says == nil {
					if err != nil || len(rc.posts) != 1 {
						t.Errorf("%d attempts, error %v", len(rc.posts), err)
					}
					return
				}
				wants(t, err, append(test.says, "gave up after 3 attempts")...)
				if status, ok := errors.AsType[*webhook.StatusError](err); !ok || status.Status != test.answer.status {
					t.Errorf("error %v carries no StatusError %d", err, test.answer.status)
				}
				if strings.Contains(err.Error(), "<") || strings.Contains(err.Error(), "\x1b") {
					t.Errorf("error %q quotes the page", err)
				}
			})
		})
	}
}

// A load balancer's page may be gone at the next try.
func TestUnexpectedAnswerPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rc := &receiver{answer: script(answer(200, signOn), answer(200, signOn), 200)}
		if _, err := write(t.Context(), t, rc, webhook.Options{}); err != nil || len(rc.posts) != 3 {
			t.Errorf("%d attempts, error %v", len(rc.posts), err)
		}
	})
}

// If a receiver asks for a pause that is longer than the patience for a batch, the sink does not ask it again.
func TestPostponed(t *testing.T) {
	t.Parallel()
	after := func(d time.Duration) string { return "Retry-After: " + start.Add(d).Format(http.TimeFormat) }
	for name, test := range map[string]struct {
		script   []any
		attempts int
		pause    time.Duration
	}{
		"seconds":            {[]any{answer(503, "maintenance", "Retry-After: 3600")}, 1, time.Hour},
		"just too long":      {[]any{answer(429, "Retry-After: 301")}, 1, 301 * time.Second},
		"too long by now":    {[]any{answer(429, "Retry-After: 200"), answer(429, "Retry-After: 200")}, 2, 200 * time.Second},
		"a date":             {[]any{answer(503, "Date: "+start.Format(http.TimeFormat), after(time.Hour))}, 1, time.Hour},
		"no pause any more":  {[]any{answer(503, "Retry-After: 18446744073709551615")}, 1, 24 * time.Hour},
		"a date in some age": {[]any{answer(503, after(1e6*time.Hour))}, 1, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rc := &receiver{answer: script(test.script...)}
				_, err := write(t.Context(), t, rc, webhook.Options{})
				postponed, ok := errors.AsType[*webhook.PostponedError](err)
				if !ok || len(rc.posts) != test.attempts {
					t.Fatalf("%d attempts, error %v", len(rc.posts), err)
				}
				if pause := time.Until(postponed.Until); pause != test.pause {
					t.Errorf("not for %s, want %s", pause, test.pause)
				}
				wants(t, err, "asks not to be asked before "+postponed.Until.UTC().Format(time.RFC3339), "the receiver answered ")
			})
		})
	}
}
