package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/houndtrail/houndtrail/config/setting"
)

const loginPath = "/api/v2/login"

// Login authenticates with a user name and a password. It keeps the session. It renews the session after 80% of its life, and
// once if the server ends the session early. Concurrent requests share one login. Each login writes a record into the audit log
// that Houndtrail reads. An account with a second factor cannot log in. So Token is the better way.
func Login(username string, password func() (string, error)) Authenticator {
	return &login{
		username: username,
		password: password,
		limiter:  rate.NewLimiter(rate.Every(time.Second), 1), // the server's own limit for this route
	}
}

type login struct {
	username string
	password func() (string, error)
	limiter  *rate.Limiter
	flight   singleflight.Group

	mu      sync.Mutex
	jwt     string    // "" while there is no session
	renewAt time.Time // zero if the session's end is not known
}

func (l *login) authorize(ctx context.Context, c *Client, r *http.Request, _ []byte) error {
	if jwt, ok := l.session(); ok {
		setBearer(r, jwt)
		return nil
	}
	// If one caller gives up, the login has to go on for the other callers that share it.
	done := l.flight.DoChan("", func() (any, error) {
		return l.logIn(context.WithoutCancel(ctx), c) // limited like every exchange
	})
	select {
	case got := <-done:
		if got.Err != nil {
			return got.Err
		}
		jwt, _ := got.Val.(string)
		setBearer(r, jwt)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the login: %w", context.Cause(ctx))
	}
}

func (l *login) session() (jwt string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.jwt, l.jwt != "" && (l.renewAt.IsZero() || time.Now().Before(l.renewAt))
}

// logIn performs one login and keeps the new session.
func (l *login) logIn(ctx context.Context, c *Client) (string, error) {
	if jwt, ok := l.session(); ok {
		return jwt, nil // another caller has just logged in
	}
	if err := l.limiter.Wait(ctx); err != nil {
		return "", fmt.Errorf("log in as %q: wait for the login rate: %w", l.username, err)
	}
	jwt, date, err := l.post(ctx, c)
	if err != nil {
		return "", fmt.Errorf("log in as %q: %w", l.username, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jwt, l.renewAt = jwt, renewalOf(jwt, date)
	return jwt, nil
}

// renewalOf returns the local time at which the client replaces a session that it has just opened. The length of the session is
// measured by the server's clock only, so the local clock may be wrong.
func renewalOf(jwt string, date time.Time) time.Time {
	issued, expires, ok := Life(jwt)
	issued = cmp.Or(issued, date)
	if !ok || issued.IsZero() || !expires.After(issued) {
		return time.Time{}
	}
	return time.Now().Add(expires.Sub(issued) / 5 * 4)
}

func (l *login) post(ctx context.Context, c *Client) (jwt string, date time.Time, err error) {
	password, err := l.password()
	if err == nil {
		password = strings.TrimRight(password, "\r\n") // other white space may be part of the password
		err = complainIf(password == "", "it is empty")
	}
	if err != nil {
		return "", date, fmt.Errorf("read the password: %w", err)
	}
	body, err := json.Marshal(map[string]string{"login_method": "secret", "username": l.username, "secret": password})
	if err != nil {
		return "", date, fmt.Errorf("encode the login: %w", err)
	}
	r, err := c.newRequest(confide(ctx, password), http.MethodPost, loginPath, body)
	if err != nil {
		return "", date, err
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := c.roundTrip(r, c.UpTo(OrdinaryBody))
	if err != nil {
		return "", date, err
	}
	defer a.body.Release()
	if e := judge(a, r); e != nil {
		e.Advice = explainLogin(e)
		return "", date, e
	}
	jwt, err = sessionToken(a.body.Bytes)
	return jwt, a.clock.Server, err
}

// errExpiredPassword is final: the permissions of the session that the server opened do not reach the audit log.
var errExpiredPassword = errors.New("the password has expired: log in once with a browser and set a new one, " +
	"or use an API token")

func sessionToken(body []byte) (string, error) {
	var reply struct {
		Data struct {
			Expired bool   `json:"auth_expired"`
			Token   string `json:"session_token"`
		} `json:"data"`
	}
	// The decoder's own error may quote the text, and so a part of the token.
	if json.Unmarshal(body, &reply) != nil {
		return "", errors.New("the reply to the login is not the JSON that BloodHound sends: is " + setting.BloodHoundURL +
			" the address of a BloodHound server?")
	}
	if reply.Data.Expired {
		return "", errExpiredPassword
	}
	return secret("the session token", func() (string, error) { return reply.Data.Token, nil })
}

// refused drops the session that the server refused, unless another request has already replaced it. In both cases the next try
// has another session.
func (l *login) refused(r *http.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.jwt == bearerOf(r) {
		l.jwt = ""
	}
	return true
}

func (l *login) explain(e *Error, _ *http.Request) string {
	switch e.Kind {
	case Unauthorized:
		return fmt.Sprintf("a session that was just opened for %q is refused: a proxy on the way may remove the "+
			"Authorization header, or something ends the user's sessions", l.username)
	case Forbidden:
		if e.Advice != adviceForbidden {
			return ""
		}
		return adviceForbidden + "; it is also refused while the licence agreement (EULA) waits to be accepted in the browser"
	default:
		return ""
	}
}

// explainLogin says what to do about a refused login.
func explainLogin(e *Error) string {
	said := strings.ToLower(e.Message)
	switch {
	case e.Advice == adviceForeign:
		return e.Advice
	case e.Kind == Unauthorized, e.Kind == NotFound && strings.Contains(said, "resource not found"): // servers of 2024 say the latter
		return setting.BloodHoundUsername + " or " + setting.BloodHoundPassword + " is wrong"
	case e.Kind == BadRequest && strings.Contains(said, "one time password"):
		return "the account asks for a second factor, which a program does not have: use an API token, which needs none"
	default:
		return e.Advice
	}
}
