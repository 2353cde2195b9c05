package format

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

// An object makes the object of JSON for a record, on one line with a newline behind it. Only this type decides the form of an
// event: every format takes its events from it. It first cuts a record that is over the limit. So the object of a cut record has
// the same form as any other.
type object struct {
	lines  ndjson.Lines // of the event ids
	events schema.Schema
	mapped bool // the schema has its own names
	timed  bool // the object has a @timestamp
	most   int  // of a record's text; 0 for no limit
}

// newObject returns the objects of the tenant's records. most is the format's own limit of a record. 0 means no limit.
func newObject(o Options, most int) object {
	if o.RecordBytes > 0 && (most == 0 || o.RecordBytes < most) {
		most = o.RecordBytes
	}
	return object{
		lines: ndjson.ForTenant(o.Tenant), events: o.events, mapped: o.Schema != schema.Native, timed: o.Schema == schema.ECS, most: most,
	}
}

// Append appends the record's line.
func (o object) Append(dst []byte, r *record.Record) []byte {
	return o.events.Append(dst, o.fitting(r))
}

// Write writes the same line, with only a piece of it in memory at a time.
func (o object) Write(w io.Writer, r *record.Record) (int, error) {
	return o.events.Write(w, o.fitting(r))
}

// fitting returns the record, and cuts it if it is over the limit. The limit is for the text of the record. If a schema makes
// another text of it, the limit is for that text.
func (o object) fitting(r *record.Record) *record.Record {
	switch {
	case o.most == 0, len(r.Raw) <= o.most && !o.mapped, schema.Longest(r) <= o.most:
		return r
	case !o.mapped:
		return ndjson.Shorten(r, o.most)
	}
	const least = 1 << 10 // the parts under the schema's names are not cut
	short := r
	for size := o.most; ; size /= 2 {
		var n counter
		if _, err := o.events.Write(&n, short); err != nil || int(n) <= o.most || size < least {
			return short
		}
		short = ndjson.Shorten(r, size)
	}
}

// A counter is a writer that only counts the bytes.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// appendText appends the record's line, without its newline, as a text of JSON in quotes.
func (o object) appendText(dst []byte, r *record.Record) []byte {
	at := len(dst)
	dst = o.Append(dst, r)
	return quoteTail(dst[:len(dst)-1], at)
}

// appendTime appends a time in UTC, always with six digits behind the point.
func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
}

// quoteTail turns the bytes from an index on into a text of JSON. They must be UTF-8.
func quoteTail(dst []byte, from int) []byte {
	more := len(`""`)
	for _, c := range dst[from:] {
		more += escaped(c)
	}
	read := len(dst) - 1
	dst = slices.Grow(dst, more)[:len(dst)+more]
	write := len(dst) - 1
	dst[write] = '"'
	for ; read >= from; read-- { // from the end: each byte moves to a place whose byte is already read
		c := dst[read]
		switch escaped(c) {
		case 0:
			write--
			dst[write] = c
		case 1:
			write -= 2
			dst[write], dst[write+1] = '\\', c
		default:
			const digits = "0123456789abcdef"
			write -= 6
			copy(dst[write:], `\u00`)
			dst[write+4], dst[write+5] = digits[c>>4], digits[c&15]
		}
	}
	dst[from] = '"'
	return dst
}

// escaped is how many additional bytes a byte needs in a text of JSON.
func escaped(c byte) int {
	switch {
	case c == '"' || c == '\\':
		return 1
	case c < ' ':
		return 5
	}
	return 0
}

// A told has the parts of an event that is no record: those that formats read.
type told struct {
	ID   string    `json:"event_id"`
	Time time.Time `json:"cursor"`
	At   time.Time `json:"at"`
	Made time.Time `json:"created_at"`
}

// readEvent reads an event that is no record. Houndtrail itself made it. If readEvent cannot read it, the receiver gets it without
// an id.
func readEvent(event []byte) (e told) {
	_ = json.Unmarshal(event, &e)
	for _, t := range []time.Time{e.At, e.Made} {
		if e.Time.IsZero() {
			e.Time = t
		}
	}
	return e
}

// appendString appends a text as a text of JSON.
func appendString(dst []byte, text string) []byte {
	from := len(dst)
	return quoteTail(append(dst, strings.ToValidUTF8(text, "\uFFFD")...), from)
}
