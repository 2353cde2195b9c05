package receivers

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// TokensOptions describe a token endpoint and its only client.
type TokensOptions struct {
	Directory string // the tenant's id: a part of the path
	Client    string
	Secret    string
	Scope     string        // for which the client may ask
	Life      time.Duration // of a token
	// Trouble, if set, returns the status to answer to request number n, which is 1 for the first request. If it returns 0, Tokens
	// judges the request as usual.
	Trouble func(n int) int
}

// Tokens is a double of the token endpoint of Microsoft Entra ID, for the client credentials of OAuth 2.0. It is safe for
// concurrent use.
type Tokens struct {
	options TokensOptions

	mu     sync.Mutex
	asked  int
	issued map[string]time.Time // the end of each token
}

// NewTokens makes an endpoint that has issued no token.
func NewTokens(o TokensOptions) *Tokens { return &Tokens{options: o, issued: map[string]time.Time{}} }

// ServeHTTP answers POST /<directory>/oauth2/v2.0/token. Documented: the path, the form, and the answer's keys. Documented by RFC
// 6749, 5.2: 400 with a code of the error, and 401 for a client that cannot prove its identity.
func (t *Tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Method != http.MethodPost || r.URL.Path != "/"+t.options.Directory+"/oauth2/v2.0/token" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	t.asked++
	if t.options.Trouble != nil {
		if status := t.options.Trouble(t.asked); status != 0 {
			if status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", "2")
			}
			refuseToken(w, status, "temporarily_unavailable", "AADSTS90055: the server is too busy")
			return
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	switch err := r.ParseForm(); {
	case err != nil || r.PostForm.Get("grant_type") != "client_credentials":
		refuseToken(w, http.StatusBadRequest, "unsupported_grant_type", "AADSTS70003: the grant type is not supported")
	case r.PostForm.Get("client_id") != t.options.Client:
		refuseToken(w, http.StatusBadRequest, "unauthorized_client", "AADSTS700016: the application was not found")
	case r.PostForm.Get("client_secret") != t.options.Secret:
		refuseToken(w, http.StatusUnauthorized, "invalid_client", "AADSTS7000215: the client secret is invalid")
	case r.PostForm.Get("scope") != t.options.Scope:
		refuseToken(w, http.StatusBadRequest, "invalid_scope", "AADSTS1002012: the scope is not valid")
	default:
		token := fmt.Sprintf("token-%d-of-%s", t.asked, t.options.Client)
		t.issued[token] = time.Now().Add(t.options.Life)
		answerJSON(w, http.StatusOK, map[string]any{
			"token_type": "Bearer", "expires_in": int(t.options.Life.Seconds()), "access_token": token,
		})
	}
}

func refuseToken(w http.ResponseWriter, status int, code, description string) {
	answerJSON(w, status, map[string]any{"error": code, "error_description": description})
}

// Asked returns how many tokens clients have asked for.
func (t *Tokens) Asked() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked
}

// Revoke ends all tokens before their time.
func (t *Tokens) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.issued)
}

// alive tells whether the endpoint has issued the token, and the token has not ended.
func (t *Tokens) alive(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Before(t.issued[token])
}
