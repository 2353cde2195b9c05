package schema

import "strings"

// An Action says what the schemas make of one action of the log.
type Action struct {
	Name       string
	Categories string // of ECS, separated by blanks
	Types      string // of ECS, separated by blanks, for outcomes: an intent has the type info
	Class      Class  // of OCSF, if the event has the objects that the class requires
	Activity   int    // of that class
	Severity   int    // of OCSF
	Entity     string // the kind of the entity, for EntityManagement

	user target // the user that is the target of the action
}

// A Class is the class_uid of an OCSF class.
type Class int

// These are the classes of OCSF 1.5.0 that events can have.
const (
	BaseEvent        Class = 0
	AccountChange    Class = 3001
	Authentication   Class = 3002
	EntityManagement Class = 3004
	APIActivity      Class = 6003
)

// String returns the caption of the class.
func (c Class) String() string {
	switch c {
	case AccountChange:
		return "Account Change"
	case Authentication:
		return "Authentication"
	case EntityManagement:
		return "Entity Management"
	case APIActivity:
		return "API Activity"
	default:
		return "Base Event"
	}
}

// category returns the category_uid of the class.
func (c Class) category() int { return int(c) / 1000 }

// These are the activities of the classes. Other is the same in all of them.
const (
	activityCreate = 1
	activityRead   = 2
	activityUpdate = 3
	activityDelete = 4
	activityOther  = 99

	authenticationLogon  = 1
	authenticationLogoff = 2

	accountCreate         = 1
	accountPasswordChange = 3
	accountDelete         = 6
)

// caption is the name of an activity of the class. It is "" for Other.
func (c Class) caption(activity int) string {
	switch {
	case c == BaseEvent || activity == activityOther:
		return ""
	case c == Authentication:
		return map[int]string{authenticationLogon: "Logon", authenticationLogoff: "Logoff"}[activity]
	case c == AccountChange:
		return map[int]string{accountCreate: "Create", accountPasswordChange: "Password Change", accountDelete: "Delete"}[activity]
	default:
		return map[int]string{activityCreate: "Create", activityRead: "Read", activityUpdate: "Update", activityDelete: "Delete"}[activity]
	}
}

// A target says which fields of a record name the user that is the target of the action.
type target int

const (
	noUser      target = iota
	loginUser          // the name with which a client tried to log in
	sessionUser        // the actor
	wholeUser          // id, name and e-mail address
	secretUser         // the owner of a secret
	tokenUser          // the owner of a token
)

// These are the severities of OCSF that events have.
const (
	informational = 1
	low           = 2
	medium        = 3
)

// These are the kinds of entities that several actions have.
const (
	apiToken        = "API token"
	samlProvider    = "SAML identity provider"
	oidcProvider    = "OIDC identity provider"
	ssoProvider     = "SSO identity provider"
	etacList        = "ETAC list"
	collectorClient = "collector client"
	assetGroup      = "asset group"
	assetGroupTag   = "asset group tag"
	selector        = "asset group tag selector"
	customNodeKind  = "custom node kind"
	graphExtension  = "graph schema extension"
)

// unknownCategories are the categories of an action that is not in the table, as JSON.
const unknownCategories = `["api"]`

// unknown judges an action that is not in the table. The category is api: it has every type that a verb or a method can mean.
func unknown(name string) Action {
	a := Action{Name: name, Categories: "api", Class: APIActivity, Severity: informational}
	var known bool
	if method, _, ok := endpoint(name); ok {
		a.Types, a.Activity = ofMethod(method)
	} else if a.Types, a.Activity, known = ofVerb(name); !known {
		a.Types, a.Activity = "info", activityOther
	}
	return a
}

// endpoint cuts a text such as GET/api/v2/audit or POST /api/v2/users into the method and the path. The text is an action or a
// field.
func endpoint(text string) (method, path string, ok bool) {
	at := strings.IndexByte(text, '/')
	if at <= 0 {
		return "", "", false
	}
	method = strings.TrimSuffix(text[:at], " ")
	switch method {
	case "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE":
		return method, text[at:], true
	default:
		return "", "", false
	}
}

// ofMethod returns the type and the activity of a request with that method.
func ofMethod(method string) (types string, activity int) {
	switch method {
	case "GET":
		return "access", activityRead
	case "POST":
		return "creation", activityCreate
	case "PUT", "PATCH":
		return "change", activityUpdate
	case "DELETE":
		return "deletion", activityDelete
	default:
		return "info", activityOther
	}
}

// verbs are the beginnings of actions, by their meaning.
//
//nolint:gochecknoglobals // a constant
var verbs = []struct {
	verbs    []string
	types    string
	activity int
}{
	{[]string{"Create", "Import", "Add"}, "creation", activityCreate},
	{[]string{"Update", "Replace", "Toggle", "Set", "Accept", "Unaccept", "Enable", "Disable"}, "change", activityUpdate},
	{[]string{"Delete", "Invalidate", "Remove", "Clear", "Revoke"}, "deletion", activityDelete},
	{[]string{"Export", "Get", "List", "Read", "View", "Download"}, "access", activityRead},
}

// ofVerb returns the type and the activity of an action that begins with a verb, if a capital letter follows the verb.
func ofVerb(name string) (types string, activity int, known bool) {
	for _, v := range verbs {
		for _, verb := range v.verbs {
			rest, begins := strings.CutPrefix(name, verb)
			if begins && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
				return v.types, v.activity, true
			}
		}
	}
	return "", 0, false
}

// ActivityName returns the caption of the activity, for people.
func (a Action) ActivityName() string {
	switch caption := a.Class.caption(a.Activity); {
	case a.Name == unauthorizedAccess:
		return "by the method"
	case caption == "":
		return "Other"
	default:
		return caption
	}
}
