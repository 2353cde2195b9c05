package bloodhoundtest

import (
	"fmt"
	"slices"
	"strings"
)

// Profile names a generation of servers.
type Profile string

// The generations that the double can be.
const (
	// Documented does exactly what the published API description says, and nothing more.
	Documented Profile = "documented"
	// Legacy2024 is the server of September 2024, as measured: it knows offset only and fails on a second filter. It
	// answers a timed-out request with an empty body, as servers of that year are known to do.
	Legacy2024 Profile = "legacy-2024"
	// V7 has skip and several filters, and no audit permission of its own.
	V7 Profile = "v7"
	// V84 is v8.4, as measured on the server of November 2025: an audit permission of its own.
	V84 Profile = "v8.4"
	// PR3049 audits every request, its own poll included, and keeps three months.
	PR3049 Profile = "pr3049"
)

// Profiles lists every profile: the documented one, and then the generations from the oldest on.
var Profiles = []Profile{Documented, Legacy2024, V7, V84, PR3049}

// ParseProfile reads a profile's name.
func ParseProfile(name string) (Profile, error) {
	if p := Profile(name); slices.Contains(Profiles, p) {
		return p, nil
	}
	names := make([]string, len(Profiles))
	for i, p := range Profiles {
		names[i] = string(p)
	}
	return "", fmt.Errorf("unknown server profile %q: use one of %s", name, strings.Join(names, ", "))
}

// abilities are the differences between generations.
type abilities struct {
	version    string     // as /api/version prints it
	permission permission // the one that the audit route asks for

	filters    dialect             // how the server reads filters
	filterable map[string][]string // column -> predicates
	sortable   []string

	emptySort400 bool // the server refuses an empty sort_by, and the handler does not panic

	skip         bool   // the server knows skip
	offset       bool   // the server knows offset
	minimum      int    // smallest skip and limit that the server accepts
	counts       bool   // the envelope has count, limit and skip
	commitFirst  bool   // commit_id is printed before status
	yearFromNow  bool   // after defaults to a year before now, not before the upper bound
	prefer       prefer // how the server reads Prefer: wait
	emptyTimeout bool   // a passed deadline gives a 200 with an empty body
	samlUser     bool   // a user has the key of SAML alone, not of every single sign-on

	limitEarly bool // the server checks the rate limit before the credentials
	limitJSON  bool // a 429 is a JSON error

	unknownUser401 bool // login does not tell unknown users from wrong passwords
	authType       bool // LoginAttempt says how, and its error is an empty object
	audited        bool // every request leaves two rows, and the server drops old months
}

type permission struct{ authority, name string }

var (
	manageUsers  = permission{"auth", "ManageUsers"}
	auditLogRead = permission{"audit_log", "Read"}

	identity = []string{"eq", "neq"}
	ordered  = []string{"eq", "neq", "gt", "gte", "lt", "lte"}
	textual  = []string{"eq", "neq", "~eq"}

	sourceColumns = map[string][]string{
		"id": ordered, "created_at": ordered,
		"actor_id": identity, "actor_name": identity, "actor_email": identity, "action": identity,
		"request_id": identity, "source_ip_address": identity, "status": identity,
	}
	documentedColumns = map[string][]string{
		"id": textual, "created_at": ordered,
		"actor_id": textual, "actor_name": textual, "actor_email": textual, "action": textual,
		"request_id": textual, "source": textual, "status": identity,
	}

	// The source rejects three columns that the documentation promises: actor_id, request_id and source.
	sourceSort     = []string{"id", "actor_name", "actor_email", "action", "created_at", "source_ip_address", "status"}
	documentedSort = []string{
		"id", "actor_id", "actor_name", "actor_email", "action", "request_id", "created_at", "source", "status",
	}
)

// generations is the one place where profiles differ.
var generations = map[Profile]abilities{
	Documented: {
		version: "v8.4.0", permission: auditLogRead,
		filters: wholeValue, filterable: documentedColumns, sortable: documentedSort, emptySort400: true,
		skip: true, minimum: 1, commitFirst: true, yearFromNow: true,
		prefer: preferDocumented, limitEarly: true, limitJSON: true, unknownUser401: true, authType: true,
	},
	Legacy2024: {
		version: "v5.8.1", permission: manageUsers,
		filters: bound, filterable: sourceColumns, sortable: sourceSort,
		offset: true, counts: true,
		prefer: preferWait, emptyTimeout: true, limitJSON: true, samlUser: true,
	},
	V7: {
		version: "v7.4.0", permission: manageUsers,
		filters: literal, filterable: sourceColumns, sortable: sourceSort,
		skip: true, offset: true, counts: true,
		prefer: preferWait, authType: true,
	},
	V84: {
		version: "v8.4.0", permission: auditLogRead,
		filters: literal, filterable: sourceColumns, sortable: sourceSort,
		skip: true, offset: true, counts: true,
		prefer: preferWait, authType: true,
	},
	PR3049: {
		version: "v9.0.0-rc1", permission: auditLogRead,
		filters: literal, filterable: sourceColumns, sortable: sourceSort,
		skip: true, offset: true, counts: true,
		prefer: preferWait, limitEarly: true, authType: true, audited: true,
	},
}
