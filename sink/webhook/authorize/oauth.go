package authorize

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/houndtrail/houndtrail/config/setting"
)

const (
	// renewAt is the share of a token's life after which Houndtrail asks for the next token.
	renewAt = 0.8
	// renewPause is the pause after a renewal that failed, while the token in use is still alive.
	renewPause = 30 * time.Second
	// tokenTimeout limits the time of one question for a token.
	tokenTimeout = 10 * time.Second
	// mostTokenAnswer is how many bytes of the answer Houndtrail reads.
	mostTokenAnswer = 64 << 10
)

// OAuthOptions name the token endpoint and the client.
type OAuthOptions struct {
	TokenURL string
	Client   string
	Scope    string // "" asks for none
	// Secret returns the client's secret. It reads the secret again each time.
	Secret func() (string, error)
	// Transport sends the questions.
	Transport http.RoundTripper
	Log       *zap.Logger
}

// OAuth proves by a bearer token. A token endpoint gives the token for the client's secret (RFC 6749, 4.4). OAuth asks for a token
// when the first request needs one, again after 80% of the token's life, and at once if the receiver refuses the token. All
// requests wait for one question. OAuth never uses a token after its end, or after a receiver has refused it. If the endpoint fails
// while the token is alive, the token stays in use.
type OAuth struct {
	options OAuthOptions
	url     *url.URL
	secret  *Fresh[string]
	asking  singleflight.Group

	mu      sync.Mutex
	token   token
	earlier string // the previous token
}

// A token is a bearer token. The zero value is no token.
type token struct {
	text  string
	renew time.Time // when to ask for the next token
	end   time.Time
}

// NewOAuth checks the options. It does not ask for a token.
func NewOAuth(o OAuthOptions) (*OAuth, error) {
	u, err := ParseTokenURL(o.TokenURL)
	if err != nil {
		return nil, err
	}
	return &OAuth{options: o, url: u, secret: NewFresh(setting.WebhookOAuthClientSecret, o.Secret, o.Log)}, nil
}

// ParseTokenURL checks the address of a token endpoint. Its error does not show the address.
func ParseTokenURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("not the address of a token endpoint; want one like " +
			"https://login.microsoftonline.com/<directory>/oauth2/v2.0/token")
	}
	return u, nil
}

// Authorize sets the header with the token. It asks for a token if there is none that it can use.
func (o *OAuth) Authorize(ctx context.Context, r *http.Request, _ Body) error {
	t := o.current()
	if now := time.Now(); !now.Before(t.renew) {
		fresh, err := o.ask(ctx)
		switch {
		case err == nil:
			t = fresh
		case !time.Now().Before(t.end) || ctx.Err() != nil:
			return err
		default:
			o.postpone(t, err)
		}
	}
	r.Header.Set("Authorization", "Bearer "+t.text)
	return nil
}

func (o *OAuth) current() token {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.token
}

// ask asks for a token, together with all other requests that need one. The question goes on even if the request that began it
// ends.
func (o *OAuth) ask(ctx context.Context) (token, error) {
	answer := o.asking.DoChan("", func() (any, error) {
		alone, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
		defer cancel()
		t, err := o.question(alone)
		if err != nil {
			return token{}, err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.earlier, o.token = o.token.text, t
		return t, nil
	})
	select {
	case <-ctx.Done():
		return token{}, ctx.Err()
	case got := <-answer:
		t, _ := got.Val.(token) // it is always a token
		return t, got.Err
	}
}

// postpone keeps a living token in use for a while, after its renewal has failed.
func (o *OAuth) postpone(t token, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.token != t {
		return // another request has already replaced or postponed it
	}
	o.token.renew = time.Now().Add(min(renewPause, time.Until(t.end)))
	o.options.Log.Warn("the token could not be renewed: the one in use stays until its end", zap.Time("end", t.end), zap.Error(err))
}

// Refused drops the token that the receiver refused, so that the next request gets another one. If the request had an earlier
// token, there is already another one. The status 403 is about the client's rights, and another token does not change these.
func (o *OAuth) Refused(r *http.Request, status int) (again bool, why string) {
	if status != http.StatusUnauthorized {
		return false, ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.token.text != "" && r.Header.Get("Authorization") == "Bearer "+o.token.text {
		o.earlier, o.token = o.token.text, token{}
	}
	return true, ""
}

// Secrets returns the client's secrets and the tokens.
func (o *OAuth) Secrets(r *http.Request) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append(append(o.secret.All(), o.token.text, o.earlier), headerSecrets(r.Header.Get("Authorization"))...)
}
