package history

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// Corner returns a row for each corner of the contract: every kind of fields, of actor, of time and of identifier
// that a server is known to serve. They all lie within the minute after 12:34:56 on 15 January 2026.
func Corner() []bloodhoundtest.Row {
	start := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	ordinary := bloodhoundtest.Row{
		ActorID: "6f2c1c6e-3a5d-4a58-9c55-0d3e7a1f2b11", ActorName: "dwhitfield", ActorEmail: "dwhitfield@example.com",
		Action: "UpdateParameter", Fields: json.RawMessage(`{"key":"a"}`), Status: "success",
		RequestID: "0b9f4bb2-6f0e-4b0e-8d0a-7d8d5f3c9a01", SourceIP: "10.20.0.11",
		CommitID: "c7b1a1de-2f5b-4f57-a4a4-3f7f2b7f1c22",
	}
	var rows []bloodhoundtest.Row
	add := func(change func(*bloodhoundtest.Row)) {
		row := ordinary
		row.ID = 1001 + 7*int64(len(rows)) // gaps are normal
		row.CreatedAt = start.Add(time.Duration(len(rows))*time.Second + 123456*time.Microsecond)
		change(&row)
		rows = append(rows, row)
	}
	for _, fields := range cornerFields {
		add(func(r *bloodhoundtest.Row) { r.Fields = json.RawMessage(fields) })
	}
	add(func(r *bloodhoundtest.Row) { r.Fields = nil })
	for digits := time.Second; digits >= time.Microsecond; digits /= 10 {
		add(func(r *bloodhoundtest.Row) { r.CreatedAt = r.CreatedAt.Truncate(time.Second).Add(digits % time.Second) })
	}
	for _, change := range cornerColumns {
		add(change)
	}
	same := rows[len(rows)-1].CreatedAt
	for range 3 { // the same instant as the previous row
		add(func(r *bloodhoundtest.Row) { r.CreatedAt = same })
	}
	rows[0].ID, rows[1].ID = rows[1].ID, rows[0].ID // ids and times need not agree
	return rows
}

// cornerFields differ in part from the output of Go's encoder: a client must keep the bytes of the server.
var cornerFields = []string{
	`{}`,
	`{"":""}`,
	`{"a":null,"b":true,"c":false,"d":[],"e":{}}`,
	`{"float":1.5,"huge":1e+21,"int":9007199254740992,"negative":-0.000001,"zero":0}`,
	`{"query":"match (a)-[r]-\u003e(b) where a.x \u003c $STRIPPED \u0026\u0026 b.y \u003e $STRIPPED"}`,
	`{"control":"\u0001\b\f\n\r\t\u001f\u007f","line":"\u2028\u2029","quote":"\"\\/"}`,
	`{"emoji":"🐕‍🦺 \ud83d\ude00","name":"Ærøskøbing 東京 Ωμέγα עברית"}`,
	`{"raw<>&":"<b>kept as served</b> & not escaped again"}`,
	`{"spaced" : [ 1 , 2 ],` + "\n\t" + `"twice":1,"twice":2}`,
	`{"data":{"logs":[{"id":1}]},"logs":"]}}","nested":"{\"id\":99}"}`,
	strings.Repeat(`{"a":[`, 100) + `null` + strings.Repeat(`]}`, 100),
	`{"error":{}}`,
	`{"error":"it broke"}`,
}

var cornerColumns = []func(*bloodhoundtest.Row){
	func(r *bloodhoundtest.Row) { r.ActorID, r.ActorName, r.ActorEmail = "", "", "" },
	func(r *bloodhoundtest.Row) { r.ActorID = "not a uuid" },
	func(r *bloodhoundtest.Row) {
		r.ActorName, r.ActorEmail = `"Łukasz" <O'Neil> & 張偉`, "lukasz+tag@exämple.com"
	},
	func(r *bloodhoundtest.Row) { r.ActorName = "tab\tnew\nline\u2028" },
	func(r *bloodhoundtest.Row) { r.CommitID = "" },
	func(r *bloodhoundtest.Row) { r.CommitID = api.ZeroUUID },
	func(r *bloodhoundtest.Row) { r.RequestID = "" },
	func(r *bloodhoundtest.Row) { r.RequestID = "ERROR" },
	func(r *bloodhoundtest.Row) { r.SourceIP = "" },
	func(r *bloodhoundtest.Row) { r.SourceIP = "203.0.113.9, 10.0.0.5,10.0.0.7" },
	func(r *bloodhoundtest.Row) { r.SourceIP = "<script>,2001:db8::1" },
	func(r *bloodhoundtest.Row) { r.SourceIP = "10.20.0.11:51234" },
	func(r *bloodhoundtest.Row) { r.Status = "" },
	func(r *bloodhoundtest.Row) { r.Status = "intent" },
	func(r *bloodhoundtest.Row) { r.Status = "failure" },
	func(r *bloodhoundtest.Row) { r.Action = "" },
	func(r *bloodhoundtest.Row) { r.Action = "GET/api/v2/audit" },
	func(r *bloodhoundtest.Row) { r.Action = strings.Repeat("VeryLongAction", 100) },
	func(r *bloodhoundtest.Row) { r.Zone = summer },
	func(r *bloodhoundtest.Row) { r.Zone = time.FixedZone("", -(9*60+30)*60) },
	func(r *bloodhoundtest.Row) { r.ID = 1<<53 + 1 },
	func(r *bloodhoundtest.Row) { r.VisibleAt = r.CreatedAt.Add(90 * time.Second) },
}

// Large is a row whose fields are n bytes long or a little more. A server does not bound them; MutateGraph had some megabytes
// on real servers.
func Large(n int) bloodhoundtest.Row {
	return bloodhoundtest.Row{
		ID: 900_001, CreatedAt: time.Date(2026, 1, 15, 12, 34, 59, 500_000_000, time.UTC), Action: "MutateGraph",
		Fields: json.RawMessage(`{"query":"` + strings.Repeat("match (n) ", n/len("match (n) ")) + `"}`), Status: "success",
		RequestID: "5d0c9f0e-95a0-4f3c-8a52-6f3b7d7f0a77", CommitID: "f3f0a5c2-5a0b-4a55-9d54-7c1f0d2a6e88",
	}
}
