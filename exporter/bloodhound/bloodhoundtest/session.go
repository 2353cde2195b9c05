package bloodhoundtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// defaultSessionTTL is auth_session_ttl_hours as documented: fixed, not sliding.
const defaultSessionTTL = 8 * time.Hour

// sessions is the table that a token's jti points into: a token without its row is not valid.
type sessions struct {
	key  string
	ttl  time.Duration
	rows map[string]string // jti -> user name
	last int
}

func newSessions(opts Options) sessions {
	ttl := opts.SessionTTL
	if ttl == 0 {
		ttl = defaultSessionTTL
	}
	return sessions{key: fmt.Sprintf("session key %d", opts.Seed), ttl: ttl, rows: make(map[string]string)}
}

type claims struct {
	ID       string `json:"jti"`
	Subject  string `json:"sub"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// issue opens a session and returns its HS256 token.
func (s *sessions) issue(a *account, now time.Time) string {
	s.last++
	id := strconv.Itoa(s.last)
	s.rows[id] = a.Name
	payload, _ := json.Marshal(claims{ // strings and numbers always marshal
		ID: id, Subject: a.ID, IssuedAt: now.Unix(), Expires: now.Add(s.ttl).Unix(),
	})
	encode := base64.RawURLEncoding.EncodeToString
	unsigned := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(payload)
	return unsigned + "." + s.seal(unsigned)
}

func (s *sessions) seal(unsigned string) string {
	return base64.RawURLEncoding.EncodeToString(chain([]byte(s.key), unsigned))
}

// user is the name of the user of a token's session. A text that is no token of the server gets another refusal than a token
// whose time is over.
func (s *sessions) user(token string, now time.Time) (name string, refused *api.Error) {
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 || s.seal(token[:dot]) != token[dot+1:] {
		return "", errAuthentication
	}
	_, payload, _ := strings.Cut(token[:dot], ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", errAuthentication
	}
	var c claims
	if err := json.Unmarshal(text, &c); err != nil {
		return "", errAuthentication
	}
	name, ok := s.rows[c.ID]
	if !ok || now.Unix() >= c.Expires {
		return "", api.ErrBearer
	}
	return name, nil
}

func (d *directory) bearer(token string, now time.Time) (*account, *api.Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name, refused := d.sessions.user(token, now)
	if refused != nil {
		return nil, refused
	}
	who := *d.users[name]
	if who.disabled {
		return nil, errDisabled
	}
	return &who, nil
}

var errDisabled = &api.Error{Status: http.StatusForbidden, Message: "user disabled"}

// Session opens a session for a user as a login would and returns its token, or "" for an unknown user.
func (s *Server) Session(user string) string {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	a, ok := s.people.users[user]
	if !ok {
		return ""
	}
	return s.people.sessions.issue(a, s.now())
}

// ExpireSessions deletes every session, so that each bearer token is refused from now on.
func (s *Server) ExpireSessions() {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	clear(s.people.sessions.rows)
}

type loginRequest struct {
	Method   string `json:"login_method"`
	Username string `json:"username"`
	Secret   string `json:"secret"`
	OTP      string `json:"otp"`
}

type loginReply struct {
	Data struct {
		UserID  string `json:"user_id"`
		Expired bool   `json:"auth_expired"`
		Token   string `json:"session_token"`
	} `json:"data"`
}

// login answers POST /api/v2/login. Each attempt leaves its two rows: a client that polls with sessions reads its own logins.
func (s *Server) login(w http.ResponseWriter, r *http.Request, c *call) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		badRequest("content type must be application/json").Write(w, s.now())
		return
	}
	var body loginRequest
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		badRequest("could not decode limited payload request into value: "+err.Error()).Write(w, s.now())
		return
	}
	if body.Method != "secret" {
		badRequest("Login method "+body.Method+" is not supported.").Write(w, s.now())
		return
	}
	commit := s.newUUID()
	s.record(c, Row{Action: "LoginAttempt", CommitID: commit, Fields: s.loginFields(body, nil), Status: "intent"})
	reply, who, refused := s.open(body)
	outcome := Row{Action: "LoginAttempt", CommitID: commit, Fields: s.loginFields(body, refused), Status: "failure"}
	if who != nil {
		outcome.ActorID, outcome.ActorName, outcome.ActorEmail = who.ID, who.Name, who.Email
	}
	if refused != nil {
		s.record(c, outcome)
		refused.Write(w, s.now())
		return
	}
	outcome.Status = "success"
	s.record(c, outcome)
	api.WriteJSON(w, http.StatusOK, reply)
}

// open checks a login and opens its session. If the name is not known, the account is nil.
func (s *Server) open(body loginRequest) (reply loginReply, who *account, refused *api.Error) {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	a, ok := s.people.users[body.Username]
	switch {
	case !ok && s.can.unknownUser401:
		return reply, nil, errAuthentication
	case !ok:
		return reply, nil, &api.Error{Status: http.StatusNotFound, Message: "resource not found"}
	case a.Password == "", a.Password != body.Secret:
		return reply, a, errAuthentication
	case a.OTP != "" && a.OTP != body.OTP: // a user without one may send any text
		return reply, a, badRequest("one time password is invalid")
	case a.disabled:
		return reply, a, errDisabled
	}
	reply.Data.UserID, reply.Data.Expired = a.ID, a.expired
	reply.Data.Token = s.people.sessions.issue(a, s.now())
	return reply, a, nil
}

var errAuthentication = &api.Error{Status: http.StatusUnauthorized, Message: "authentication is invalid"}

// loginFields are the fields of LoginAttempt. Newer servers marshal the error value itself, which gives {}.
func (s *Server) loginFields(body loginRequest, refused *api.Error) json.RawMessage {
	fields := map[string]any{"username": body.Username}
	if s.can.authType {
		fields["auth_type"] = body.Method
	}
	switch {
	case refused != nil && s.can.authType:
		fields["error"] = struct{}{}
	case refused != nil:
		fields["error"] = "invalid authentication"
	}
	text, _ := json.Marshal(fields) // strings always marshal
	return text
}
