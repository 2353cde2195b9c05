// Package record has the audit log's record, which all stages use, and the one table of its columns.
package record

import (
	"cmp"
	"time"
)

// A Record is one entry of the audit log, as the server sent it.
//
// Its strings may be views into the page that it came with: they are valid until the caller releases the batch that carries it.
// A caller that keeps a Record longer clones it.
type Record struct {
	// ID comes from one database sequence. It is positive. The ids have gaps, and are not in the order of CreatedAt.
	ID int64
	// CreatedAt is the time of the server's API process before the insert, in UTC, to the microsecond.
	CreatedAt time.Time

	ActorID    string // user UUID, or "" if no user was logged in
	ActorName  string
	ActorEmail string
	Action     string // an open set: every release of BloodHound adds to it
	Fields     string // the JSON text exactly as the server sent it; Absent if it was null
	RequestID  string
	SourceIP   string // may be a chain: X-Forwarded-For, a comma, the peer
	CommitID   string // an intent and its outcome have the same value; it is no key
	Status     string // intent, success, failure or ""

	// Raw is the whole JSON object exactly as the server sent it.
	Raw string
	// Absent says which of the strings above were null or missing: that is not the same as "".
	Absent Set
}

// columns are the string columns, in the order in which servers write their keys and files have them. Only append to them: a
// Set has the columns by their place.
//
//nolint:gochecknoglobals // a constant
var columns = [...]Column{
	{"actor_id", Repeats, func(r *Record) *string { return &r.ActorID }},
	{"actor_name", Repeats, func(r *Record) *string { return &r.ActorName }},
	{"actor_email", Repeats, func(r *Record) *string { return &r.ActorEmail }},
	{"action", Repeats, func(r *Record) *string { return &r.Action }},
	{"fields", JSON, func(r *Record) *string { return &r.Fields }},
	{"request_id", Unique, func(r *Record) *string { return &r.RequestID }},
	{"source_ip_address", Repeats, func(r *Record) *string { return &r.SourceIP }},
	{"commit_id", Unique, func(r *Record) *string { return &r.CommitID }},
	{"status", Repeats, func(r *Record) *string { return &r.Status }},
}

// Compare orders records by (CreatedAt, ID). Houndtrail writes them in this order.
func Compare(a, b *Record) int {
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}
