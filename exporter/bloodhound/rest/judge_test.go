package rest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// Every reply that BloodHound, or something in front of it, is known to give.
func TestJudge(t *testing.T) {
	final := func(k Kind) verdict { return verdict{k, false, 8} }
	again := func(k Kind) verdict { return verdict{k, true, 8} }
	for name, test := range map[string]struct {
		reply   resttest.Canned
		verdict verdict
		says    []string
	}{
		"bad parameter": {
			resttest.Can(400, resttest.Complain(`query parameter \"after\" is malformed: parsing time`)), final(BadRequest),
			[]string{
				"GET /api/v2/audit?limit=1 on tenant.example: 400 Bad Request: query parameter \"after\" is malformed",
				"(request id 6a1f9d5e-",
			},
		},
		"token id": {
			resttest.Can(400, resttest.Complain("Token ID is malformed.")), final(BadRequest), []string{"HOUNDTRAIL_BLOODHOUND_TOKEN_ID"},
		},
		"two JSON values": {
			resttest.Can(400, resttest.Complain("Unexpected authorization scheme: x.")+resttest.Complain("not authenticated")), final(BadRequest),
			[]string{"Unexpected authorization scheme: x. (request id"},
		},
		"not authenticated": {
			resttest.Can(401, resttest.Complain("not authenticated")), final(Unauthorized), []string{"proxy on the way removes the Authorization"},
		},
		"wrong key": {
			resttest.Can(401, resttest.Complain("unable to validate request signature for client: "+
				"digest validation failed: signature digest mismatch")),
			final(Unauthorized),
			[]string{"401 Unauthorized", "TOKEN_KEY does not belong to the token " + resttest.Token, "changes the path"},
		},
		"revoked": {
			resttest.Can(401, resttest.Complain("unable to validate request signature for client: resource not found")),
			final(Unauthorized),
			[]string{"does not know the API token " + resttest.Token},
		},
		"401, unknown reason": {
			resttest.Can(401, resttest.Complain("no")), final(Unauthorized), []string{"check that the API token " + resttest.Token + " exists"},
		},
		"401 of a proxy": {
			resttest.Can(401, resttest.HTMLPage, "Content-Type", "text/html"), final(Unauthorized), []string{"not BloodHound's own"},
		},
		"no role": {
			resttest.Can(403, resttest.Complain("not authorized")), final(Forbidden),
			[]string{"403 Forbidden: not authorized", "Auditor", "v8.4.0", "AuditLogRead", "Administrator"},
		},
		"disabled": {
			resttest.Can(403, resttest.Complain("unable to validate request signature for client: user disabled")), final(Forbidden),
			[]string{"enable the user"},
		},
		"403 of a firewall": {
			resttest.Can(403, "<html>blocked"), final(Forbidden), []string{"HTML page without a title", "not BloodHound's own"},
		},
		"no route": {
			resttest.Can(404, "404 page not found\n", "Content-Type", "text/plain"), final(NotFound),
			[]string{"404 page not found", "HOUNDTRAIL_BLOODHOUND_URL"},
		},
		"wrong method": {resttest.Can(405, ""), final(BadRequest), []string{"405 Method Not Allowed"}},
		"proxy login":  {resttest.Can(407, ""), final(Transport), []string{"the proxy wants credentials"}},
		"408":          {resttest.Can(408, ""), again(Timeout), nil},
		"too many": {
			resttest.Can(429, "Limit exceeded\n", "Content-Type", "text/plain"), again(RateLimited),
			[]string{"429 Too Many Requests: Limit exceeded"},
		},
		"too many, gzip": {
			resttest.Can(429, string(zip(t, "Limit exceeded\n")), "Content-Encoding", "gzip"), again(RateLimited),
			[]string{"Limit exceeded"},
		},
		"internal": {
			resttest.Can(500, resttest.Complain("an internal error has occurred")), again(Server),
			[]string{"500 Internal Server Error: an internal"},
		},
		"timed out": {
			resttest.Can(500, resttest.Complain("request timed out")), again(Timeout), []string{"request timed out", "PAGE_SIZE"},
		},
		"intent": {resttest.Can(500, resttest.Complain("audit log intent could not be recorded")), again(Server), nil},
		"a 501":  {resttest.Can(501, ""), final(Server), nil},
		"bad gateway": {
			resttest.Can(502, resttest.HTMLPage), again(Server), []string{`502 Bad Gateway: an HTML page titled "502 Bad Gateway & more"`},
		},
		"down":              {resttest.Can(503, "", "Retry-After", "7"), again(Server), []string{"asks to wait 7s"}},
		"gateway time-out":  {resttest.Can(504, resttest.HTMLPage), again(Timeout), nil},
		"damaged complaint": {resttest.Can(500, string(zip(t, resttest.HTMLPage)[:60]), "Content-Encoding", "gzip"), again(Server), nil},
		"empty 200":         {resttest.Can(200, ""), again(Timeout), []string{"200 OK: an empty reply"}},
		"login page": {
			resttest.Can(200, "<html><title>Sign in</title>", "Content-Type", "text/html; charset=utf-8"),
			verdict{NotJSON, true, 3},
			[]string{`not JSON but text/html; charset=utf-8: an HTML page titled "Sign in"`, "ask who runs the proxy"},
		},
		"JSON array": {
			resttest.Can(200, "[]", "Content-Type", "application/json"), verdict{NotJSON, true, 3}, []string{"not JSON"},
		},
		"JSON called HTML": {resttest.Can(200, "{}", "Content-Type", "text/html"), verdict{NotJSON, true, 3}, []string{"text/html"}},
		"white space":      {resttest.Can(200, " \n", "Content-Type", "application/json"), verdict{NotJSON, true, 3}, nil},
		"JSON cut": {
			resttest.Can(200, `{"data":{"logs":[{"id":1`), again(Transport), []string{"cut in the middle of its JSON"},
		},
		"JSON cut behind a record": {
			resttest.Can(200, `{"data":{"logs":[{"id":1,"action":"A"}`), again(Transport), []string{"cut in the middle of its JSON"},
		},
		"JSON cut in fields": {
			resttest.Can(200, `{"data":{"logs":[{"id":1,"fields":{"a":{"b":"}"}}`+" \n"), again(Transport), []string{"cut in the middle"},
		},
		"no content": {resttest.Can(204, ""), verdict{NotJSON, true, 3}, []string{"204 No Content"}},
		"to https": {
			resttest.Can(301, "", "Location", "https://other.example/api/v2/audit?x=secret"), final(Redirect),
			[]string{"a redirect to https://other.example;", "credentials must not travel on", "HOUNDTRAIL_BLOODHOUND_URL"},
		},
		"same host":    {resttest.Can(302, "", "Location", "/ui/login"), final(Redirect), []string{"another path on the same host"}},
		"nowhere":      {resttest.Can(302, ""), final(Redirect), []string{"a redirect to nowhere"}},
		"odd location": {resttest.Can(307, "", "Location", "http://[::1"), final(Redirect), []string{"nowhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			c := newClient(t, Options{Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
				sent++
				return test.reply.RoundTrip(r)
			})})
			_, err := get(t.Context(), c, "/api/v2/audit?limit=1")
			e := asError(t, err)
			if got := (verdict{e.Kind, e.Retryable(), e.patience(8)}); got != test.verdict {
				t.Errorf("%v, want %v: %v", got, test.verdict, err)
			}
			resttest.WantText(t, err, test.says...)
			if strings.ContainsAny(err.Error(), "\r\n") || sent != 1 {
				t.Errorf("%d requests, error %q", sent, err)
			}
			if e.Date.IsZero() || e.Status != test.reply.Status || e.Host != "tenant.example" || e.Method != http.MethodGet {
				t.Errorf("%+v", e)
			}
		})
	}
}

// No error quotes audit records: neither those of an unexpected answer, nor those behind a proxy's status. Of foreign text, an
// error quotes the beginning of the first line.
func TestForeignTextIsCut(t *testing.T) {
	page := `{"count":1,"data":{"logs":[{"id":1,"fields":{"title":"<title>hunter2</title>"},"actor_email":"hunter2@example.com"}]}}`
	long := strings.Repeat("x", longestForeign)
	for name, test := range map[string]struct {
		reply resttest.Canned
		says  string
		not   string
	}{
		"records, another type": {resttest.Can(200, page, "Content-Type", "text/plain"), "not JSON but text/plain: 118 bytes, not shown", "hunter2"},
		"records, long type":    {resttest.Can(200, page, "Content-Type", long), "xxx...: 118 bytes", long},
		"records in an array":   {resttest.Can(200, "["+page+"]"), "not JSON but something untyped: 120 bytes, not shown", "hunter2"},
		"partial content":       {resttest.Can(206, page), "206 Partial Content: 118 bytes, not shown", "hunter2"},
		"records of a proxy":    {resttest.Can(502, page[:110]), "502 Bad Gateway: 110 bytes, not shown", "hunter2"},
		"two lines":             {resttest.Can(502, "upstream failed\nhunter2"), "502 Bad Gateway: upstream failed", "hunter2"},
		"a long line":           {resttest.Can(502, long+"hunter2"), "502 Bad Gateway: " + long + "...", "hunter2"},
		"a long title":          {resttest.Can(200, "<title>"+long+"hunter2"), "HTML page without a title", "hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := get(t.Context(), newClient(t, Options{Transport: test.reply}), "/api/v2/audit")
			resttest.WantText(t, err, test.says)
			if strings.Contains(err.Error(), test.not) {
				t.Errorf("%v\ntells %q", err, test.not)
			}
		})
	}
	c := newClient(t, Options{URL: wire(t, []byte(page+"\r\n\r\n"+page))})
	if _, err := get(t.Context(), c, "/api/v2/audit"); err == nil || strings.Contains(err.Error(), "example.com") {
		t.Errorf("%v\ntells of a record", err)
	}
}

type verdict struct {
	kind      Kind
	retryable bool
	tries     uint
}

func TestKindNames(t *testing.T) {
	seen := map[string]bool{}
	for k := Unauthorized; k <= TooLarge; k++ {
		seen[k.String()] = true
	}
	if len(seen) != int(TooLarge) || seen["unknown"] || Kind(200).String() != "unknown" || TooLarge.String() != "too_large" {
		t.Errorf("%v", seen)
	}
}

// Clock skew is one clear message after one request, whichever side is wrong.
func TestClockSkew(t *testing.T) {
	for _, test := range []struct {
		skew    time.Duration // of this machine
		message string
		date    bool
		says    string
	}{
		{
			90 * time.Minute, "signature too far ahead by 90 minutes. Server time is X. Client time is Y", true,
			"this machine's clock is 90 minutes ahead of the server's (here ",
		},
		{
			-61 * time.Minute, "signature too far behind by 61 minutes. Server time is X. Client time is Y", true,
			"this machine's clock is 61 minutes behind the server's (here ",
		},
		{2 * time.Hour, "in some other words", true, "120 minutes ahead of the server's"},
		{90 * time.Minute, "signature too far ahead.", false, "the clocks of this machine and of the server differ"},
	} {
		synctest.Test(t, func(t *testing.T) {
			sent := 0
			c := newClient(t, Options{Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
				sent++
				date := ""
				if test.date {
					date = time.Now().Add(-test.skew).UTC().Format(http.TimeFormat)
				}
				return resttest.Respond(401, resttest.Complain("unable to validate request signature for client: "+test.message), "Date", date), nil
			})})
			err := c.Retry(t.Context(), func(ctx context.Context) error {
				_, err := get(ctx, c, "/api/v2/audit")
				return err
			})
			resttest.WantText(t, err, test.says, "more than an hour", "NTP")
			if sent != 1 {
				t.Errorf("%d requests", sent)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Thu, 15 Jan 2026 12:34:56 GMT" // epoch 1768480496
	for _, test := range []struct {
		headers []string
		want    time.Duration
	}{
		{nil, 0},
		{[]string{"Retry-After", "7"}, 7 * time.Second},
		{[]string{"Retry-After", "0"}, 0},
		{[]string{"Retry-After", "-3"}, 0},
		{[]string{"Retry-After", "soon"}, 0},
		{[]string{"Retry-After", "Thu, 15 Jan 2026 12:35:26 GMT"}, 30 * time.Second},
		{[]string{"Retry-After", "Thu, 15 Jan 2026 12:34:00 GMT"}, 0},
		{[]string{"Retry-After", "99999999999999999999"}, 0},
		{[]string{"Retry-After", "2000000000"}, 0}, // an epoch, not seconds
		{[]string{"Retry-After", "2", "X-Ratelimit-Reset", "1768480500"}, 2 * time.Second},
		{[]string{"X-Ratelimit-Reset", "1768480497"}, time.Second},
		{[]string{"X-Ratelimit-Reset", "1768480490"}, 0},
		{[]string{"X-Ratelimit-Reset", "30"}, 0},            // seconds, not an epoch
		{[]string{"X-Ratelimit-Reset", "1768480497000"}, 0}, // milliseconds
		{[]string{"X-Ratelimit-Reset", "-9223372036854775808"}, 0},
	} {
		header := http.Header{"Date": {date}}
		for i := 0; i < len(test.headers); i += 2 {
			header.Set(test.headers[i], test.headers[i+1])
		}
		a := answer{status: http.StatusTooManyRequests, header: header, clock: new(clock).learn(header), body: new(Buffer)}
		if e := judge(a, httptest.NewRequest(http.MethodGet, "/api/v2/audit", nil)); e.RetryAfter != test.want {
			t.Errorf("%v: %s, want %s", test.headers, e.RetryAfter, test.want)
		}
	}
}
