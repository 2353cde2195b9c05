package ndjson

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// EventID names a record: <tenant>/<id>/<created_at in microseconds since the epoch>. The instant is part of it, because
// a new installation of the server counts its ids from 1 again.
func EventID(tenant string, r *record.Record) string {
	return string(AppendIdentity([]byte(tenant+"/"), r))
}

// AppendIdentity appends the part of the event id behind the tenant and its slash.
func AppendIdentity(dst []byte, r *record.Record) []byte {
	dst = strconv.AppendInt(dst, r.ID, 10)
	dst = append(dst, '/')
	return strconv.AppendInt(dst, r.CreatedAt.UnixMicro(), 10)
}

// AppendLine appends the record's line, with its newline, to dst. Raw must be a JSON object.
func AppendLine(dst []byte, tenant string, r *record.Record) []byte {
	return ForTenant(tenant).Append(dst, r)
}

// Lines makes the lines of one tenant.
type Lines struct {
	head, tail string // parts of the text before the record, around its id and instant
}

// beforeID stands in front of the event id.
const beforeID = `{"event_id":"`

// ForTenant returns the lines of a tenant.
func ForTenant(tenant string) Lines {
	tenant = escape(tenant)
	return Lines{beforeID + tenant + "/", `","tenant":"` + tenant + `"`}
}

// Append appends the record's line, with its newline, to dst. Raw must be a JSON object.
//
// If a server ever sends keys named event_id or tenant, the line has them twice: it leaves out nothing that the server sent.
func (l Lines) Append(dst []byte, r *record.Record) []byte {
	dst, members := l.begin(dst, r)
	return append(appendOnOneLine(dst, members), '\n')
}

// Write writes the same line as Append, piece by piece: it is for large records.
func (l Lines) Write(w io.Writer, r *record.Record) (written int, err error) {
	part, rest := l.begin(make([]byte, 0, 2*piece), r)
	for err == nil && len(rest) > 0 {
		n := min(piece, len(rest))
		part = appendOnOneLine(part, rest[:n])
		if rest = rest[n:]; len(rest) == 0 {
			part = append(part, '\n')
		}
		n, err = w.Write(part)
		part, written = part[:0], written+n
	}
	return written, err
}

// AppendDuration appends the milliseconds from the intent of an outcome to the outcome.
func AppendDuration(dst []byte, r *record.Record) []byte {
	return strconv.AppendFloat(dst, float64(r.CreatedAt.Sub(r.Began).Microseconds())/1e3, 'f', -1, 64)
}

// appendPair appends the members that a stream adds if it pairs intents with their outcomes, each after a comma.
func appendPair(dst []byte, r *record.Record) []byte {
	if !r.Began.IsZero() {
		dst = r.Began.UTC().AppendFormat(append(dst, `,"started_at":"`...), time.RFC3339Nano)
		dst = AppendDuration(append(dst, `","duration_ms":`...), r)
	}
	if r.Lone {
		dst = append(dst, `,"unpaired":true`...)
	}
	return dst
}

// AppendID appends the record's event id as a text of JSON, in its quotes.
func (l Lines) AppendID(dst []byte, r *record.Record) []byte {
	dst = append(dst, '"')
	dst = AppendIdentity(append(dst, l.head[len(beforeID):]...), r)
	return append(dst, '"')
}

// begin appends the text before the record's members. It returns the members with the closing brace.
func (l Lines) begin(dst []byte, r *record.Record) (line []byte, members string) {
	dst = AppendIdentity(append(dst, l.head...), r)
	dst = appendPair(append(dst, l.tail...), r)
	members = inside(r.Raw)
	if !strings.HasPrefix(members, "}") {
		dst = append(dst, ',')
	}
	return dst, members
}

// appendOnOneLine appends JSON without line breaks. In JSON they stand only between tokens, and there a blank means the same.
func appendOnOneLine(dst []byte, members string) []byte {
	start := len(dst)
	dst = append(dst, members...)
	if strings.IndexByte(members, '\n') >= 0 || strings.IndexByte(members, '\r') >= 0 {
		for i, c := range dst[start:] {
			if c == '\n' || c == '\r' {
				dst[start+i] = ' '
			}
		}
	}
	return dst
}

// inside is the text after the opening brace of an object. A record of the client begins with the brace, and a key follows.
func inside(object string) string {
	if len(object) > 1 && object[0] == '{' && object[1] > ' ' {
		return object[1:]
	}
	return strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(object, blanks), "{"), blanks)
}

// blanks are the characters that JSON allows between tokens.
const blanks = " \t\r\n"

// escape makes the text for a JSON string of a tenant. An ordinary tenant (A-Za-z0-9._-) needs no change.
func escape(tenant string) string {
	if strings.IndexFunc(tenant, special) < 0 {
		return tenant
	}
	quoted, _ := json.Marshal(tenant) //nolint:errchkjson // a string always has a JSON form
	return string(quoted[1 : len(quoted)-1])
}

func special(c rune) bool { return c < ' ' || c == '"' || c == '\\' || c > '~' }
