package format

import (
	"cmp"
	"io"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// An object makes the object of JSON of a record, on one line with a newline behind it. It is the one place that decides what an
// event looks like, and every format takes its events from it. A record that is over the limit is cut before, so the
// object of a record that was cut has the same form as any other.
type object struct {
	lines ndjson.Lines
	most  int // of a record's text; 0 for no limit
}

// newObject returns the objects of the tenant's records. most is the format's own limit of a record; 0 for none.
func newObject(o Options, most int) object {
	return object{ndjson.ForTenant(o.Tenant), cmp.Or(o.RecordBytes, most)}
}

// Append appends the record's line.
func (o object) Append(dst []byte, r *record.Record) []byte {
	if o.long(r) {
		r = ndjson.Shorten(r, o.most)
	}
	return o.lines.Append(dst, r)
}

// Write writes the same line, and holds a piece of it at a time.
func (o object) Write(w io.Writer, r *record.Record) (int, error) {
	if o.long(r) {
		r = ndjson.Shorten(r, o.most)
	}
	return o.lines.Write(w, r)
}

func (o object) long(r *record.Record) bool { return o.most > 0 && len(r.Raw) > o.most }

// appendBare appends the record's object without the newline.
func (o object) appendBare(dst []byte, r *record.Record) []byte {
	dst = o.Append(dst, r)
	return dst[:len(dst)-1]
}
