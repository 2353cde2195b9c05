package schema

import (
	"fmt"
	"io"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// These are the names of the schemas, as users write them.
const (
	Native = "native" // the record as the server sent it, with two keys before it: see package ndjson
	ECS    = "ecs"
	OCSF   = "ocsf"
)

// Names returns the names of the schemas.
func Names() []string { return []string{Native, ECS, OCSF} }

// Begins returns the texts with which the objects of records begin, one for each schema. If an answer has such a text, an error
// that shows the answer ends after it.
func Begins() []string { return []string{`{"event_id":`, `{"@timestamp":`, `{"metadata":`} }

// Options are the settings of a schema.
type Options struct {
	// Tenant is in every event and in every event id.
	Tenant string
	// TrustedProxies is how many of the user's own proxies are in front of BloodHound. Each of them adds the address that it sees to
	// the end of the chain. The native schema has the whole chain.
	TrustedProxies int
}

// A Schema writes records as lines of JSON. It is safe for concurrent use. The same record gives the same bytes.
type Schema interface {
	// Append appends the line of a record, with its newline. Raw must be a JSON object.
	Append(dst []byte, r *record.Record) []byte
	// Write writes the same bytes as Append, with only a small part of them in memory at a time: it is for large records.
	Write(w io.Writer, r *record.Record) (int, error)
}

// mostMapped is how many bytes an event has at most in addition to the record: some 20 texts, if each byte becomes six in the worst
// case.
const mostMapped = 160 << 10

// Longest is an upper limit of the length of a record's event, in any schema. It does not read the record: in quotes, a text of
// JSON has at most twice as many bytes.
func Longest(r *record.Record) int { return mostMapped + 2*len(r.Raw) }

// New returns the schema of that name. "" means Native.
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

// A mapper is a schema that has its own names.
type mapper struct {
	Options
	ecs     bool // or OCSF
	actions map[string]judged
	types   map[string]string // of ECS, as JSON, for actions that are not in the table
}

// judged is an Action, and the parts of an event that follow from it.
type judged struct {
	Action
	categories, types string // JSON
}

// list returns JSON for words that have blanks between them.
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

// judge judges an action.
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
