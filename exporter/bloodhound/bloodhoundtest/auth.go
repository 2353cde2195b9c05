package bloodhoundtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// User is an account of the double.
type User struct {
	ID       string // a UUID; made up when empty
	Name     string // principal name
	Email    string
	Password string // for POST /api/v2/login; empty means that the user cannot log in
	OTP      string // the one time password that the login asks for; "" for none
}

// account is a user, with the changes that an administrator has made to it since.
type account struct {
	User
	disabled bool
	expired  bool // the password has expired: sessions lose their permissions
}

// directory has the users, their credentials and permissions. All of it may change while requests are under way.
type directory struct {
	mu       sync.Mutex
	users    map[string]*account // by name
	owner    string              // name of the user that the API tokens belong to
	tokens   map[string]string   // id -> key
	sessions sessions
	denied   bool // no user has the audit permission
}

// maxSkew is how far a client's clock may be off. The server still accepts exactly this much.
const maxSkew = time.Hour

// authenticate finds out which user sends the request: nil without credentials, a failure with wrong ones.
func (s *Server) authenticate(r *http.Request) (*account, *api.Error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, nil
	}
	parts := strings.Split(header, " ")
	if len(parts) != 2 {
		return nil, badRequest("Expected only two components for the Authorization header.")
	}
	switch strings.ToLower(parts[0]) {
	case "bearer":
		return s.people.bearer(parts[1], s.now())
	case "bhesignature":
		return s.people.signed(r, parts[1], s.now())
	default:
		return nil, badRequest(fmt.Sprintf(unexpectedScheme+"%s.", parts[0]))
	}
}

const unexpectedScheme = "Unexpected authorization scheme: "

// signed checks an API token's signature, in the same order as the server.
func (d *directory) signed(r *http.Request, tokenID string, now time.Time) (*account, *api.Error) {
	id, err := uuid.Parse(tokenID)
	if err != nil {
		return nil, badRequest("Token ID is malformed.")
	}
	date, digest, refused := signature(r.Header)
	if refused != nil {
		return nil, refused
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, unverified(http.StatusBadRequest, err.Error())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key, ok := d.tokens[id.String()] // a uuid column: any spelling finds it
	if !ok {
		return nil, unverified(http.StatusUnauthorized, "resource not found")
	}
	who := d.users[d.owner]
	if who.disabled {
		return nil, unverified(http.StatusForbidden, "user disabled")
	}
	if problem := skewed(date, now); problem != "" {
		return nil, unverified(http.StatusUnauthorized, problem)
	}
	if !hmac.Equal(digest, sign(key, r.Method, target(r), date, body)) {
		return nil, unverified(http.StatusUnauthorized, "digest validation failed: signature digest mismatch")
	}
	granted := *who
	granted.expired = false // an expired password does not touch API tokens
	return &granted, nil
}

// signature reads the headers that a signed request has.
func signature(h http.Header) (date time.Time, digest []byte, refused *api.Error) {
	written := h.Get("RequestDate")
	if written == "" {
		return date, nil, unverified(http.StatusBadRequest, "no request date header")
	}
	date, err := time.Parse(time.RFC3339Nano, written)
	if err != nil {
		const twice = "malformed request date: malformed request date: " // the servers write it twice
		return date, nil, unverified(http.StatusBadRequest, twice+err.Error())
	}
	text := h.Get("Signature")
	if text == "" {
		return date, nil, unverified(http.StatusBadRequest, "no signature header")
	}
	if digest, err = base64.StdEncoding.DecodeString(text); err != nil {
		return date, nil, unverified(http.StatusBadRequest, "malformed signature header: "+err.Error())
	}
	return date, digest, nil
}

func unverified(status int, detail string) *api.Error {
	return &api.Error{Status: status, Message: "unable to validate request signature for client: " + detail}
}

// skewed says by how much a clock is off beyond maxSkew, or nothing if it is not.
func skewed(client, server time.Time) string {
	skew, way := client.Sub(server), "ahead"
	if skew < 0 {
		skew, way = -skew, "behind"
	}
	if skew <= maxSkew {
		return ""
	}
	return fmt.Sprintf("signature too far %s by %.2f minutes. Server time is %s. Client time is %s", way,
		(skew - maxSkew).Minutes(), server.Format(time.RFC3339), client.Format(time.RFC3339))
}

// sign is the chain of three HMACs of cmd/api/src/api/signature.go: over method and raw request target, over the
// hour of the date in the date's own offset, over the body. The key is the text that the server showed to the user.
func sign(key, method, target string, date time.Time, body []byte) []byte {
	const hour = len("2006-01-02T15")
	sum := chain([]byte(key), method+target)
	sum = chain(sum, date.Format(time.RFC3339)[:hour])
	return chain(sum, string(body))
}

func chain(key []byte, data string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, data) // a hash never fails
	return mac.Sum(nil)
}

// target is the request target byte for byte, which the signature covers.
func target(r *http.Request) string {
	if r.RequestURI != "" {
		return r.RequestURI
	}
	return r.URL.RequestURI() // served in memory: there was no request line
}

// Revoke deletes an API token.
func (s *Server) Revoke(tokenID string) {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	delete(s.people.tokens, tokenID)
}

// Disable locks a user out, with tokens and sessions. An unknown name changes nothing.
func (s *Server) Disable(user string) { s.change(user, func(a *account) { a.disabled = true }) }

// ExpirePassword takes all permissions from a user's sessions, old and new, except to change the password.
func (s *Server) ExpirePassword(user string) { s.change(user, func(a *account) { a.expired = true }) }

func (s *Server) change(user string, f func(*account)) {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	if a, ok := s.people.users[user]; ok {
		f(a)
	}
}

// AllowAudit gives or takes the permission to read the audit log. A new server has it.
func (s *Server) AllowAudit(allow bool) {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	s.people.denied = !allow
}

// mayAudit tells whether an account may read the audit log.
func (d *directory) mayAudit(a *account) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.denied && !a.expired
}

// owned is the name of the user that the API tokens belong to, if Options has no users.
const owned = "houndtrail"

func newDirectory(opts Options, newUUID func() string) *directory {
	users := opts.Users
	if len(users) == 0 {
		users = []User{{Name: owned, Email: owned + "@example.com"}}
	}
	d := &directory{users: make(map[string]*account), owner: users[0].Name, tokens: maps.Clone(opts.Tokens)}
	for _, u := range users {
		if u.ID == "" {
			u.ID = newUUID()
		}
		d.users[u.Name] = &account{User: u}
	}
	d.sessions = newSessions(opts)
	return d
}
