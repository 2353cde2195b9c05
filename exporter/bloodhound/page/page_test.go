package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/exporter/record"
)

const sample = `{"count":2,"limit":1000,"skip":0,"data":{"logs":[` +
	`{"id":12,"created_at":"2026-01-15T12:34:56.5Z","actor_id":"","actor_name":"J\u00f6rg \"J\"","actor_email":"j@x.example",` +
	`"action":"UpdateParameter","fields":{"key":"a\u003cb","value":{"deep":[1,2.50,{"x":null}]}},"request_id":"ERROR",` +
	`"source_ip_address":"203.0.113.9, 10.0.0.5,10.0.0.7","commit_id":"00000000-0000-0000-0000-000000000000","status":"success"},` +
	`{"id":11,"created_at":"2026-01-15T14:34:56+02:00","action":"LoginAttempt","fields":null,"status":null,"future":[{}]}]}}` + "\n"

// strict takes a page only if everything on it is a record.
func strict(body []byte, dst []record.Record) (Page, error) {
	p, err := Parse(body, dst, nil)
	if err == nil && len(p.Refused) > 0 {
		return Page{}, p.Refused[0].Fault
	}
	return p, err
}

func TestParsePage(t *testing.T) {
	p, err := strict([]byte(sample), nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Count != 2 || p.Limit != 1000 {
		t.Errorf("count %d limit %d", p.Count, p.Limit)
	}
	for i := range p.Records { // checked below
		if !strings.Contains(sample, p.Records[i].Raw) || !json.Valid([]byte(p.Records[i].Raw)) {
			t.Errorf("raw is not the object as served: %s", p.Records[i].Raw)
		}
		p.Records[i].Raw = ""
	}
	at := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	want := []record.Record{{
		ID: 12, CreatedAt: at.Add(500 * time.Millisecond), ActorName: `Jörg "J"`, ActorEmail: "j@x.example",
		Action: "UpdateParameter", Fields: `{"key":"a\u003cb","value":{"deep":[1,2.50,{"x":null}]}}`, RequestID: "ERROR",
		SourceIP: "203.0.113.9, 10.0.0.5,10.0.0.7", CommitID: "00000000-0000-0000-0000-000000000000", Status: "success",
	}, {
		ID: 11, CreatedAt: at, Action: "LoginAttempt",
		Absent: record.All &^ record.Of("action"),
	}}
	if diff := cmp.Diff(want, p.Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestParsePageShapes(t *testing.T) {
	row := func(more string) string {
		return `{"data":{"logs":[{"id":1,"created_at":"2026-01-15T12:34:56.123456789Z"` + more + `}]}}`
	}
	for _, tc := range []struct{ name, body, reason string }{
		{"documented envelope", row(""), ""},
		{"null for no logs", `{"data":{"logs":null}}`, ""},
		{"white space", " {\t\"data\" :\n{ \"logs\" : [ ] } }\r\n", ""},
		{"old name of the address", row(`,"source":"192.0.2.1"`), ""},
		{"empty", "", "ends"},
		{"no logs", `{"data":{}}`, "no data.logs"},
		{"logs twice", `{"data":{"logs":[],"logs":[]}}`, "twice"},
		{"an error object", `{"http_status":500,"errors":[]}`, "no data.logs"},
		{"cut", strings.TrimSuffix(row(""), "}}"), "ends"},
		{"cut in a string", row("")[:40], "inside a string"},
		{"more after the end", row("") + "{}", "after the end"},
		{"no id", `{"data":{"logs":[{"created_at":"2026-01-15T12:34:56Z"}]}}`, "without id"},
		{"no time", `{"data":{"logs":[{"id":4}]}}`, "without id or created_at"},
		{"bad time", `{"data":{"logs":[{"id":4,"created_at":"yesterday"}]}}`, "not an RFC 3339"},
		{"fractional id", `{"data":{"logs":[{"id":4.5,"created_at":"2026-01-15T12:34:56Z"}]}}`, "whole number"},
		{"id beyond 64 bits", `{"data":{"logs":[{"id":9223372036854775808}]}}`, "whole number"},
		{"id twice", row(`,"id":1`), "twice"},
		{"time twice", row(`,"created_at":"2026-01-15T12:34:56Z"`), "twice"},
		{"id of zero", `{"data":{"logs":[{"id":0,"created_at":"2026-01-15T12:34:56Z"}]}}`, "below 1"},
		{"negative id", `{"data":{"logs":[{"id":-4,"created_at":"2026-01-15T12:34:56Z"}]}}`, "below 1"},
		{"no object", `{"data":{"logs":[null]}}`, "expected"},
		{"key twice", row(`,"action":"A","action":"B"`), "twice"},
		{"fields twice", row(`,"fields":null,"fields":{}`), "twice"},
		{"number for a string", row(`,"action":7`), "expected"},
		{"control character", row(",\"action\":\"a\nb\""), "control character"},
		{"bad escape", row(`,"action":"\x"`), "escape"},
		{"short unicode escape", row(`,"fields":"\u12g4"`), "hex"},
		{"not UTF-8", row(",\"action\":\"\xff\""), "UTF-8"},
		{"trailing comma", `{"data":{"logs":[],}}`, "expected"},
		{"leading zero", row(`,"fields":{"n":01}`), "expected"},
		{"nested too deep", row(`,"fields":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), "nested"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := strict([]byte(tc.body), nil)
			if tc.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range p.Records {
					if want := time.Date(2026, 1, 15, 12, 34, 56, 123456000, time.UTC); !r.CreatedAt.Equal(want) {
						t.Errorf("created_at %s", r.CreatedAt)
					}
					if strings.Contains(r.Raw, `"source"`) && (r.SourceIP != "192.0.2.1" || r.Absent.Has(record.Of("source_ip_address"))) {
						t.Errorf("the address under its old name was not read: %+v", r)
					}
				}
				return
			}
			if syntax := (*SyntaxError)(nil); !errors.As(err, &syntax) || !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("error %v, want one that says %q", err, tc.reason)
			}
			if len(p.Records) != 0 {
				t.Error("a malformed page yields records")
			}
		})
	}
}

// The scanner and encoding/json agree whether a text is JSON, and on every value of a record.
func FuzzParsePage(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"data":{"logs":[{"id":1,"created_at":"2026-01-15T12:34:56Z","fields":{"a":"\ud83d\ude00","b":[1e5,-0.1,true]}}]}}`))
	f.Add([]byte(`{"data":{"logs":[{"id":-0,"created_at":"2026-01-15T12:34:56Z","action":"\ud800"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := strict(body, nil)
		if err != nil {
			return // stricter than encoding/json is fine: see FuzzValue for the grammar itself
		}
		var want struct {
			Data struct {
				Logs []struct {
					ID         int64           `json:"id"`
					CreatedAt  time.Time       `json:"created_at"`
					Fields     json.RawMessage `json:"fields"`
					ActorID    *string         `json:"actor_id"`
					ActorName  *string         `json:"actor_name"`
					ActorEmail *string         `json:"actor_email"`
					Action     *string         `json:"action"`
					RequestID  *string         `json:"request_id"`
					CommitID   *string         `json:"commit_id"`
					Status     *string         `json:"status"`
				} `json:"logs"`
			} `json:"data"`
		}
		if !json.Valid(body) {
			t.Fatalf("accepted what is not JSON: %q", body)
		}
		if bytes.Contains(bytes.ToLower(body), []byte(`\u00`)) || foldsKeys(body) {
			return // encoding/json resolves escapes in keys and folds their case
		}
		if err := json.Unmarshal(body, &want); err != nil {
			return
		}
		if len(want.Data.Logs) != len(p.Records) {
			t.Fatalf("%d records, encoding/json finds %d in %q", len(p.Records), len(want.Data.Logs), body)
		}
		for i, w := range want.Data.Logs {
			got := p.Records[i]
			if got.ID != w.ID || !got.CreatedAt.Equal(w.CreatedAt.Truncate(time.Microsecond)) {
				t.Fatalf("record %d: %+v, want %+v", i, got, w)
			}
			if fields := string(w.Fields); fields != "null" && fields != got.Fields {
				t.Fatalf("fields %q, want %q", got.Fields, fields)
			}
			for name, pair := range map[string]struct {
				want *string
				got  string
			}{
				"actor_id": {w.ActorID, got.ActorID}, "actor_name": {w.ActorName, got.ActorName}, "actor_email": {w.ActorEmail, got.ActorEmail},
				"action": {w.Action, got.Action}, "request_id": {w.RequestID, got.RequestID}, "commit_id": {w.CommitID, got.CommitID},
				"status": {w.Status, got.Status},
			} {
				if absent := pair.want == nil; absent != got.Absent.Has(record.Of(name)) || !absent && *pair.want != pair.got || absent && pair.got != "" {
					t.Fatalf("%s is %q of %q", name, pair.got, body)
				}
			}
			if again, err := strict([]byte(`{"data":{"logs":[`+got.Raw+`]}}`), nil); err != nil || len(again.Records) != 1 ||
				again.Records[0] != got {
				t.Fatalf("read from its own text the record is %+v, %v; it was %+v", again.Records, err, got)
			}
		}
	})
}

func foldsKeys(body []byte) bool {
	for _, key := range []string{
		"id", "created_at", "fields", "logs", "data", "actor_id", "actor_name", "actor_email", "action", "request_id", "commit_id", "status",
	} {
		if n := bytes.Count(bytes.ToLower(body), []byte(`"`+key+`"`)); n != bytes.Count(body, []byte(`"`+key+`"`)) {
			return true
		}
	}
	return bytes.ContainsAny(body, "ſK") // these fold to s and k
}

func FuzzValue(f *testing.F) {
	for _, s := range []string{sample, `""`, `-0`, `1e+5`, `01`, `[1,]`, `{"a":}`, `tru`, `"\u00g0"`, `"\u00e9\ud83d"`, ` [ { } ] `, "\"\x7f\x1f\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &scanner{buf: text}
		_, err := s.value()
		if err == nil {
			err = s.end()
		}
		if utf8.Valid(text) && (err == nil) != json.Valid(text) {
			t.Fatalf("verdict %v on %q, encoding/json says valid = %v", err, text, json.Valid(text))
		}
	})
}

func TestPlain(t *testing.T) {
	for n := range 40 {
		for _, stop := range []byte{'"', '\\', 0, 0x1f} {
			for _, fill := range []byte{' ', '!', '#', 0x7f, 0x80, 0xa2, 0xff, '[', ']'} {
				b := append(bytes.Repeat([]byte{fill}, n), stop)
				b = append(b, "zzzzzzzzzz"...)
				if got := plain(b); got != n {
					t.Fatalf("plain stopped at %d of %q, want %d", got, b, n)
				}
			}
		}
	}
}

func BenchmarkParsePage(b *testing.B) {
	const n = 1000
	var body bytes.Buffer
	body.WriteString(`{"count":1,"limit":1000,"skip":0,"data":{"logs":[`)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"id":%d,"created_at":"2026-01-15T12:34:56.123456Z","actor_id":"0b9f1c3e-8f5a-4a57-9d8e-3d7b0d5a7c11",`+
			`"actor_name":"alice.smith","actor_email":"alice.smith@corp.example.com","action":"RunCypherQuery",`+
			`"fields":{"query":"MATCH p=(n:User)-[:MemberOf*1..3]-\u003e(m:Group) WHERE m.objectid ENDS WITH '-512' RETURN p LIMIT 100","include_properties":true},`+
			`"request_id":"0b9f1c3e-8f5a-4a57-9d8e-3d7b0d5a7c12","source_ip_address":"10.1.2.3","commit_id":"0b9f1c3e-8f5a-4a57-9d8e-3d7b0d5a7c13","status":"success"}`, i+1)
	}
	body.WriteString(`]}}`)
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	var records []record.Record
	for b.Loop() {
		p, err := strict(body.Bytes(), records[:0])
		if err != nil || len(p.Records) != n {
			b.Fatal(err)
		}
		records = p.Records
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
