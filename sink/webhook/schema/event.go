package schema

import (
	"strings"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// An event has those facts of a record for which the schemas have fields.
type event struct {
	*record.Record
	action  judged
	outcome outcome

	createdAt string // JSON, as the server sent it
	actor     user
	attempted string // the name with which a client tried to log in
	target    user   // the user that is the target of the action
	message   string // of a failure

	method, path string // of the request that the action is about
	requestID    string
	commitID     string

	fields fields
	chain  chain
}

// A user is a user by any of three names. If all are empty, it is no user.
type user struct{ id, name, email string }

// An outcome is the meaning of a status.
type outcome int

const (
	unsaid outcome = iota // the record has no status
	intent                // the action has not happened yet
	success
	failure
	strange // a status that this version does not know
)

func outcomeOf(status string) outcome {
	switch status {
	case "":
		return unsaid
	case "intent":
		return intent
	case "success":
		return success
	case "failure":
		return failure
	default:
		return strange
	}
}

// read reads the facts of a record.
func (m *mapper) read(e *event, r *record.Record) {
	e.Record = r
	e.createdAt = servedTime(r.Raw)
	e.fields.read(r.Fields)
	e.chain.read(r.SourceIP, m.TrustedProxies)
	e.outcome = outcomeOf(r.Status)
	e.action = m.judge(r.Action)
	e.actor = user{uid(r.ActorID), cut(r.ActorName), cut(r.ActorEmail)}
	e.requestID = cut(r.RequestID)
	if e.requestID == "ERROR" { // the server failed to make an id
		e.requestID = ""
	}
	e.commitID = uid(r.CommitID)
	if e.outcome == failure {
		e.message = text(e.fields.error)
	}
	e.method, e.path, _ = endpoint(cut(r.Action))
	if r.Action == unauthorizedAccess {
		e.method, e.path, _ = endpoint(text(e.fields.endpoint))
	}
	e.acted()
}

// acted reads the user that is the target of the action.
func (e *event) acted() {
	f := &e.fields
	switch e.action.user {
	case loginUser:
		e.attempted = text(f.username)
	case wholeUser:
		e.target = user{identifier(f.uids[0]), text(f.principalName), text(f.emailAddress)}
	case secretUser:
		e.target.id = identifier(f.secretUserID)
	case tokenUser:
		e.target.id = identifier(f.userID)
	case noUser, sessionUser:
	}
}

// servedTime is the value of created_at, as it is in the record. It is "" if the record has none: only tests make such records.
func servedTime(raw string) string {
	for walk := ndjson.Members(raw); ; {
		key, value, err := walk.Next()
		if err != nil || value == "" {
			return ""
		}
		if key == "created_at" && strings.HasPrefix(value, `"`) && len(value) < mostText {
			return value
		}
	}
}

// eventID appends the event id as a member. The event id names the record for ever.
func (m *mapper) eventID(o *out, name string, r *record.Record) {
	o.key(name)
	o.quote(m.Tenant)
	o.buf = append(o.buf[:len(o.buf)-1], '/')
	o.buf = append(ndjson.AppendIdentity(o.buf, r), '"')
}
