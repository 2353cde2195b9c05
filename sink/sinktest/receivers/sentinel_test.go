package receivers_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/receivers"
)

const (
	directory = "99999999-2222-3333-4444-555555555555"
	rule      = "dcr-00000000000000000000000000000000"
	stream    = "Custom-BloodHoundAudit"
	scope     = "https://monitor.azure.com//.default"
	uploads   = "/dataCollectionRules/" + rule + "/streams/" + stream + "?api-version=2023-01-01"
)

func newTokens() *receivers.Tokens {
	return receivers.NewTokens(receivers.TokensOptions{
		Directory: directory, Client: "client", Secret: "secret", Scope: scope, Life: time.Hour,
	})
}

func columns() map[string]string {
	return map[string]string{"TimeGenerated": "datetime", "RecordId": "long", "Action": "string", "Fields": "dynamic"}
}

// exchange sends one request, and returns the status and the body of the answer.
func exchange(t *testing.T, h http.Handler, path, contentType, authorization, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://azure.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", authorization)
	resp, err := receivers.Direct(h).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// askToken asks for a token. changes replace parts of a good question.
func askToken(t *testing.T, tokens *receivers.Tokens, changes map[string]string) (status int, token string) {
	t.Helper()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"client"}, "client_secret": {"secret"}, "scope": {scope},
	}
	for key, value := range changes {
		form.Set(key, value)
	}
	status, answer := exchange(t, tokens, "/"+directory+"/oauth2/v2.0/token", "application/x-www-form-urlencoded", "", form.Encode())
	var content struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(answer), &content); err != nil {
		t.Fatal(err)
	}
	return status, content.Token
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int{"": 200, "grant_type": 400, "client_id": 400, "client_secret": 401, "scope": 400} {
		if got, token := askToken(t, newTokens(), map[string]string{key: "other"}); got != want || (token != "") != (want == 200) {
			t.Errorf("another %s: answered %d with token %q", key, got, token)
		}
	}
}

func TestSentinelRules(t *testing.T) {
	t.Parallel()
	const row = `{"TimeGenerated":"2026-01-15T12:34:56.123456Z","RecordId":7,"Action":"a","Fields":{"b":[1]}}`
	filler := func(size int) string {
		return `[{"Action":"` + strings.Repeat("x", size-len(`[{"Action":""}]`)) + `"}]`
	}
	for name, test := range map[string]struct {
		options receivers.SentinelOptions
		path    string
		body    string
		token   string // instead of a good one
		status  int
		stored  int
	}{
		"success":        {body: "[" + row + "," + row + "]", status: 204, stored: 2},
		"no list":        {body: row, status: 400},
		"bad JSON":       {body: "[" + row + ",{", status: 400},
		"largest":        {body: filler(1_000_000), status: 204, stored: 1},
		"too large":      {body: filler(1_000_001), status: 413},
		"no token":       {body: "[" + row + "]", token: "other", status: 401},
		"no role":        {options: receivers.SentinelOptions{Forbidden: true}, body: "[" + row + "]", status: 403},
		"other rule":     {path: strings.Replace(uploads, rule, "dcr-1", 1), body: "[" + row + "]", status: 404},
		"other stream":   {path: strings.Replace(uploads, stream, "Custom-Other", 1), body: "[" + row + "]", status: 404},
		"no api-version": {path: strings.TrimSuffix(uploads, "?api-version=2023-01-01"), body: "[" + row + "]", status: 400},
		"busy":           {options: receivers.SentinelOptions{Trouble: func(int) int { return 429 }}, body: "[" + row + "]", status: 429},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := test.options
			o.Tokens, o.Rule, o.Stream, o.Columns = newTokens(), rule, stream, columns()
			_, token := askToken(t, o.Tokens, nil)
			if test.token != "" {
				token = test.token
			}
			if test.path == "" {
				test.path = uploads
			}
			s := receivers.NewSentinel(o)
			status, answer := exchange(t, s, test.path, "application/json", "Bearer "+token, test.body)
			if status != test.status || len(s.Rows()) != test.stored {
				t.Errorf("answered %d %s, and stored %d rows", status, answer, len(s.Rows()))
			}
		})
	}
}

// A 204 does not tell of columns that the stream does not have, of wrong types, and of long values.
func TestSentinelDropsInSilence(t *testing.T) {
	t.Parallel()
	tokens := newTokens()
	s := receivers.NewSentinel(receivers.SentinelOptions{Tokens: tokens, Rule: rule, Stream: stream, Columns: columns()})
	_, token := askToken(t, tokens, nil)
	status, _ := exchange(t, s, uploads, "application/json", "Bearer "+token,
		`[{"RecordId":"7","Action":"`+strings.Repeat("x", 64<<10+1)+`","id":7}]`)
	dropped, cut := s.Silent()
	row := s.Rows()[0]
	text, _ := row["Action"].(string)
	if status != 204 || row["RecordId"] != nil || len(text) != 64<<10 || dropped["id"] != 1 || cut != 1 {
		t.Errorf("answered %d, dropped %v, cut %d", status, dropped, cut)
	}
}

func TestTokenEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens()
		s := receivers.NewSentinel(receivers.SentinelOptions{Tokens: tokens, Rule: rule, Stream: stream, Columns: columns()})
		_, token := askToken(t, tokens, nil)
		post := func() int {
			status, _ := exchange(t, s, uploads, "application/json", "Bearer "+token, `[{"RecordId":1}]`)
			return status
		}
		if got := post(); got != 204 {
			t.Errorf("a new token: %d", got)
		}
		time.Sleep(time.Hour)
		if got := post(); got != 401 {
			t.Errorf("an old token: %d", got)
		}
		_, token = askToken(t, tokens, nil)
		tokens.Revoke()
		if got := post(); got != 401 {
			t.Errorf("a revoked token: %d", got)
		}
	})
}
