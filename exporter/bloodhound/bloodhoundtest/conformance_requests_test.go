package bloodhoundtest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// askAgain makes a request of testdata/conformance.txt. A header without a value is not sent.
func askAgain(t *testing.T, request string) (*http.Request, []header) {
	t.Helper()
	const one = auditPath + "?limit=1"
	if query, suffixed := strings.CutSuffix(request, "…"); suffixed {
		request = query + "&limit=4&sort_by=-created_at&sort_by=-id"
	}
	if strings.HasPrefix(request, "?") {
		r := httptest.NewRequest(http.MethodGet, auditPath, http.NoBody)
		r.URL.RawQuery, r.RequestURI = request[1:], auditPath+request // as it is, also if it is malformed
		return r, nil
	}
	if name, value, ok := strings.Cut(request, ":"); ok {
		return httptest.NewRequest(http.MethodGet, one, http.NoBody), []header{{name, strings.TrimSpace(value)}}
	}
	if body, ok := logins[request]; ok {
		r := httptest.NewRequest(http.MethodPost, "/api/v2/login", strings.NewReader(body))
		contentType, special := contentTypes[request]
		if !special {
			contentType = "application/json"
		}
		return r, []header{{"Content-Type", contentType}}
	}
	if route, ok := others[request]; ok {
		return httptest.NewRequest(route.method, route.target, strings.NewReader(route.body)), route.headers
	}
	headers, ok := credentials(one)[request]
	if !ok {
		t.Fatalf("testdata/conformance.txt has a request %q that this test cannot make", request)
	}
	return httptest.NewRequest(http.MethodGet, one, http.NoBody), headers
}

// credentials are the headers of the requests that are about credentials.
func credentials(target string) map[string][]header {
	at := func(offset time.Duration) []header {
		return signed(target, measuredAt.Add(offset).Format(time.RFC3339))
	}
	with := func(name, value string) []header { return append(at(0), header{name, value}) }
	return map[string][]header{
		"no auth":               {{"Authorization", ""}},
		"bearer junk":           {{"Authorization", "Bearer junk"}},
		"bearer empty":          {{"Authorization", "Bearer"}}, // the space at the end does not travel
		"bhesignature not uuid": with("Authorization", "bhesignature x"),
		"unknown token id":      with("Authorization", "bhesignature 00000000-0000-4000-8000-000000000000"),
		"upper-case scheme":     with("Authorization", "BHESIGNATURE "+tokenID),
		"upper-case token id":   with("Authorization", "bhesignature "+strings.ToUpper(tokenID)),
		"no RequestDate":        with("RequestDate", ""),
		"bad RequestDate":       with("RequestDate", "yesterday"),
		"no Signature":          with("Signature", ""),
		"bad base64":            with("Signature", "???"),
		"wrong signature":       with("Signature", "AAAA"),
		"clock +59 min":         at(59 * time.Minute),
		"clock +61 min":         at(61 * time.Minute),
		"clock -59 min":         at(-59 * time.Minute),
		"clock -61 min":         at(-61 * time.Minute),
	}
}

var others = map[string]struct {
	method, target string
	headers        []header
	body           string
}{
	"GET with body":    {http.MethodGet, auditPath + "?limit=1", nil, "{}"},
	"query bad escape": {http.MethodGet, auditPath + "?limit=1&action=%zz", nil, ""},
	"POST audit":       {http.MethodPost, auditPath, nil, ""},
	"HEAD audit":       {http.MethodHead, auditPath, nil, ""},
	"DELETE audit":     {http.MethodDelete, auditPath, nil, ""},
	"OPTIONS audit":    {http.MethodOptions, auditPath, nil, ""},
	"audit/":           {http.MethodGet, auditPath + "/", nil, ""},
	"//audit":          {http.MethodGet, "/api/v2//audit", nil, ""},
	"unknown route":    {http.MethodGet, "/api/v2/nowhere", nil, ""},
	"root":             {http.MethodGet, "/", nil, ""},
	"health":           {http.MethodGet, "/health", []header{{"Authorization", ""}}, ""},
	"version":          {http.MethodGet, "/api/version", nil, ""},
	"version no auth":  {http.MethodGet, "/api/version", []header{{"Authorization", ""}}, ""},
	"self":             {http.MethodGet, "/api/v2/self", nil, ""},
	"self no auth":     {http.MethodGet, "/api/v2/self", []header{{"Authorization", ""}}, ""},
	"spec":             {http.MethodGet, "/api/v2/spec", []header{{"Authorization", ""}}, ""},
}

// logins are the bodies of logins. contentTypes has the content type of a body if it is not plain JSON.
var (
	logins = map[string]string{
		"login ok":                   loginBody(reader, "secret"),
		"login wrong secret":         loginBody(reader, "x"),
		"login unknown user":         loginBody("ghost", "secret"),
		"login empty user":           loginBody("", "secret"),
		"login case of user":         loginBody(strings.ToUpper(reader), "secret"),
		"login method":               `{"login_method":"otp","username":"` + reader + `","secret":"secret"}`,
		"login otp unused":           `{"login_method":"secret","username":"` + reader + `","secret":"secret","otp":"123456"}`,
		"login no json":              `{`,
		"login content type":         loginBody(reader, "secret"),
		"login content type charset": loginBody(reader, "secret"),
		"login no body":              "",
	}
	contentTypes = map[string]string{
		"login content type":         "text/plain",
		"login content type charset": "application/json; charset=utf-8",
		"login no body":              "",
	}
)
