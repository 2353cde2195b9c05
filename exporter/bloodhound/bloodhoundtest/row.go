package bloodhoundtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// A Row is one row of the audit table.
type Row struct {
	// ID is the primary key. If it is zero, [Server.Add] takes the next id of the sequence.
	ID int64
	// CreatedAt is kept to the microsecond. Zero is SQL NULL: the server counts such a row and never serves it.
	CreatedAt time.Time
	// VisibleAt is when the row's transaction commits; zero means at CreatedAt.
	VisibleAt time.Time
	// Zone is the time zone in which the server prints CreatedAt: the API process's own; nil means UTC.
	Zone *time.Location

	ActorID, ActorName, ActorEmail string
	Action                         string
	Fields                         json.RawMessage // served byte for byte; nil is null
	RequestID                      string
	SourceIP                       string
	CommitID                       string // "" is SQL NULL, which the server prints as the zero UUID
	Status                         string

	// Null names the text columns that are SQL NULL, as filters name them: "actor_name", "status". The API serves
	// both NULL and '' as "", and only a filter tells them apart: neq leaves NULL out, eq:null finds only NULL.
	// An empty text that is not named here is ''.
	Null []string
	// Unprintable says that the server cannot print the row: its commit_id is no UUID, or its fields are an array or
	// hold a number such as 1e400. Every page with such a row is a 500, at every limit. The server counts it as any other row.
	Unprintable bool
}

// entry is a row with its times as the table compares them, in microseconds since the epoch.
type entry struct {
	Row
	at, visible int64
}

// newEntry makes the entry of a row. It empties the text columns that are NULL.
func newEntry(r Row) *entry {
	for _, column := range r.Null {
		text, ok := texts[column]
		if !ok {
			panic(fmt.Sprintf("bloodhoundtest: row %d: no text column %q to be NULL", r.ID, column))
		}
		*text(&r) = ""
	}
	e := &entry{Row: r, visible: math.MinInt64}
	if !r.CreatedAt.IsZero() {
		e.CreatedAt = r.CreatedAt.Truncate(time.Microsecond)
		e.at = e.CreatedAt.UnixMicro()
		e.visible = e.at
	}
	if !r.VisibleAt.IsZero() {
		e.visible = r.VisibleAt.UnixMicro()
	}
	return e
}

// null tells whether a text column is SQL NULL. The documentation calls source_ip_address source.
func (e *entry) null(column string) bool {
	if column == "source" {
		column = "source_ip_address"
	}
	return slices.Contains(e.Null, column)
}

func compareEntries(a, b *entry) int {
	if c := cmp.Compare(a.at, b.at); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}

// shape says with which keys the server prints an entry.
type shape struct {
	commitFirst bool // commit_id before status
	pre2024     bool // no commit_id, and source for source_ip_address
}

// appendRow prints a row as the API does: key order of the model, fraction digits trimmed, HTML escaped.
func appendRow(b []byte, r *Row, s shape) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, r.ID, 10)
	b = append(b, `,"created_at":"`...)
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	b = r.CreatedAt.In(zone).AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	b = appendMember(b, "actor_id", r.ActorID)
	b = appendMember(b, "actor_name", r.ActorName)
	b = appendMember(b, "actor_email", r.ActorEmail)
	b = appendMember(b, "action", r.Action)
	b = append(b, `,"fields":`...)
	if r.Fields == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, r.Fields...)
	}
	b = appendMember(b, "request_id", r.RequestID)
	commit := cmp.Or(r.CommitID, api.ZeroUUID)
	switch {
	case s.pre2024:
		b = appendMember(b, "source", r.SourceIP)
		b = appendMember(b, "status", r.Status)
	case s.commitFirst:
		b = appendMember(b, "source_ip_address", r.SourceIP)
		b = appendMember(b, "commit_id", commit)
		b = appendMember(b, "status", r.Status)
	default:
		b = appendMember(b, "source_ip_address", r.SourceIP)
		b = appendMember(b, "status", r.Status)
		b = appendMember(b, "commit_id", commit)
	}
	return append(b, '}')
}

func appendMember(b []byte, key, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return api.AppendString(b, value)
}
