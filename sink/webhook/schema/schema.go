package schema

import (
	"fmt"
	"io"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// The names of the schemas, as users set them.
const (
	Native = "native" // the record as the server sent it, with two keys in front: see package ndjson
	ECS    = "ecs"
	OCSF   = "ocsf"
)

// Names are the schemas there are.
func Names() []string { return []string{Native, ECS, OCSF} }

// Begins are the texts with which the objects of records begin, in all schemas: an error that shows an answer ends in front of them.
func Begins() []string { return []string{`{"event_id":`, `{"@timestamp":`, `{"metadata":`} }

// Options are the settings of a schema.
type Options struct {
	// Tenant goes into every event and event id.
	Tenant string
	// TrustedProxies is how many proxies of the user's own are in front of BloodHound. Each of them adds the address that it sees
	// to the end of the chain. The native schema has the chain as it is.
	TrustedProxies int
}

// A Schema writes records as lines of JSON. It is safe for concurrent use. The same record gives the same bytes.
type Schema interface {
	// Append appends the line of a record, with its newline. Raw must be a JSON object.
	Append(dst []byte, r *record.Record) []byte
	// Write writes the bytes that Append appends, and holds a small part of them at a time: it is for records of many bytes.
	Write(w io.Writer, r *record.Record) (int, error)
}

// mostMapped is how many bytes an event has at most beside the record: some 20 texts, of which each byte becomes six in the worst case.
const mostMapped = 160 << 10

// Longest is a bound of the length of a record's event in any schema, without looking at the record: a text of JSON doubles at most
// when it is put into quotes.
func Longest(r *record.Record) int { return mostMapped + 2*len(r.Raw) }

// New returns the schema of that name; "" stands for Native.
func New(name string, o Options) (Schema, error) {
	switch name {
	case "", Native:
		return ndjson.ForTenant(o.Tenant), nil
	case ECS:
		return newMapper(o, true), nil
	case OCSF:
		return newMapper(o, false), nil
	default:
		return nil, fmt.Errorf("there is no schema %q: use %s", name, strings.Join(Names(), ", "))
	}
}

// A mapper is a schema with names of its own.
type mapper struct {
	Options
	ecs     bool // or OCSF
	actions map[string]judged
	types   map[string]string // of ECS, as JSON, for actions that are not in the table
}

// judged is an Action with the parts of an event that follow from it.
type judged struct {
	Action
	categories, types string // JSON
}

// list is the JSON of words that are separated by blanks.
func list(words string) string { return `["` + strings.ReplaceAll(words, " ", `","`) + `"]` }

func newMapper(o Options, ecs bool) *mapper {
	m := &mapper{Options: o, ecs: ecs, actions: make(map[string]judged, len(actions)), types: map[string]string{}}
	for _, a := range actions {
		m.actions[a.Name] = judged{a, list(a.Categories), list(a.Types)}
	}
	for _, types := range []string{"access", "creation", "change", "deletion", "info"} {
		m.types[types] = list(types)
	}
	return m
}

// judge is the judgement of an action.
func (m *mapper) judge(name string) judged {
	if a, known := m.actions[name]; known {
		return a
	}
	a := unknown(name)
	return judged{a, unknownCategories, m.types[a.Types]}
}

func (m *mapper) Append(dst []byte, r *record.Record) []byte {
	o := out{buf: dst}
	m.write(&o, r)
	return o.buf
}

func (m *mapper) Write(w io.Writer, r *record.Record) (int, error) {
	o := out{buf: make([]byte, 0, 4*piece), w: w}
	m.write(&o, r)
	o.flush()
	return o.written, o.err
}

func (m *mapper) write(o *out, r *record.Record) {
	var e event
	m.read(&e, r)
	o.buf = append(o.buf, '{')
	if m.ecs {
		m.appendECS(o, &e)
	} else {
		m.appendOCSF(o, &e)
	}
	o.buf = append(o.buf, '}', '\n')
}
