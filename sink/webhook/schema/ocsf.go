package schema

import (
	"strings"
)

// ocsfVersion is the version that other vendors' mappings use too. 1.3.0 and earlier versions do not allow an actor in the class
// Entity Management.
const ocsfVersion = "1.5.0"

// appendOCSF appends the members of an OCSF event.
func (m *mapper) appendOCSF(o *out, e *event) {
	m.ocsfMetadata(o, e)
	class, activity := e.classify()
	o.number("time", e.CreatedAt.UnixMilli())
	if !e.Began.IsZero() {
		o.number("start_time", e.Began.UnixMilli())
		o.number("end_time", e.CreatedAt.UnixMilli())
		o.number("duration", e.CreatedAt.UnixMilli()-e.Began.UnixMilli())
	}
	o.number("class_uid", int64(class))
	o.number("category_uid", int64(class.category()))
	o.number("type_uid", int64(class)*100+int64(activity))
	o.number("activity_id", int64(activity))
	caption := class.caption(activity)
	if caption == "" {
		caption = cut(e.Action)
	}
	if caption == "" {
		caption = "Other"
	}
	o.text("activity_name", caption)
	o.number("severity_id", int64(e.severity()))
	ocsfStatus(o, e)
	if class != BaseEvent { // this class has no field for any of these objects
		ocsfObjects(o, e, class)
	}
	o.json("unmapped", `{"bloodhound":`)
	o.served(e.Raw)
	if e.Lone {
		o.json("unpaired", "true")
	}
	o.buf = append(o.buf, '}')
}

func (m *mapper) ocsfMetadata(o *out, e *event) {
	at := o.open("metadata")
	o.json("version", `"`+ocsfVersion+`"`)
	o.json("product", `{"name":"BloodHound","vendor_name":"SpecterOps"}`)
	o.json("log_name", `"audit"`)
	m.eventID(o, "uid", e.Record)
	o.text("tenant_uid", m.Tenant)
	o.text("event_code", cut(e.Action))
	if e.createdAt != "" {
		o.json("original_time", e.createdAt)
	}
	o.text("correlation_uid", e.commitID)
	o.shut(at)
}

// severity is the severity of the action. A login that failed has a higher one than a login that succeeded.
func (e *event) severity() int {
	if e.action.user == loginUser && e.outcome == failure {
		return low
	}
	return e.action.Severity
}

func ocsfStatus(o *out, e *event) {
	const unknownStatus, successStatus, failureStatus, otherStatus = 0, 1, 2, 99
	switch e.outcome {
	case unsaid:
		o.number("status_id", unknownStatus)
		o.text("status", "Unknown")
	case success:
		o.number("status_id", successStatus)
		o.text("status", "Success")
	case failure:
		o.number("status_id", failureStatus)
		o.text("status", "Failure")
	case intent, strange: // a rule on 1 and 2 counts only outcomes
		o.number("status_id", otherStatus)
		o.text("status", cut(e.Status))
	}
	o.text("status_detail", e.message)
}

// classify chooses the class and the activity. If the event lacks an object that its class requires, it gets a class that does not
// require the object.
func (e *event) classify() (class Class, activity int) {
	a := &e.action
	class, activity = a.Class, a.Activity
	if a.Name == unauthorizedAccess {
		_, activity = ofMethod(e.method)
	}
	if (class == AccountChange || class == Authentication) && !e.user().complete() {
		activity = activityUpdate
		switch {
		case class == Authentication:
			activity = activityOther
		case strings.HasPrefix(a.Types, "creation"):
			activity = activityCreate
		case strings.HasPrefix(a.Types, "deletion"):
			activity = activityDelete
		}
		class = APIActivity
	}
	if class == APIActivity && !e.chain.source.IsValid() {
		return BaseEvent, activityOther
	}
	return class, activity
}

// user is the user of the event in the sense of OCSF: the target of the action, or the user that logs in.
func (e *event) user() user {
	switch {
	case e.action.user == loginUser && e.attempted != "":
		u := user{name: e.attempted}
		if e.attempted == e.actor.name { // the same user: it has all names
			u = e.actor
		}
		return u
	case e.action.user == loginUser || e.action.user == sessionUser:
		return e.actor
	default:
		return e.target
	}
}

// complete tells whether OCSF accepts the user: an e-mail address alone is not enough.
func (u user) complete() bool { return u.id != "" || u.name != "" }

func ocsfObjects(o *out, e *event, class Class) {
	at := o.open("actor")
	if e.actor.complete() {
		ocsfUser(o, e.actor)
	} else {
		o.json("app_name", `"BloodHound"`)
	}
	o.shut(at)
	if u := e.user(); (class == AccountChange || class == Authentication) && u.complete() {
		ocsfUser(o, u)
	}
	switch class {
	case Authentication:
		o.json("service", `{"name":"BloodHound"}`)
	case EntityManagement:
		ocsfEntity(o, e)
	case APIActivity:
		ocsfAPI(o, e)
	case BaseEvent, AccountChange:
	}
	if e.chain.source.IsValid() {
		ocsfEndpoint(o, e)
	}
}

func ocsfUser(o *out, u user) {
	at := o.open("user")
	o.text("uid", u.id)
	o.text("name", u.name)
	if isMail(u.email) {
		o.text("email_addr", u.email)
	}
	o.shut(at)
}

func ocsfEntity(o *out, e *event) {
	at := o.open("entity")
	name := firstOf(e.fields.names[:], text)
	if name == "" {
		name = e.action.Entity
	}
	o.text("name", name)
	o.text("uid", firstOf(e.fields.uids[:], identifier))
	o.text("type", e.action.Entity)
	o.shut(at)
}

func ocsfAPI(o *out, e *event) {
	at := o.open("api")
	operation := cut(e.Action)
	if refused := text(e.fields.endpoint); e.action.Name == unauthorizedAccess && refused != "" {
		operation = refused
	}
	o.key("operation") // required, also if it is empty
	o.quote(operation)
	request := o.open("request")
	o.text("uid", e.requestID)
	o.shut(request)
	o.shut(at)
}

func ocsfEndpoint(o *out, e *event) {
	at := o.open("src_endpoint")
	o.address("ip", e.chain.source)
	if others := e.chain.others(); len(others) > 0 {
		o.addresses("intermediate_ips", others)
	}
	o.shut(at)
}

// isMail tells whether OCSF accepts a text as an e-mail address. It is the pattern of email_t in 1.5.0. This pattern is stricter
// than e-mail is: it wants a dot in the domain.
func isMail(text string) bool {
	local, domain, _ := strings.Cut(text, "@")
	host, rest, _ := strings.Cut(domain, ".")
	return local != "" && host != "" && rest != "" &&
		only(local, "!#$%&'*+,-./=?^_`{|}~") && only(host, "-") && only(rest, "-.")
}

// only tells whether a text has only letters and digits of ASCII, and characters of also.
func only(text, also string) bool {
	for i := range len(text) {
		c := text[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' {
			continue
		}
		if strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return true
}
