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
	// renewAt is the share of a token's life after which Houndtrail asks for the next one.
	renewAt = 0.8
	// renewPause is the pause after a renewal that failed, as long as the token in use is alive.
	renewPause = 30 * time.Second
	// tokenTimeout bounds one question for a token.
	tokenTimeout = 10 * time.Second
	// mostTokenAnswer is how many bytes of the answer count.
	mostTokenAnswer = 64 << 10
)

// OAuthOptions name the token endpoint, and the client.
type OAuthOptions struct {
	TokenURL string
	Client   string
	Scope    string // "" asks for none
	// Secret returns the client's secret, and reads it anew each time.
	Secret func() (string, error)
	// Transport sends the questions.
	Transport http.RoundTripper
	Log       *zap.Logger
}

// OAuth proves by a bearer token, which a token endpoint gives for the client's secret (RFC 6749, 4.4). It asks for a token when the
// first request needs one, again after 80% of its life, and at once if the receiver refuses it. All requests wait for one question.
// A token is never used after its end, and never again after a receiver has refused it. If the endpoint fails while the token is
// alive, the token stays in use.
type OAuth struct {
	options OAuthOptions
	url     *url.URL
	secret  *Fresh[string]
	asking  singleflight.Group

	mu      sync.Mutex
	token   token
	earlier string // the token before
}

// A token is a bearer token; the zero value is none.
type token struct {
	text  string
	renew time.Time // when to ask for the next one
	end   time.Time
}

// NewOAuth checks the options and asks for nothing.
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

// Authorize sets the header with the token, and asks for one if there is none to use.
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

// ask asks for a token, together with all others who need one. The question does not end with the request of the one who began it.
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
		t, _ := got.Val.(token) // it always is
		return t, got.Err
	}
}

// postpone keeps a token that is alive in use for a while, after its renewal failed.
func (o *OAuth) postpone(t token, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.token != t {
		return // another request has seen to it
	}
	o.token.renew = time.Now().Add(min(renewPause, time.Until(t.end)))
	o.options.Log.Warn("the token could not be renewed: the one in use stays until its end", zap.Time("end", t.end), zap.Error(err))
}

// Refused drops the token that the receiver refused, so that the next request gets another one. If the request had an earlier token,
// there is another one already. The status 403 speaks of the client's rights, which another token does not change.
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

// Secrets are the client's secrets and the tokens.
func (o *OAuth) Secrets(r *http.Request) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append(append(o.secret.All(), o.token.text, o.earlier), headerSecrets(r.Header.Get("Authorization"))...)
}
