package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

const tenant = "acme"

// An entry has the values of a record as JSON. A text has no quotes, actor has whole members, and fields is complete JSON.
type entry struct {
	id                                    int
	createdAt, actor, action, fields      string
	request, address, commit, status, end string
}

func (e entry) record(tb testing.TB) record.Record {
	tb.Helper()
	return sinktest.Parse(tb, fmt.Sprintf(`{"id":%d,"created_at":"%s",%s,"action":"%s","fields":%s,"request_id":"%s",`+
		`"source_ip_address":"%s","commit_id":"%s","status":"%s"%s}`,
		e.id, e.createdAt, e.actor, e.action, e.fields, e.request, e.address, e.commit, e.status, e.end))
}

const (
	somebody = `"actor_id":"b2a3c4d5-0000-4000-8000-00000000000a","actor_name":"ada","actor_email":"ada@corp.example"`
	nobody   = `"actor_id":"","actor_name":"","actor_email":""`
	zeroUUID = "00000000-0000-0000-0000-000000000000"
)

// ordinary returns an entry that has a value in every column.
func ordinary(action, status string) entry {
	return entry{
		id: 7, createdAt: "2026-01-15T12:34:56.123456Z", actor: somebody, action: action, fields: fieldsOf(action, status),
		request: "4c1f0b1e-0b6c-4a4f-9a47-2f0d8a1b7c3d", address: "203.0.113.9, 10.0.0.5,10.0.0.7",
		commit: "9a47c3d0-0000-4000-8000-000000000001", status: status,
	}
}

// fieldsOf returns fields in the form in which the server sends them for an action, as far as we know it. For a failure they have
// an error.
func fieldsOf(action, status string) string {
	members := map[string]string{
		"LoginAttempt": `"auth_type":"secret","username":"eve"`,
		"CreateUser":   `"email_address":"bob@corp.example","id":"1f0e0000-0000-4000-8000-00000000000b","principal_name":"bob","roles":[3]`,
		"UpdateUser":   `"email_address":"b@x","id":"1f0e0000-0000-4000-8000-00000000000b","principal_name":"bob"`,
		"DeleteUser":   `"email_address":"bob@corp.example","id":"` + zeroUUID + `","principal_name":""`,
		"CreateAuthToken": `"client_id":null,"id":"1f0e0000-0000-4000-8000-00000000000c","name":"siem",` +
			`"user_id":"1f0e0000-0000-4000-8000-00000000000b"`,
		"CreateAuthSecret": `"secret_expires_at":"2027-01-01T00:00:00Z","secret_user_id":7`,
		"UpdateAuthSecret": `"secret_expires_at":"2027-01-01T00:00:00Z","secret_user_id":"1f0e0000-0000-4000-8000-00000000000b"`,
		"CreateSAMLIdentityProvider": `"idp_url":"https://idp.example","principal_attribute_mappings":["a"],"saml_id":3,` +
			`"saml_name":"corp"`,
		"UnauthorizedAccessAttempt": `"endpoint":"POST /api/v2/bloodhound-users"`,
		"MutateGraph":               `"query":"match (n) where n.name = $STRIPPED set n.x = true"`,
		"UpdateParameter":           `"key":"analysis.citrix_rdp_support","value":{"enabled":true}`,
		"CreateAssetGroup":          `"asset_group_id":12,"asset_group_name":"Tier \u003c0\u003e","asset_group_tag":"t0"`,
		"CreateCustomNodeKind":      `"kind_name":"Robot","id":0`,
	}[action]
	if status == "failure" {
		if members != "" {
			members += ","
		}
		members += `"error":"it did not work"`
	}
	return "{" + members + "}"
}

// known are the names of the table, and unknownActions are other names.
func known() []string {
	var names []string
	for _, a := range schema.Actions() {
		names = append(names, a.Name)
	}
	return names
}

func unknownActions() []string {
	return []string{
		"GET/api/v2/audit", "POST /api/v2/x/{id}", "PATCH/api/v2/y", "DELETE/api/v2/z", "OPTIONS/api/v2/z", "FETCH/api", "/api/v2",
		"CreateSomething", "Importance", "SetX", "Unaccept", "RevokeKey", "DownloadReport", "frobnicate", "Create", "",
	}
}

var statuses = []string{"intent", "success", "failure", ""}

// shapes returns entries that a careless mapping loses or changes.
func shapes() []entry {
	var all []entry
	add := func(change func(*entry)) {
		e := ordinary("UpdateParameter", "success")
		change(&e)
		all = append(all, e)
	}
	for _, fields := range []string{
		`null`, `{}`, `[]`, `[{"username":"x"}]`, `"text"`, `12`, `{"a":{"b":[1,{"c":null}]},"name":{"x":1},"id":[2]}`,
		`{"name":"\ud800 alone \udc00\ud800","key":"k"}`, `{"name":"line\u2028break\u2029 <b>&amp; \u003c\u0026 é🐶"}`,
		`{"time":1,"a.b":{"c.d":2},"@timestamp":"x","event":"y","name":"\u0000\u001f\"\\\/\b\f\n\r\t"}`,
		"{\n\t\"name\" :\r\n \"pretty\" , \"id\": 5\n}", `{"id":1e+30,"name":12,"saml_name":"second"}`, `{"name":"first","name":"last"}`,
		`{"name":"` + strings.Repeat("é", 600) + `"}`, `{"name":"` + strings.Repeat(`\u00e9`, 600) + `"}`, `{"id":-1}`, `{"id":0,"saml_id":"x"}`,
	} {
		add(func(e *entry) { e.fields = fields })
	}
	for _, address := range []string{
		"", "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]", "[2001:DB8::1]:443", "::ffff:192.0.2.1", "fe80::1%eth0", "junk",
		"evil, <script>,192.0.2.1", "192.0.2.1,junk", "192.0.2.1, 192.0.2.1,192.0.2.1", ",", "\\u2028,192.0.2.1", "999.1.1.1, 1.2.3.4,::1",
		strings.Repeat("198.51.100.1, ", 100) + "192.0.2.1", "unix\\\"@", "192.0.2.256",
	} {
		add(func(e *entry) { e.address = address })
	}
	for _, at := range []string{
		"2026-01-15T12:34:56Z", "2026-01-15T12:34:56.5Z", "2026-01-15T12:34:56.123Z", "2026-01-15T14:34:56.123456+02:00",
		"1969-12-31T23:59:59.9995Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
	} {
		add(func(e *entry) { e.createdAt = at })
	}
	for _, actor := range []string{
		nobody, `"actor_id":null,"actor_name":null,"actor_email":null`, `"actor_id":"` + zeroUUID + `","actor_name":"","actor_email":"a@corp.example"`,
		`"actor_id":"","actor_name":"jos\u00e9 \"J\" \ud83d\udc36","actor_email":"no mail"`, `"actor_id":"x","actor_name":"x","actor_email":"x"`,
	} {
		add(func(e *entry) { e.actor = actor })
	}
	add(func(e *entry) { e.commit = zeroUUID })
	add(func(e *entry) { e.request = "ERROR" })
	add(func(e *entry) { e.status = "pending" })
	add(func(e *entry) { e.end = `,"new_key":{"a":[1,2]},"event_id":"theirs","tenant":"theirs"` })
	for _, fields := range []string{`{"username":"ada"}`, `{"username":""}`, `{"username":7}`, `{"error":{}}`, `{"username":"eve","error":{}}`} {
		for _, actor := range []string{somebody, nobody} {
			e := ordinary("LoginAttempt", "failure")
			e.fields, e.actor = fields, actor
			all = append(all, e)
		}
	}
	for _, endpoint := range []string{"DELETE /api/v2/x", "nonsense", ""} {
		e := ordinary("UnauthorizedAccessAttempt", "failure")
		e.fields = `{"endpoint":"` + endpoint + `"}`
		all = append(all, e)
	}
	return all
}

// everything returns records for the checks against the published schemas: all actions and statuses, with and without an actor,
// with several shapes of fields and several chains of addresses, and all shapes.
func everything(tb testing.TB) []record.Record {
	tb.Helper()
	var records []record.Record
	for _, action := range append(known(), unknownActions()...) {
		for _, status := range statuses {
			for _, fields := range []string{fieldsOf(action, status), "null", `{"name":"n","id":4,"username":"u","error":{}}`, `[{"a":1}]`} {
				for _, actor := range []string{somebody, nobody} {
					for _, address := range []string{"203.0.113.9, 10.0.0.5,10.0.0.7", "2001:db8::1", "", "junk"} {
						e := ordinary(action, status)
						e.id, e.fields, e.actor, e.address = len(records)+1, fields, actor, address
						records = append(records, e.record(tb))
					}
				}
			}
		}
	}
	for _, e := range shapes() {
		records = append(records, e.record(tb))
	}
	return slices.Concat(records, pairs(tb), []record.Record{long(tb)}, sinktest.Corners(tb))
}

// pairs returns, for each action, an outcome with the time of its intent, and an intent that the stream sends alone.
func pairs(tb testing.TB) (records []record.Record) {
	tb.Helper()
	for _, action := range append(known(), unknownActions()...) {
		outcome, intent := ordinary(action, "failure").record(tb), ordinary(action, "intent").record(tb)
		outcome.Began, intent.Lone = outcome.CreatedAt.Add(-1501*time.Microsecond), true
		records = append(records, outcome, intent)
	}
	return records
}

// some returns a record for each action, all shapes, and entries that real servers send.
func some(tb testing.TB) []record.Record {
	tb.Helper()
	var records []record.Record
	for _, action := range append(known(), unknownActions()...) {
		records = append(records, ordinary(action, "success").record(tb))
	}
	for _, e := range shapes() {
		records = append(records, e.record(tb))
	}
	return append(append(records, long(tb)), sinktest.Corners(tb)...)
}

// long returns a record that Write writes piece by piece.
func long(tb testing.TB) record.Record {
	tb.Helper()
	e := ordinary("MutateGraph", "success")
	e.fields = "{\n\"query\":\"" + strings.Repeat(`match \"n\" é\n`, 20_000) + "\"}"
	return e.record(tb)
}

func build(tb testing.TB, name string, o schema.Options) schema.Schema {
	tb.Helper()
	o.Tenant = tenant
	s, err := schema.New(name, o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// mapped are the schemas that have their own names.
var mapped = []string{schema.ECS, schema.OCSF}

func generated(tb testing.TB) []record.Record {
	tb.Helper()
	return sinktest.Generate(tb, 1, 1000, time.Unix(0, 0), time.Second)
}
