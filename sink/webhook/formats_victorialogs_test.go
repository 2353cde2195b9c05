package webhook_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// endpoints has the path at which VictoriaLogs takes each format, with the parameters that it needs. Without them it uses the time
// of the arrival, and says that all is well.
var endpoints = map[string]string{
	format.NDJSON:      "/insert/jsonline?_time_field=created_at&_msg_field=action&_stream_fields=tenant",
	format.ElasticBulk: "/insert/elasticsearch/_bulk?_time_field=@timestamp&_msg_field=action&_stream_fields=tenant",
	format.Loki:        "/insert/loki/api/v1/push?_msg_field=action",
	format.Datadog:     "/insert/datadog/api/v2/logs",
}

// padded returns a record whose fields have that many bytes.
func padded(t *testing.T, r record.Record, size int) record.Record {
	t.Helper()
	return sinktest.Parse(t, fmt.Sprintf(`{"id":%d,"created_at":%q,"action":"MutateGraph","fields":{"query":%q},"status":"success"}`,
		r.ID, r.CreatedAt.Format(time.RFC3339Nano), strings.Repeat("long ", size/5)))
}

// A real receiver takes batches of one, a thousand and fifty thousand records in each format, and a record of 300 KiB. It has each
// record once, at its time. It has dropped nothing: the test looks, since the receiver's answers would not say so.
func TestVictoriaLogsTakesEachFormat(t *testing.T) {
	t.Parallel()
	for name, endpoint := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs := servers.VictoriaLogs(t, "-insert.maxLineSizeBytes=2MiB")
			total, at := 0, time.Now().Add(-3*time.Hour).Truncate(time.Microsecond)
			for _, n := range []int{1, 1000, 50_000} {
				rs := sinktest.Generate(t, int64(total+1), n, at.Add(time.Duration(total)*150*time.Millisecond), 150*time.Millisecond)
				if n == 1000 {
					rs[500] = padded(t, rs[500], 300<<10)
				}
				total += n
				s := newSink(t, webhook.Options{
					URL: logs.URL + endpoint, Format: name, BatchRecords: n, BatchBytes: 256 << 20, InFlight: 2, Timeout: time.Minute,
				})
				receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
				if err != nil {
					t.Fatal(err)
				}
				if n != 1000 && len(receipt.Objects) != 1 {
					t.Errorf("%d records in %d batches", n, len(receipt.Objects))
				}
				checkStored(t, logs, name, rs)
			}
			checkAllTaken(t, logs, total)
		})
	}
}

// If a record is over the receiver's limit, the receiver drops it, but says that it has it. With a setting, Houndtrail cuts the
// record.
func TestVictoriaLogsTakesCutRecords(t *testing.T) {
	t.Parallel()
	for name, endpoint := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs := servers.VictoriaLogs(t)
			rs := sinktest.Generate(t, 1, 3, time.Now().Add(-time.Minute), time.Second)
			rs[1] = padded(t, rs[1], 2<<20)
			s := newSink(t, webhook.Options{URL: logs.URL + endpoint, Format: name, RecordBytes: 200 << 10})
			if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
				t.Fatal(err)
			}
			checkStored(t, logs, name, rs)
			checkAllTaken(t, logs, 3)
			if name == format.Datadog {
				return // its message is one text here
			}
			var found struct{ N string }
			decode(t, query(t, logs, fmt.Sprintf(`fields_truncated:=true fields_bytes:=%d | stats count() n`, len(rs[1].Fields))), &found)
			if found.N != "1" {
				t.Errorf("%s records are marked as cut", found.N)
			}
		})
	}
}

// checkStored checks that each record is stored under its id at its time.
func checkStored(t *testing.T, logs servers.Logs, name string, rs []record.Record) {
	t.Helper()
	get(t, logs.URL+"/internal/force_flush")
	grain := time.Microsecond
	if name == format.Datadog {
		grain = time.Millisecond
	}
	stored := map[string]string{}
	for line := range strings.Lines(query(t, logs, `* | fields event_id, _time`)) {
		var event struct {
			ID   string `json:"event_id"`
			Time string `json:"_time"`
		}
		decode(t, line, &event)
		stored[event.ID] = event.Time
	}
	for i := range rs {
		want := rs[i].CreatedAt.Truncate(grain).Format(time.RFC3339Nano)
		if got := stored[ndjson.EventID(tenant, &rs[i])]; got != want {
			t.Fatalf("record %d is stored at %q, want %q", rs[i].ID, got, want)
		}
	}
}

var dropped = regexp.MustCompile(`(?m)^(vl_rows_dropped_total|vl_too_long_lines_skipped_total)\S* (\d+)`)

// checkAllTaken checks that the receiver has that many events, each once, and that its counters show no loss.
func checkAllTaken(t *testing.T, logs servers.Logs, want int) {
	t.Helper()
	var counts struct{ N, U string }
	decode(t, query(t, logs, `* | stats count() n, count_uniq(event_id) u`), &counts)
	if n := strconv.Itoa(want); counts.N != n || counts.U != n {
		t.Errorf("stored %s events with %s ids, want %d", counts.N, counts.U, want)
	}
	counters := dropped.FindAllStringSubmatch(get(t, logs.URL+"/metrics"), -1)
	for _, c := range counters {
		if c[2] != "0" {
			t.Errorf("%s is %s", c[1], c[2])
		}
	}
	if len(counters) < 2 {
		t.Errorf("the counters of losses are gone: %q", counters)
	}
}
