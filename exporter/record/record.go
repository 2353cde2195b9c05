// Package record has the record of the audit log, which all stages use, and the only table of its columns.
package record

import (
	"cmp"
	"time"
)

// A Record is one entry of the audit log, as the server sent it.
//
// Its strings may be parts of the page in which it came: they are valid until the caller releases the batch of the record. If a
// caller keeps a Record longer, it must clone it.
type Record struct {
	// ID comes from a sequence of the database. It is positive. The ids have gaps, and are not in the order of CreatedAt.
	ID int64
	// CreatedAt is the time before the insert, in UTC, to the microsecond, by the clock of the server's API process.
	CreatedAt time.Time

	ActorID    string // user UUID, or "" if no user was logged in
	ActorName  string
	ActorEmail string
	Action     string // an open set: every release of BloodHound adds values
	Fields     string // the JSON text exactly as the server sent it; Absent if it was null
	RequestID  string
	SourceIP   string // may be a chain: X-Forwarded-For, a comma, the peer
	CommitID   string // an intent and its outcome have the same value; it is no key
	Status     string // intent, success, failure or ""

	// Raw is the whole JSON object exactly as the server sent it.
	Raw string
	// Absent has the strings above that were null or missing: that is not the same as "".
	Absent Set

	// These two are no columns. They are set in a stream that pairs intents with their outcomes. Began is the CreatedAt of the
	// outcome's intent, and zero if there is none. Lone says of an intent that the stream sends it alone, since no outcome came in time.
	Began time.Time
	Lone  bool
}

// columns are the string columns, in the order in which servers write their keys. Files have the same order. Only append to them: a
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
