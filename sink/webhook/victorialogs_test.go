package webhook_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// The test delivers a window twice to a real receiver. The receiver has every event. If one counts by event_id, it has each event
// once.
func TestVictoriaLogs(t *testing.T) {
	t.Parallel()
	for _, c := range []ndjson.Compression{ndjson.Gzip, ndjson.Zstd} {
		t.Run(string(c), func(t *testing.T) {
			t.Parallel()
			testVictoriaLogs(t, c)
		})
	}
}

func testVictoriaLogs(t *testing.T, c ndjson.Compression) {
	t.Helper()
	logs := servers.VictoriaLogs(t)
	const n = 20_000
	rs := sinktest.Generate(t, 1, n, time.Now().Add(-time.Hour), 150*time.Millisecond)
	s := newSink(t, webhook.Options{
		URL:    logs.URL + "/insert/jsonline?_time_field=created_at&_msg_field=action&_stream_fields=tenant",
		Expect: expecting(t, "200"), Compression: c, InFlight: webhook.DefaultInFlight,
	})
	first, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
	if err != nil {
		t.Fatal(err)
	}
	again, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Objects) < n/1000 || first.Objects[3].Key != again.Objects[3].Key {
		t.Errorf("%d and %d batches", len(first.Objects), len(again.Objects))
	}

	get(t, logs.URL+"/internal/force_flush")
	var counts struct{ N, U string }
	decode(t, query(t, logs, `* | stats count() n, count_uniq(event_id) u`), &counts)
	if counts.N != "40000" || counts.U != "20000" {
		t.Errorf("stored %s lines with %s event ids, want 40000 with 20000", counts.N, counts.U)
	}

	stored := map[string]string{}
	for line := range strings.Lines(query(t, logs, `* | fields event_id, tenant, _time, _msg`)) {
		var event map[string]string
		decode(t, line, &event)
		stored[event["event_id"]] = event["tenant"] + " " + event["_time"] + " " + event["_msg"]
	}
	for i := range rs {
		want := tenant + " " + rs[i].CreatedAt.Format(time.RFC3339Nano) + " " + rs[i].Action
		if got := stored[ndjson.EventID(tenant, &rs[i])]; got != want {
			t.Fatalf("record %d is stored as %q, want %q", rs[i].ID, got, want)
		}
	}
}

// A receiver gets heads in addition to the records. Each head is one event under its event_id, its note does not change, and no
// query for records finds it.
func TestVictoriaLogsRemembersHeads(t *testing.T) {
	t.Parallel()
	logs := servers.VictoriaLogs(t)
	rs := sinktest.Generate(t, 1, 50, time.Now().Add(-time.Hour), time.Second)
	posted := 0
	s := newSink(t, webhook.Options{
		URL:    logs.URL + "/insert/jsonline?_time_field=created_at&_msg_field=action&_stream_fields=tenant",
		Expect: expecting(t, "200"), Compression: ndjson.Gzip, InFlight: webhook.DefaultInFlight,
		Observe: func(a webhook.Attempt) { posted += a.Records },
	})
	if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
		t.Fatal(err)
	}
	note := "acme/houndtrail/archive/6f1c6a0e8b1f4c3b\n7\nz+dUtjXwwtOL3qi73v9PcJHKHVcT9YQM5wJwXQMgamo=\n\n— acme/houndtrail x\n"
	var events [][]byte
	for _, stream := range []string{"archive", "webhook"} {
		event, err := json.Marshal(map[string]any{
			"type": "houndtrail.head", "event_id": "acme/houndtrail/" + stream + "/6f1c6a0e8b1f4c3b/7", "size": 7, "head": note,
		})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
	for range 2 {
		if err := s.Tell(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
	}
	get(t, logs.URL+"/internal/force_flush")
	for q, want := range map[string]string{
		"*":                            "54 52",
		"id:*":                         "50 50",
		`type:="houndtrail.head"`:      "4 2",
		`event_id:"acme/houndtrail/"*`: "4 2",
	} {
		var counts struct{ N, U string }
		decode(t, query(t, logs, q+` | stats count() n, count_uniq(event_id) u`), &counts)
		if got := counts.N + " " + counts.U; got != want {
			t.Errorf("%s finds %s lines and event ids, want %s", q, got, want)
		}
	}
	var stored struct{ Head, Size string }
	decode(t, query(t, logs, `type:="houndtrail.head" | fields head, size | limit 1`), &stored)
	if stored.Head != note || stored.Size != "7" {
		t.Errorf("the head is stored as %q of size %s", stored.Head, stored.Size)
	}
	if posted != 50 {
		t.Errorf("%d records were posted, want 50: a head is none", posted)
	}
}

// The package's documentation warns of this: the receiver acknowledges a line, but does not store it.
func TestVictoriaLogsDropsLongLines(t *testing.T) {
	t.Parallel()
	logs := servers.VictoriaLogs(t)
	rs := sinktest.Generate(t, 1, 3, time.Now().Add(-time.Minute), time.Second)
	rs[1] = sinktest.Parse(t, strings.Replace(rs[1].Raw, `{`, `{"padding":"`+strings.Repeat("long ", 60_000)+`",`, 1))
	s := newSink(t, webhook.Options{
		URL: logs.URL + "/insert/jsonline?_time_field=created_at&_msg_field=action&_stream_fields=tenant",
	})
	if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
		t.Fatal(err)
	}
	get(t, logs.URL+"/internal/force_flush")
	var ids []string
	for line := range strings.Lines(query(t, logs, `* | sort by (id) | fields id`)) {
		var event struct{ ID string }
		decode(t, line, &event)
		ids = append(ids, event.ID)
	}
	// The receiver stores its neighbours only because the sink sent the line alone.
	if got := strings.Join(ids, " "); got != "1 3" {
		t.Errorf("stored %q: if the long line is kept by now, correct the package documentation", got)
	}
}

func query(t *testing.T, logs servers.Logs, q string) string {
	t.Helper()
	return get(t, logs.URL+"/select/logsql/query?query="+url.QueryEscape(q))
}

func get(t *testing.T, address string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answered %d: %v\n%.300s", address, resp.StatusCode, err, body)
	}
	return string(body)
}

func decode(t *testing.T, line string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), into); err != nil {
		t.Fatalf("%.300s: %v", line, err)
	}
}
