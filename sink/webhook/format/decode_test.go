package format_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// An entry has the facts that a receiver reads of one record.
type entry struct {
	id   string
	time time.Time
	line string // the object of the record
}

// strict decodes JSON, and refuses keys that the test does not expect.
func strict(t *testing.T, text []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%.300s: %v", text, err)
	}
	if d.More() {
		t.Fatalf("more than one value in %.300s", text)
	}
}

// decoders read a body as the receivers do, only by the receivers' documentation.
func decoders(t *testing.T) map[string]func(body []byte) []entry {
	t.Helper()
	return map[string]func([]byte) []entry{
		format.NDJSON: func(body []byte) (all []entry) {
			for line := range bytes.Lines(body) {
				var l struct {
					ID   string    `json:"event_id"`
					Time time.Time `json:"created_at"`
				}
				if err := json.Unmarshal(line, &l); err != nil {
					t.Fatal(err)
				}
				all = append(all, entry{l.ID, l.Time, string(line)})
			}
			return all
		},
		format.ElasticBulk: func(body []byte) (all []entry) {
			rows := strings.Split(string(body), "\n")
			if rows[len(rows)-1] != "" || len(rows)%2 == 0 {
				t.Fatalf("%d lines, the last one %.100q", len(rows), rows[len(rows)-1])
			}
			for i := 0; i+1 < len(rows); i += 2 {
				var action struct {
					Create struct {
						ID string `json:"_id"`
					} `json:"create"`
				}
				strict(t, []byte(rows[i]), &action)
				at, document, _ := strings.Cut(strings.TrimPrefix(rows[i+1], `{"@timestamp":"`), `",`)
				all = append(all, entry{action.Create.ID, parseTime(t, at), "{" + document + "\n"})
			}
			return all
		},
		format.Loki: func(body []byte) (all []entry) {
			var push struct {
				Streams []struct {
					Stream map[string]string    `json:"stream"`
					Values [][3]json.RawMessage `json:"values"`
				} `json:"streams"`
			}
			strict(t, body, &push)
			if len(push.Streams) != 1 || push.Streams[0].Stream["tenant"] != tenant || push.Streams[0].Stream["pass"] != "live" {
				t.Fatalf("streams %+v", push.Streams)
			}
			for _, v := range push.Streams[0].Values {
				var nano, line string
				var meta struct {
					ID string `json:"event_id"`
				}
				strict(t, v[0], &nano)
				strict(t, v[1], &line)
				strict(t, v[2], &meta)
				n, err := strconv.ParseInt(nano, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, entry{meta.ID, time.Unix(0, n), line + "\n"})
			}
			return all
		},
		format.Datadog: func(body []byte) (all []entry) {
			var list []struct {
				Message   string `json:"message"`
				Source    string `json:"ddsource"`
				Service   string `json:"service"`
				Hostname  string `json:"hostname"`
				Tags      string `json:"ddtags"`
				Timestamp int64  `json:"timestamp"`
				ID        string `json:"event_id"`
			}
			strict(t, body, &list)
			for _, e := range list {
				if e.Source != "bloodhound" || e.Service != "bloodhound" || e.Hostname != tenant || !strings.HasPrefix(e.Tags, "tenant:"+tenant) {
					t.Fatalf("%+v", e)
				}
				all = append(all, entry{e.ID, time.UnixMilli(e.Timestamp), e.Message + "\n"})
			}
			return all
		},
		format.SplunkHEC: readHEC(t),
		format.Sentinel:  readSentinel(t),
	}
}

func parseTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04:05.000000Z", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestBodiesAreReadBack: a receiver reads each record from a body, with its id, its time and all of its text. The batches have 1, 2
// and more records. If a record is over the receiver's limit, the format cuts it, and the record says so.
func TestBodiesAreReadBack(t *testing.T) {
	each(t, func(t *testing.T, name string, f format.Format) {
		decode := decoders(t)[name]
		all := append(sinktest.Corners(t), sinktest.Generate(t, 100, 300, time.Now(), time.Second)...)
		all = append(all, sinktest.Parse(t, `{"id":9,"created_at":"2026-01-15T12:34:56.123456Z","action":"GET /api/v2/x <&>","fields":{"time":1,"a.b":"\ud800\u2028"},`+
			`"source_ip_address":"2001:db8::1","status":"sta\"tus"}`))
		for _, n := range []int{1, 2, len(all)} {
			for from := 0; from+n <= len(all); from += n {
				rs := all[from : from+n]
				text := body(f, live, rs...)
				if !utf8.Valid(text) {
					t.Fatalf("no UTF-8 in %.300q", text)
				}
				got := decode(text)
				if len(got) != n {
					t.Fatalf("%d entries of %d records", len(got), n)
				}
				for i := range rs {
					check(t, name, f, &rs[i], got[i])
				}
			}
		}
	})
}

func check(t *testing.T, name string, f format.Format, r *record.Record, got entry) {
	t.Helper()
	if got.id != ndjson.EventID(tenant, r) {
		t.Errorf("id %q, want %q", got.id, ndjson.EventID(tenant, r))
	}
	grain := time.Microsecond
	if name == format.Datadog {
		grain = time.Millisecond
	}
	if late := r.CreatedAt.Sub(got.time); late < 0 || late >= grain {
		t.Errorf("time %s of %s", got.time, r.CreatedAt)
	}
	if name == format.Sentinel {
		return // it has columns and no line: see TestSentinelRows
	}
	line := string(ndjson.AppendLine(nil, tenant, r))
	if most := f.Limits().Record; most == 0 || len(r.Raw) <= most*9/10 {
		if got.line != line {
			t.Errorf("line %.300q, want %.300q", got.line, line)
		}
		return
	}
	if len(got.line) > len(line) || !strings.Contains(got.line, `"fields_truncated":true,"fields_bytes":`+fmt.Sprint(len(r.Fields))+",") {
		t.Errorf("a record of %d bytes is a line of %d: %.300q", len(line), len(got.line), got.line)
	}
}

// A reading is an answer, and the verdict that a format should give on it.
type reading struct {
	status int
	body   string
	class  format.Class
	items  map[int]format.Class
	says   string // in Why and Advice of the verdict and its first item
}

// read checks readings of a batch of three records.
func read(t *testing.T, f format.Format, readings map[string]reading) {
	t.Helper()
	for name, r := range readings {
		v := f.Read(answer(r.status, "application/json", r.body), format.Batch{Records: 3})
		said, items := v.Why+" "+v.Advice, map[int]format.Class{}
		for i, item := range v.Items {
			items[item.N] = item.Class
			if i == 0 {
				said += " " + item.Why
			}
		}
		if v.Class != r.class || fmt.Sprint(items) != fmt.Sprint(r.items) || !strings.Contains(strings.ToLower(said), strings.ToLower(r.says)) {
			t.Errorf("%s: %s, items %v: %q", name, class(v.Class), items, said)
		}
	}
}

// The items are those of OpenSearch 2.19.6, as .ci/receivers provokes them.
func TestElasticReads(t *testing.T) {
	t.Parallel()
	const created = `{"create":{"status":201}}`
	items := func(errors bool, items ...string) string {
		return fmt.Sprintf(`{"took":3,"errors":%t,"items":[%s]}`, errors, strings.Join(items, ","))
	}
	failed := func(status int, kind, reason string) string {
		return fmt.Sprintf(`{"create":{"_index":"x","status":%d,"error":{"type":%q,"reason":%q,"caused_by":{"type":"y"}}}}`, status, kind, reason)
	}
	one := func(item string) string { return items(true, created, item, created) }
	at := func(c format.Class) map[int]format.Class { return map[int]format.Class{1: c} }
	long := strings.Repeat("long ", 100_000)
	read(t, build(t, format.ElasticBulk, format.Options{}), map[string]reading{
		"all":           {200, items(false, created, created, created), format.OK, nil, ""},
		"there already": {200, one(failed(409, "version_conflict_engine_exception", "exists")), format.OK, nil, ""},
		"busy":          {200, one(failed(429, "es_rejected_execution_exception", "full")), format.OK, at(format.Retry), "429 es_rejected"},
		"a shard":       {200, one(failed(503, "unavailable_shards_exception", "x")), format.OK, at(format.Retry), "503"},
		"mapping":       {200, one(failed(400, "mapper_parsing_exception", "failed to parse")), format.OK, at(format.Narrow), "index template"},
		"a long reason": {200, one(failed(400, "mapper_parsing_exception", long)), format.OK, at(format.Narrow), "mapper_parsing"},
		"blocked":       {200, one(failed(403, "cluster_block_exception", "x")), format.OK, at(format.Retry), "make room"},
		"no right":      {200, one(failed(403, "security_exception", "x")), format.OK, at(format.Stop), "create_doc"},
		"no index":      {200, one(failed(404, "index_not_found_exception", "x")), format.OK, at(format.Stop), "there is no such index"},
		"not created":   {200, one(failed(400, "illegal_argument_exception", "only write ops with an op_type of create")), format.OK, at(format.Stop), "that are created"},
		"no time":       {200, one(failed(400, "mapper_parsing_exception", "data stream timestamp field [@timestamp] is missing")), format.OK, at(format.Stop), ""},
		"unknown":       {200, one(failed(418, "teapot", "x")), format.OK, at(format.Stop), "418"},
		"three classes": {
			200, items(true, failed(429, "a", "b"), failed(400, "a", "b"), created), format.OK,
			map[int]format.Class{0: format.Retry, 1: format.Narrow},
			"429",
		},
		"too few":           {200, items(false, created, created), format.Unexpected, nil, "2 records of 3"},
		"too many":          {200, items(false, created, created, created, created), format.Unexpected, nil, "4 records of 3"},
		"an error, no flag": {200, `{"items":[` + created + `,` + created + `,` + created + `]}`, format.Unexpected, nil, ""},
		"empty":             {200, "", format.Unexpected, nil, "0 records of 3"},
		"cut off":           {200, items(false, created, created, created)[:60], format.Unexpected, nil, ""},
		"only errors":       {200, `{"errors":false}`, format.Unexpected, nil, ""},
		"too large":         {413, "", format.Split, nil, ""},
		"no batch":          {400, `{"error":{"reason":"request body is required"}}`, format.Stop, nil, "bulk API"},
		"overload":          {429, `{"error":{"type":"circuit_breaking_exception"}}`, format.Retry, nil, ""},
	})
	aside := items(false, created, `{"create":{"status":201,"failure_store":"used"}}`, created)
	if v := build(t, format.ElasticBulk, format.Options{}).Read(answer(200, "", aside), format.Batch{Records: 3}); v.Class != format.OK || v.Aside != 1 {
		t.Errorf("%+v", v)
	}
}

func TestLokiReads(t *testing.T) {
	t.Parallel()
	read(t, build(t, format.Loki, format.Options{}), map[string]reading{
		"taken":          {204, "", format.OK, nil, ""},
		"200":            {200, "", format.Stop, nil, "204 and no other"},
		"blocked":        {260, "blocked", format.Stop, nil, "ingestion may be blocked"},
		"too far behind": {400, "entry too far behind, total ignored: 1 out of 3", format.Narrow, nil, "max_chunk_age"},
		"too old":        {400, "entry for stream '{...}' has timestamp too old: 2026", format.Narrow, nil, "reject_old_samples_max_age"},
		"line too long":  {400, "max entry size '262144' bytes exceeded", format.Narrow, nil, "event id"},
		"labels":         {400, "error parsing labels", format.Stop, nil, "labels"},
		"old schema":     {400, "stream '{}' includes structured metadata, but this feature is disallowed", format.Stop, nil, "LOKI_METADATA=false"},
		"rate":           {429, "Ingestion rate limit exceeded", format.Retry, nil, ""},
		"streams":        {429, "Maximum active stream limit exceeded", format.Stop, nil, "no waiting mends"},
		"too large":      {413, "", format.Split, nil, ""},
		"down":           {500, "", format.Retry, nil, ""},
		"no tenant":      {401, "no org id", format.Stop, nil, ""},
	})
}

func TestDatadogReads(t *testing.T) {
	t.Parallel()
	read(t, build(t, format.Datadog, format.Options{}), map[string]reading{
		"taken":     {202, "{}", format.OK, nil, ""},
		"200":       {200, "{}", format.Unexpected, nil, "with 202"},
		"malformed": {400, `{"errors":[{"status":"400"}]}`, format.Narrow, nil, ""},
		"no key":    {403, `{"errors":["Forbidden"]}`, format.Stop, nil, "HOUNDTRAIL_WEBHOOK_AUTHORIZATION"},
		"too large": {413, "", format.Split, nil, ""},
		"overload":  {429, "", format.Retry, nil, ""},
		"timeout":   {408, "", format.Retry, nil, ""},
	})
	f := build(t, format.Datadog, format.Options{})
	long := sinktest.Parse(t, `{"id":7,"created_at":"2026-01-15T12:34:56.123456Z","fields":{"query":"`+strings.Repeat(`\"`, 600_000)+`"}}`)
	if n := len(f.Append(nil, &long)); n > 900_000 || n < 100_000 {
		t.Errorf("an entry of %d bytes", n)
	}
}

// If Loki does not take structured metadata, the format sends none.
func TestLokiWithoutMetadata(t *testing.T) {
	t.Parallel()
	r := sinktest.Corners(t)[1]
	if got := string(body(build(t, format.Loki, format.Options{BareLines: true}), live, r)); !strings.HasSuffix(got, `\"}"]]}]}`) {
		t.Error(got)
	}
}
