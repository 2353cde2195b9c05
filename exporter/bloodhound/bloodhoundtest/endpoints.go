package bloodhoundtest

import (
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// health answers GET /health: that it answers is all it says.
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
	writeJSON(w, http.StatusOK, reply)
}

type selfReply struct {
	Data *userReply `json:"data"` // null without credentials: the route does not ask for them
}

type userReply struct {
	ID          string    `json:"id"`
	Name        string    `json:"principal_name"`
	Email       string    `json:"email_address"`
	Disabled    bool      `json:"is_disabled"`
	EULA        bool      `json:"eula_accepted"`
	LastLogin   time.Time `json:"last_login"`
	AuthSecret  any       `json:"AuthSecret"`
	Roles       []role    `json:"roles"`
	Permissions []granted `json:"permissions"`
}

type role struct {
	ID          int       `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Permissions []granted `json:"permissions"`
}

type granted struct {
	ID        int    `json:"id"`
	Authority string `json:"authority"`
	Name      string `json:"name"`
}

// self answers GET /api/v2/self.
func (s *Server) self(w http.ResponseWriter, _ *http.Request, c *call) {
	if c.who == nil {
		writeJSON(w, http.StatusOK, selfReply{})
		return
	}
	mine := role{ID: 2, Name: "Read-Only", Description: "Can read the graph", Permissions: []granted{
		{ID: 11, Authority: "graphdb", Name: "Read"},
	}}
	if s.people.mayAudit(c.who) {
		mine = role{ID: 6, Name: "Auditor", Description: "Can read the audit log", Permissions: []granted{
			{ID: 24, Authority: s.can.permission.authority, Name: s.can.permission.name},
		}}
		if s.can.permission == manageUsers {
			mine.ID, mine.Name, mine.Description = 1, "Administrator", "Can manage users and everything else"
		}
	}
	writeJSON(w, http.StatusOK, selfReply{Data: &userReply{
		ID: c.who.ID, Name: c.who.Name, Email: c.who.Email, EULA: true, LastLogin: s.now().UTC(),
		Roles: []role{mine}, Permissions: mine.Permissions,
	}})
}

// newUUID is a version 4 UUID that the generator decides.
func newUUID(r *rand.Rand) string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], r.Uint64())
	binary.BigEndian.PutUint64(u[8:], r.Uint64())
	const version, variant = 6, 8 // bytes of RFC 9562 that say what kind of UUID it is
	u[version] = u[version]&0x0f | 0x40
	u[variant] = u[variant]&0x3f | 0x80
	return u.String()
}
