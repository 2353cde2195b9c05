package bloodhoundtest

import (
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// health answers GET /health with an empty 200.
func (s *Server) health(w http.ResponseWriter, _ *http.Request, _ *call) {
	w.WriteHeader(http.StatusOK)
}

type versionReply struct {
	Data struct {
		API struct {
			Current    string `json:"current_version"`
			Deprecated string `json:"deprecated_version"`
		} `json:"API"`
		Server  string `json:"server_version"`
		Edition string `json:"product_edition,omitempty"` // newer builds only
	} `json:"data"`
}

// version answers GET /api/version.
func (s *Server) version(w http.ResponseWriter, _ *http.Request, _ *call) {
	var reply versionReply
	reply.Data.API.Current, reply.Data.API.Deprecated = "v2", "none"
	reply.Data.Server = s.can.version
	if s.can.permission == auditLogRead {
		reply.Data.Edition = "community"
	}
	api.WriteJSON(w, http.StatusOK, reply)
}

type selfReply struct {
	Data *userReply `json:"data"` // null without credentials: the route does not ask for them
}

type userReply struct {
	SAML        json.RawMessage `json:"saml_provider_id,omitempty"` // of 2024
	SSO         json.RawMessage `json:"sso_provider_id,omitempty"`
	AuthSecret  *secret         `json:"AuthSecret"` // null for a user without a password
	Roles       []role          `json:"roles"`
	LastLogin   time.Time       `json:"last_login"`
	Email       string          `json:"email_address"`
	Name        string          `json:"principal_name"`
	Disabled    bool            `json:"is_disabled"`
	EULA        bool            `json:"eula_accepted"`
	ID          string          `json:"id"`
	Permissions []granted       `json:"permissions"`
}

type secret struct {
	Digest    string    `json:"digest_method"`
	Expires   time.Time `json:"expires_at"`
	TOTP      bool      `json:"totp_activated"`
	ID        int       `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	DeletedAt struct {
		Time  time.Time
		Valid bool
	} `json:"deleted_at"`
}

type role struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Permissions []granted `json:"permissions"`
	ID          int       `json:"id"`
}

type granted struct {
	ID        int    `json:"id"`
	Authority string `json:"authority"`
	Name      string `json:"name"`
}

// self answers GET /api/v2/self.
func (s *Server) self(w http.ResponseWriter, _ *http.Request, c *call) {
	if c.who == nil {
		api.WriteJSON(w, http.StatusOK, selfReply{})
		return
	}
	mine := role{ID: 2, Name: "Read-Only", Description: "Can read the graph", Permissions: []granted{
		{ID: 11, Authority: "graphdb", Name: "Read"},
	}}
	if s.people.mayAudit(c.who) {
		mine = role{ID: 6, Name: "Auditor", Description: "Can read data and audit logs", Permissions: []granted{
			{ID: 24, Authority: s.can.permission.authority, Name: s.can.permission.name},
		}}
		if s.can.permission == manageUsers {
			mine.ID, mine.Name = 1, "Administrator"
			mine.Description = "Can manage users, clients, and application configuration"
		}
	}
	now := s.now().UTC()
	user := &userReply{
		ID: c.who.ID, Name: c.who.Name, Email: c.who.Email, EULA: true, LastLogin: now,
		Roles: []role{mine}, Permissions: mine.Permissions,
	}
	if s.can.samlUser {
		user.SAML = json.RawMessage("null")
	} else {
		user.SSO = json.RawMessage("null")
	}
	if c.who.Password != "" {
		user.AuthSecret = &secret{
			Digest: "argon2", Expires: now.AddDate(0, 0, 90), TOTP: c.who.OTP != "", ID: 2, CreatedAt: now, UpdatedAt: now,
		}
	}
	api.WriteJSON(w, http.StatusOK, selfReply{Data: user})
}

// spec answers GET /api/v2/spec with only the head of an OpenAPI description.
func (s *Server) spec(w http.ResponseWriter, _ *http.Request, _ *call) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{
  "openapi": "3.0.3",
  "info": {
    "title": "BloodHound API",
    "version": "v2"
  },
  "paths": {
    "/api/v2/audit": {}
  }
}
`)
}

// route is an endpoint. Each path has one method.
type route struct {
	method    string
	protected bool // it needs credentials
	audit     bool // it needs the permission to read the audit log
	perSecond int
	handle    func(*Server, http.ResponseWriter, *http.Request, *call)
}

const auditPath = "/api/v2/audit"

var routes = map[string]route{
	auditPath:       {http.MethodGet, true, true, api.RequestsPerSecond, (*Server).audit},
	"/api/v2/login": {http.MethodPost, false, false, loginsPerSecond, (*Server).login},
	"/api/version":  {http.MethodGet, true, false, api.RequestsPerSecond, (*Server).version},
	"/api/v2/self":  {http.MethodGet, false, false, api.RequestsPerSecond, (*Server).self},
	"/api/v2/spec":  {http.MethodGet, false, false, api.RequestsPerSecond, (*Server).spec},
	"/health":       {http.MethodGet, false, false, api.RequestsPerSecond, (*Server).health},
}

// find returns the route of a request, or answers a request that has none. It redirects a path with a double slash or a dot to
// its clean form, and the root to the user interface. It answers OPTIONS on every route.
func find(w http.ResponseWriter, r *http.Request) (route, bool) {
	if clean := cleanPath(r.URL.Path); clean != r.URL.Path {
		to := *r.URL
		to.Path, to.RawPath = clean, ""
		w.Header().Set("Location", to.RequestURI())
		w.WriteHeader(http.StatusMovedPermanently)
		return route{}, false
	}
	rt, ok := routes[r.URL.Path]
	switch {
	case r.URL.Path == "/":
		http.Redirect(w, r, "/ui", http.StatusMovedPermanently)
	case !ok:
		http.NotFound(w, r)
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusOK)
	case r.Method != rt.method:
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		return rt, true
	}
	return route{}, false
}

// cleanPath keeps a slash at the end: with it, it is another path.
func cleanPath(p string) string {
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}
