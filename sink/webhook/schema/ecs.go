package schema

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// ecsVersion is the ecs.version of the events. The fields are the same in 9.4.0.
const ecsVersion = "8.11.0"

// appendECS appends the members of an ECS event.
func (m *mapper) appendECS(o *out, e *event) {
	o.instant("@timestamp", e.CreatedAt)
	o.json("ecs", `{"version":"`+ecsVersion+`"}`)
	m.ecsEvent(o, e)
	at := o.open("organization")
	o.text("id", m.Tenant)
	o.shut(at)
	o.json("observer", `{"vendor":"SpecterOps","product":"BloodHound"}`)
	ecsUser(o, e)
	at = o.open("source")
	o.address("ip", e.chain.source)
	o.text("address", cut(e.SourceIP))
	o.shut(at)
	ecsRelated(o, e)
	ecsRequest(o, e)
	at = o.open("error")
	o.text("message", e.message)
	o.shut(at)
	ecsNative(o, e)
}

func (m *mapper) ecsEvent(o *out, e *event) {
	at := o.open("event")
	m.eventID(o, "id", e.Record)
	o.json("kind", `"event"`)
	o.json("module", `"bloodhound"`)
	o.json("dataset", `"bloodhound.audit"`)
	o.json("category", e.action.categories)
	outcome, types := `"unknown"`, e.action.types
	switch e.outcome {
	case intent: // a rule on the types of the action counts only outcomes
		types = `["info"]`
	case success:
		outcome = `"success"`
	case failure:
		outcome = `"failure"`
	case unsaid, strange:
	}
	o.json("type", types)
	o.text("action", cut(e.Action))
	o.json("outcome", outcome)
	o.instant("created", e.CreatedAt)
	if !e.Began.IsZero() {
		o.instant("start", e.Began)
		o.instant("end", e.CreatedAt)
		o.number("duration", e.CreatedAt.Sub(e.Began).Nanoseconds())
	}
	o.shut(at)
}

func ecsUser(o *out, e *event) {
	at := o.open("user")
	o.text("id", e.actor.id)
	if e.actor.name != "" {
		o.text("name", e.actor.name)
	} else {
		o.text("name", e.attempted)
	}
	o.text("email", e.actor.email)
	target := o.open("target")
	o.text("id", e.target.id)
	o.text("name", e.target.name)
	o.text("email", e.target.email)
	o.shut(target)
	o.shut(at)
}

// ecsRelated appends all names of users and all addresses. So one search finds an event by any of them.
func ecsRelated(o *out, e *event) {
	at := o.open("related")
	names := [...]string{
		e.actor.id, e.actor.name, e.actor.email, e.attempted, e.target.id, e.target.name, e.target.email,
	}
	distinct := names[:0]
	for _, name := range names {
		if name != "" && !slices.Contains(distinct, name) {
			distinct = append(distinct, name)
		}
	}
	if len(distinct) > 0 {
		o.array("user", len(distinct), func(i int) { o.quote(distinct[i]) })
	}
	if ips := e.chain.all[:e.chain.n]; len(ips) > 0 {
		o.addresses("ip", ips)
	}
	o.shut(at)
}

func (o *out) addresses(name string, ips []netip.Addr) {
	o.array(name, len(ips), func(i int) { o.quoteAddress(ips[i]) })
}

// array appends a member that is an array of n elements.
func (o *out) array(name string, n int, element func(i int)) {
	o.key(name)
	o.buf = append(o.buf, '[')
	for i := range n {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}
		element(i)
	}
	o.buf = append(o.buf, ']')
}

func ecsRequest(o *out, e *event) {
	at := o.open("http")
	request := o.open("request")
	o.text("id", e.requestID)
	o.text("method", e.method)
	o.shut(request)
	o.shut(at)
	at = o.open("url")
	o.text("path", e.path)
	o.shut(at)
}

// ecsNative appends the record as the server sent it. The key fields is a text, since its value can have any shape. If it were an
// object, an index would get fields without end, and types that conflict.
func ecsNative(o *out, e *event) {
	o.key("bloodhound")
	o.buf = append(o.buf, '{')
	for walk := ndjson.Members(e.Raw); ; {
		key, value, err := walk.Next()
		if err != nil || value == "" {
			break
		}
		o.servedKey(key)
		if key == "fields" && !strings.HasPrefix(value, "null") {
			o.quoteServed(value)
		} else {
			o.served(value)
		}
	}
	if e.Lone {
		o.json("unpaired", "true")
	}
	o.buf = append(o.buf, '}')
}
