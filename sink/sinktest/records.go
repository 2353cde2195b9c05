package sinktest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// Parse makes the record that the API client would make of one entry. So typed fields and Raw always agree. It is slow and
// strict: if the text is not an entry with an id and a created_at, it fails the test.
func Parse(tb testing.TB, raw string) record.Record {
	tb.Helper()
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &keys); err != nil {
		tb.Fatalf("test record %.200s: %v", raw, err)
	}
	r := record.Record{Raw: raw}
	var created string
	for key, target := range map[string]any{"id": &r.ID, "created_at": &created} {
		if err := json.Unmarshal(keys[key], target); err != nil {
			tb.Fatalf("test record %.200s: %s: %v", raw, key, err)
		}
	}
	at, err := time.Parse(time.RFC3339Nano, created)
	if err != nil {
		tb.Fatalf("test record %.200s: %v", raw, err)
	}
	r.CreatedAt = at.UTC()
	for i, c := range record.Columns() {
		value, ok := keys[c.Name]
		switch {
		case !ok || string(value) == "null":
			r.Absent |= record.At(i)
		case c.Kind == record.JSON:
			*c.Value(&r) = string(value)
		default:
			if err := json.Unmarshal(value, c.Value(&r)); err != nil {
				tb.Fatalf("test record %.200s: %s: %v", raw, c.Name, err)
			}
		}
	}
	return r
}

// Corners are entries that real servers send, and that a careless exporter loses or changes. The oldest comes first.
func Corners(tb testing.TB) []record.Record {
	tb.Helper()
	const rest = `"request_id":"ERROR","source_ip_address":"203.0.113.9, 10.0.0.5,10.0.0.7",` +
		`"commit_id":"00000000-0000-0000-0000-000000000000","status":"intent"}`
	records := make([]record.Record, 0, 16)
	for _, raw := range []string{
		// before the epoch: milliseconds must be rounded down and not towards zero
		`{"id":1,"created_at":"1969-12-31T23:59:59.9995Z"}`,
		// the earliest builds: no commit_id, no source_ip_address, no actor_email
		`{"id":2,"created_at":"2023-01-01T00:00:00Z","actor_id":"a","actor_name":"b","action":"UpdateUser",` +
			`"fields":{},"request_id":"r","source":"10.0.0.1","status":"success"}`,
		// no user: "" is not null
		`{"id":3,"created_at":"2026-03-01T23:59:59.999999Z","actor_id":"","actor_name":"","actor_email":"",` +
			`"action":"LoginAttempt","fields":{"auth_type":"secret","username":"admin"},` + rest,
		// the same instant, a lower and a higher id
		`{"id":4,"created_at":"2026-03-01T23:59:59.999999Z","actor_id":"","actor_name":"","actor_email":"",` +
			`"action":"DeleteAllAuthTokens","fields":null,` + rest,
		// escapes in fields stay; escapes in names are decoded
		`{"id":9007199254740993,"created_at":"2026-03-02T00:00:00Z","actor_id":"x",` +
			`"actor_name":"jos\u00e9 \"J\" \\ \ud83d\udc36","actor_email":"a\u003cb\u003e@x","action":"MutateGraph",` +
			`"fields":{"query":"match (n)-[:A*1..2]-\u003e(m) return n \u0026\u2028","n":1.5e+30,"s":"é🐶\t"},` + rest,
		`{"id":5,"created_at":"2026-03-02T02:00:00.1+02:00","action":"A","fields":[],` + rest,
		`{"id":6,"created_at":"2026-03-02T00:00:00.12Z","action":"B","fields":"text",` + rest,
		`{"id":7,"created_at":"2026-03-02T00:00:00.123Z","action":"C","fields":` +
			strings.Repeat(`{"a":[`, 200) + strings.Repeat(`]}`, 200) + `,` + rest,
		`{"id":8,"created_at":"2026-03-01T18:00:00.1234-06:00","action":"","fields":{"a": 1 ,"b":[ ]},` + rest,
		`{"id":11,"created_at":"2026-03-02T00:00:00.12345Z","status":"","actor_id":null}`,
		`{"id":10,"created_at":"2026-03-02T00:00:00.123456Z","fields":{"query":"` +
			strings.Repeat("long ", 100_000) + `"},` + rest,
	} {
		records = append(records, Parse(tb, raw))
	}
	return records
}

// Generate makes n ordinary records, the first at start and each next one a step later, with ids from firstID on. The same
// arguments give the same records. Their values repeat about as much as in a real log: few actors and actions, and pairs with the
// same request_id and commit_id.
func Generate(tb testing.TB, firstID int64, n int, start time.Time, step time.Duration) []record.Record {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	uuid := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rnd.Uint32(), rnd.IntN(1<<16), rnd.IntN(1<<12),
			rnd.IntN(1<<12), rnd.Int64N(1<<48))
	}
	var actors [100]string
	for i := range actors {
		actors[i] = fmt.Sprintf(`"actor_id":%q,"actor_name":"user.%d","actor_email":"user.%d@corp.example"`, uuid(), i, i)
	}
	records := make([]record.Record, 0, n)
	var request, commit, fields, action, actor string
	for i := range n {
		status := "success"
		if i%2 == 0 {
			status, request, commit = "intent", uuid(), uuid()
			actor, action = actors[min(rnd.IntN(100), rnd.IntN(100))], fmt.Sprintf("Action%d", min(rnd.IntN(60), rnd.IntN(60)))
			fields = fmt.Sprintf(`{"id":%q,"query":"MATCH (n:User)-[:MemberOf*1..%d]-\u003e(m) RETURN n LIMIT %d",`+
				`"name":"host-%d"}`, uuid(), rnd.IntN(9), rnd.IntN(1000), rnd.IntN(5000))
		}
		at := start.Add(time.Duration(i) * step).UTC().Truncate(time.Microsecond)
		records = append(records, Parse(tb, fmt.Sprintf(`{"id":%d,"created_at":%q,%s,"action":%q,"fields":%s,`+
			`"request_id":%q,"source_ip_address":"10.1.2.%d","commit_id":%q,"status":%q}`,
			firstID+int64(i), at.Format(time.RFC3339Nano), actor, action, fields, request, rnd.IntN(200), commit, status)))
	}
	return records
}
