package format_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A row has the columns of the table, and no other.
type row struct {
	TimeGenerated   string
	EventID         string `json:"EventId"`
	Tenant          string
	RecordID        int64 `json:"RecordId"`
	CreatedAt       string
	ActorID         string `json:"ActorId"`
	ActorName       string
	ActorEmail      string
	Action          string
	Status          string
	Fields          json.RawMessage
	RequestID       string `json:"RequestId"`
	SourceIPAddress string `json:"SourceIpAddress"`
	CommitID        string `json:"CommitId"`
}

func rows(t *testing.T, body []byte) (list []row) {
	t.Helper()
	strict(t, body, &list)
	return list
}

func readSentinel(t *testing.T) func([]byte) []entry {
	return func(body []byte) (all []entry) {
		for _, r := range rows(t, body) {
			if r.TimeGenerated != r.CreatedAt || r.Tenant != tenant {
				t.Fatalf("%+v", r)
			}
			all = append(all, entry{id: r.EventID, time: parseTime(t, r.TimeGenerated)})
		}
		return all
	}
}

// Every value of a record has a column. If Azure would cut a value in silence, the format cuts it first, and the value says so.
func TestSentinelRows(t *testing.T) {
	t.Parallel()
	f := build(t, format.Sentinel, format.Options{})
	all := append(sinktest.Corners(t), sinktest.Generate(t, 100, 50, time.Now(), time.Second)...)
	for i, r := range rows(t, body(f, live, all...)) {
		in := &all[i]
		got := []string{r.ActorID, r.ActorName, r.ActorEmail, r.Action, r.Status, r.RequestID, r.SourceIPAddress, r.CommitID}
		want := []string{in.ActorID, in.ActorName, in.ActorEmail, in.Action, in.Status, in.RequestID, in.SourceIP, in.CommitID}
		if diff := cmp.Diff(want, got); diff != "" || r.RecordID != in.ID {
			t.Errorf("record %d is row %d: %s", in.ID, r.RecordID, diff)
		}
		switch {
		case in.Absent.Has(record.Of("fields")):
			if string(r.Fields) != "null" {
				t.Errorf("record %d: absent fields are %s", in.ID, r.Fields)
			}
		case len(in.Fields) <= 64_000:
			if string(r.Fields) != in.Fields {
				t.Errorf("record %d: the fields %.200s are %.200s", in.ID, in.Fields, r.Fields)
			}
		default:
			if len(r.Fields) > 64_000 || !strings.Contains(string(r.Fields), fmt.Sprintf(`"fields_truncated":true,"fields_bytes":%d,"fields_sha256":"`, len(in.Fields))) {
				t.Errorf("record %d: fields of %d bytes are %.300s", in.ID, len(in.Fields), r.Fields)
			}
		}
	}
}

// The values of a record may be of any length and of any characters: its row fits into a call.
func TestSentinelFits(t *testing.T) {
	t.Parallel()
	f := build(t, format.Sentinel, format.Options{})
	for _, unit := range []string{"x", "\x00", `"`, "é", "🐶", "short \x00"} {
		n := 300_000
		if unit, short := strings.CutPrefix(unit, "short "); short { // it is short enough without its escapes, and too long with them
			n = 63_000 / len(unit)
		}
		long := strings.Repeat(strings.TrimPrefix(unit, "short "), n)
		quoted, err := json.Marshal(long)
		if err != nil {
			t.Fatal(err)
		}
		r := record.Record{
			ID: 1, CreatedAt: time.Now(), ActorID: long, ActorName: long, ActorEmail: long, Action: long, Status: long, RequestID: long,
			SourceIP: long, CommitID: long, Fields: string(quoted),
		}
		text := body(f, live, r)
		got := rows(t, text)[0]
		if len(text) > f.Limits().Bytes || len(got.ActorName) > 64<<10 || len(got.Fields) > 64<<10 || !strings.HasSuffix(got.CommitID, "...") ||
			!strings.HasPrefix(long, strings.TrimSuffix(got.Action, "...")) {
			t.Errorf("%q: a row of %d bytes, a name of %d and fields of %d", unit, len(text), len(got.ActorName), len(got.Fields))
		}
	}
}

// The template of the deploy folder makes a table and a stream with the columns of a row, and no others. Azure drops the values of
// any other column in silence, and keeps some names for itself.
func TestSentinelTemplate(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("../../../deploy/azure/sentinel.json")
	if err != nil {
		t.Fatal(err)
	}
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	type columns struct {
		Columns []column `json:"columns"`
	}
	var content struct {
		Resources []struct {
			Properties struct {
				Schema             columns            `json:"schema"`
				StreamDeclarations map[string]columns `json:"streamDeclarations"`
			} `json:"properties"`
		} `json:"resources"`
	}
	if err := json.Unmarshal(template, &content); err != nil {
		t.Fatal(err)
	}
	var one []map[string]any
	r := sinktest.Corners(t)[2]
	r.Began, r.Lone = r.CreatedAt.Add(-time.Second), true // never both; so the row has every column
	if err := json.Unmarshal(body(build(t, format.Sentinel, format.Options{}), live, r), &one); err != nil {
		t.Fatal(err)
	}
	for i, list := range [][]column{
		content.Resources[0].Properties.Schema.Columns, content.Resources[1].Properties.StreamDeclarations["Custom-BloodHoundAudit"].Columns,
	} {
		seen := map[string]bool{}
		for _, c := range list {
			seen[c.Name] = true
			kind := map[string]string{
				"TimeGenerated": "datetime", "CreatedAt": "datetime", "RecordId": "long", "Fields": "dynamic",
				"StartedAt": "datetime", "DurationMs": "real", "Unpaired": "boolean",
			}[c.Name]
			if kind == "" {
				kind = "string"
			}
			if _, sent := one[0][c.Name]; !sent || !strings.EqualFold(c.Type, kind) {
				t.Errorf("list %d: column %s of type %s: sent %t", i, c.Name, c.Type, sent)
			}
			if slices.Contains([]string{"id", "TenantId", "Type", "Title", "UniqueId", "_ResourceId", "_SubscriptionId"}, c.Name) {
				t.Errorf("%s is a reserved name", c.Name)
			}
		}
		if len(seen) != len(one[0]) {
			t.Errorf("list %d has %d columns, and a row %d", i, len(seen), len(one[0]))
		}
	}
}

func TestSentinelReads(t *testing.T) {
	t.Parallel()
	const taken = `{"error":{"code":"x","message":"y"}}`
	read(t, build(t, format.Sentinel, format.Options{}), map[string]reading{
		"taken": {204, "", format.OK, nil, ""}, "200": {200, "", format.Unexpected, nil, "with 204"}, "202": {202, "{}", format.Unexpected, nil, ""},
		"bad":      {400, taken, format.Narrow, nil, ""},
		"token":    {401, taken, format.Stop, nil, "HOUNDTRAIL_WEBHOOK_OAUTH_SCOPE"},
		"no role":  {403, taken, format.Stop, nil, "Monitoring Metrics Publisher"},
		"no rule":  {404, taken, format.Stop, nil, "immutable id"},
		"large":    {413, taken, format.Split, nil, ""},
		"too many": {429, taken, format.Retry, nil, ""}, "down": {503, taken, format.Retry, nil, ""},
	})
}
