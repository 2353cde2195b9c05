package tabletest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// Tenant is the tenant of most records. Other has a few: its name has only digits, and must stay a text.
const (
	Tenant = "acme"
	Other  = "0042"
)

// The archive has records on each day from First to Last. February has the story for the questions.
var (
	First = time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
	Last  = time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	Since = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	Until = time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)
)

const (
	zero    = "00000000-0000-0000-0000-000000000000"
	request = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
	proxied = "203.0.113.9, 10.0.0.5,10.0.0.7"
)

// row is one line of the story.
type row struct {
	at, actor, action, status, commit, request, address, fields string
}

// story is February of Tenant.
func story() []row {
	const login, user = `{"auth_type":"secret","username":"%s"}`, `{"id":"u7","principal_name":"%s","roles":[%s],"is_disabled":false}`
	return []row{
		{"02-02T08:00:00.000001Z", "", "LoginAttempt", "intent", "c01", "r01", "10.0.0.1", fmt.Sprintf(login, "dana")},
		{"02-02T08:00:00.250001Z", "dana", "LoginAttempt", "success", "c01", "r01", "10.0.0.1", fmt.Sprintf(login, "dana")},
		{"02-02T08:05:00.1Z", "", "LoginAttempt", "intent", "c02", "r02", proxied, fmt.Sprintf(login, "root")},
		{"02-02T08:05:00.2Z", "", "LoginAttempt", "failure", "c02", "r02", proxied, `{"auth_type":"secret","error":{},"username":"root"}`},
		{"02-02T08:05:09.2Z", "", "LoginAttempt", "failure", "c03", "r03", proxied, `{"error":"invalid authentication","username":"root"}`},
		{"02-02T08:06:09.2Z", "", "LoginAttempt", "failure", "c04", "r04", "10.0.0.9:51022", fmt.Sprintf(login, "o'neil")},
		{"02-03T09:00:00Z", "dana", "CreateAuthToken", "intent", "c10", "r10", "10.0.0.1", `{"id":"` + zero + `","name":"siem","user_id":"u1"}`},
		{"02-03T09:00:00.75Z", "dana", "CreateAuthToken", "success", "c10", "r10", "10.0.0.1", `{"id":"t1","name":"siem","user_id":"u1"}`},
		{"02-03T09:10:00Z", "dana", "CreateUser", "intent", "c11", "r11", "10.0.0.1", fmt.Sprintf(user, "eve", "3")},
		{"02-03T09:10:00.5Z", "dana", "CreateUser", "success", "c11", "r11", "10.0.0.1", fmt.Sprintf(user, "eve", "3")},
		{"02-04T10:00:00Z", "dana", "UpdateUser", "intent", "c12", request, "10.0.0.1", fmt.Sprintf(user, "eve", "1,3")},
		{"02-04T10:00:02Z", "dana", "UpdateUser", "success", "c12", request, "10.0.0.1", fmt.Sprintf(user, "eve", "1,3")},
		{"02-04T10:00:02.5Z", "dana", "PUT/api/v2/bloodhound-users", "success", "c13", request, "10.0.0.1", "null"},
		{"02-04T11:00:00Z", "eve", "DeleteUser", "intent", "c14", "r14", "::1", fmt.Sprintf(user, "dana", "")},
		{"02-04T11:00:01Z", "eve", "DeleteUser", "failure", "c14", "r14", "::1", `{"error":"not allowed","principal_name":"dana"}`},
		// Its intent is of the previous day.
		{"02-10T23:59:59.9Z", "eve", "MutateGraph", "intent", "c20", "r20", "10.0.0.2", `{"query":"match (n) set n.a = $STRIPPED"}`},
		{"02-11T00:00:01.4Z", "eve", "MutateGraph", "success", "c20", "r20", "10.0.0.2", `{"query":"match (n) set n.a = $STRIPPED"}`},
		// The server crashed.
		{"02-11T12:00:00Z", "eve", "DeleteBloodhoundData", "intent", "c21", "r21", "10.0.0.2", `{"Name":"a","name":"b"}`},
		{"02-11T12:30:00Z", "eve", "DeleteBloodhoundData", "intent", "c22", "r22", "10.0.0.2", `{"delete_all_graph":true}`},
		{"02-11T12:31:00Z", "eve", "DeleteBloodhoundData", "success", "c22", "r22", "10.0.0.2", `{"delete_all_graph":true}`},
		// An id that is zero or empty makes no pair. c23 ends too late, and c21 ends in another tenant: neither of them is a pair.
		{"02-12T01:00:00Z", "", "UpdateAssetGroupTag", "intent", zero, "", "", `{}`},
		{"02-12T01:00:01Z", "", "UpdateAssetGroupTag", "success", zero, "", "", `{}`},
		{"02-12T01:00:02Z", "", "DeleteAllAuthTokens", "intent", "", "", "", "null"},
		{"02-12T01:00:03Z", "", "DeleteAllAuthTokens", "success", "", "", "", "null"},
		{"02-12T03:00:00Z", "eve", "MutateGraph", "intent", "c23", "r23", "10.0.0.2", `{"query":"match (n) delete n"}`},
		{"02-14T03:00:00Z", "eve", "MutateGraph", "failure", "c23", "r23", "10.0.0.2", `{"query":"match (n) delete n"}`},
		{"02-14T12:00:00Z", "dana", "ExportAllRisks", "success", "c24", "r24", proxied, "null"}, // a Saturday
		{"02-16T17:59:59.999Z", "dana", "ExportSavedQuery", "", "c25", "r25", proxied, `{"id":7}`},
		{"02-16T18:00:00Z", "dana", "ExportSavedQuery", "success", "c26", "r26", proxied, `{"id":8}`}, // 19 o'clock in Berlin
	}
}

// Records returns the records of the archive, by tenant, oldest first.
func Records(tb testing.TB) map[string][]record.Record {
	tb.Helper()
	all := map[string][]record.Record{}
	id := int64(1)
	for day := First; !day.After(Last); day = day.AddDate(0, 0, 1) {
		if day.Before(Since) || day.After(Until) {
			all[Tenant] = append(all[Tenant], ordinary(tb, id, day)...)
			id += perDay
		}
	}
	for _, r := range story() {
		all[Tenant] = append(all[Tenant], parse(tb, id, r))
		id++
	}
	all[Other] = []record.Record{
		parse(tb, 1, row{"02-11T12:00:01Z", "mallory", "DeleteBloodhoundData", "success", "c21", "r21", "10.9.9.9", "null"}),
		parse(tb, 2, row{"02-12T12:00:01Z", "", "LoginAttempt", "failure", "c40", "r40", "10.9.9.9", `{"username":"mallory"}`}),
	}
	for _, records := range all {
		slices.SortFunc(records, func(a, b record.Record) int { return record.Compare(&a, &b) })
	}
	return all
}

// WriteDay adds a day with one record of Tenant.
func WriteDay(tb testing.TB, store bucket.Bucket, encoder func(tenant string) archive.Encoder, day time.Time) {
	tb.Helper()
	sink, err := archive.New(store, Tenant, func() archive.Encoder { return encoder(Tenant) })
	if err != nil {
		tb.Fatal(err)
	}
	w := window.Window{Start: day, End: day.AddDate(0, 0, 1)}
	if _, err := sinktest.Write(tb.Context(), sink, w, sinktest.Generate(tb, 1_000_000, 1, day, time.Second)); err != nil {
		tb.Fatal(err)
	}
}

// perDay is the number of ordinary records on a day.
const perDay = 40

// ordinary makes pairs of records. Each day has its own commit ids.
func ordinary(tb testing.TB, id int64, day time.Time) []record.Record {
	tb.Helper()
	records := sinktest.Generate(tb, id, perDay, day.Add(time.Hour), 20*time.Minute)
	for i, r := range records {
		own := day.Format("20060102") + r.CommitID[8:]
		records[i] = sinktest.Parse(tb, strings.ReplaceAll(r.Raw, r.CommitID, own))
	}
	return records
}

func parse(tb testing.TB, id int64, r row) record.Record {
	tb.Helper()
	actor := [3]string{}
	if r.actor != "" {
		actor = [3]string{"id-of-" + r.actor, r.actor, r.actor + "@corp.example"}
	}
	texts := map[string]any{
		"id": id, "created_at": "2026-" + r.at, "actor_id": actor[0], "actor_name": actor[1], "actor_email": actor[2],
		"action": r.action, "fields": json.RawMessage(r.fields), "request_id": r.request, "source_ip_address": r.address,
		"commit_id": r.commit, "status": r.status,
	}
	raw, err := json.Marshal(texts)
	if err != nil {
		tb.Fatal(err)
	}
	return sinktest.Parse(tb, string(raw))
}

// Write writes the archive into a store: one object for each day, and one more for a late record.
func Write(tb testing.TB, store bucket.Bucket, encoder func(tenant string) archive.Encoder) {
	tb.Helper()
	for tenant, records := range Records(tb) {
		sink, err := archive.New(store, tenant, func() archive.Encoder { return encoder(tenant) })
		if err != nil {
			tb.Fatal(err)
		}
		const late = 4 // this record of the story's first day
		for day := First; !day.After(Last); day = day.AddDate(0, 0, 1) {
			w := window.Window{Start: day, End: day.AddDate(0, 0, 1)}
			var due []record.Record
			for _, r := range records {
				if !r.CreatedAt.Before(w.Start) && r.CreatedAt.Before(w.End) {
					due = append(due, r)
				}
			}
			if tenant == Tenant && day.Equal(Since.AddDate(0, 0, 1)) {
				straggler := due[late : late+1]
				w := window.Window{Start: day, End: w.End, Pass: 7}
				if _, err := sinktest.Write(tb.Context(), sink, w, straggler); err != nil {
					tb.Fatal(err)
				}
				due = slices.Delete(slices.Clone(due), late, late+1)
			}
			if _, err := sinktest.Write(tb.Context(), sink, w, due); err != nil {
				tb.Fatal(err)
			}
		}
	}
}
