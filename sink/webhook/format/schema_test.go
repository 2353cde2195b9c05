package format_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

// TestSchemas: every format takes the events of every schema. Each record is an item of valid JSON, with its event id and with the
// schema's own keys. Write writes the same bytes as Append.
func TestSchemas(t *testing.T) {
	each(t, func(t *testing.T, name string, _ format.Format) {
		for of, key := range map[string]string{schema.ECS: "@timestamp", schema.OCSF: "class_uid"} {
			if name == format.Sentinel { // it has its own columns
				if _, err := format.New(name, format.Options{Schema: of}); err == nil {
					t.Errorf("%s takes the schema %s, and would not send it", name, of)
				}
				continue
			}
			f := build(t, name, format.Options{Schema: of})
			for _, r := range sinktest.Corners(t) {
				item := f.Append(nil, &r)
				var whole bytes.Buffer
				if n, err := f.Write(&whole, &r); err != nil || n != len(item) || !bytes.Equal(whole.Bytes(), item) {
					t.Fatalf("%s, record %d: Write writes %.300q, %v, Append appends %.300q", of, r.ID, whole.Bytes(), err, item)
				}
				for line := range bytes.Lines(item) {
					if !json.Valid(line) {
						t.Fatalf("%s, record %d: no JSON: %.300q", of, r.ID, line)
					}
				}
				text := strings.ReplaceAll(string(item), `\"`, `"`)
				if n := strings.Count(text, `"`+key+`":`); n != 1 || !strings.Contains(text, ndjson.EventID(tenant, &r)) {
					t.Errorf("%s, record %d has %s %d times: %.300q", of, r.ID, key, n, item)
				}
			}
		}
	})
	if _, err := format.New(format.NDJSON, format.Options{Schema: "cim"}); err == nil || !strings.Contains(err.Error(), "native, ecs, ocsf") {
		t.Errorf("an unknown schema: %v", err)
	}
}

// TestSchemaWithinLimit: if the receiver does not take a long record, the format cuts the event until it fits, in every schema. The
// event says so.
func TestSchemaWithinLimit(t *testing.T) {
	t.Parallel()
	for _, of := range []string{schema.ECS, schema.OCSF} {
		const most = 300_000
		f := build(t, format.NDJSON, format.Options{Schema: of, RecordBytes: most})
		for _, size := range []int{10, 60_000, most / 3, most, 3 * most} {
			r := record.Record{ID: 7, CreatedAt: time.UnixMicro(5), Action: "MutateGraph"}
			r.Fields = `{"query":"` + strings.Repeat(`a\"`, size/3) + `"}`
			r.Raw = `{"id":7,"created_at":"1970-01-01T00:00:00.000005Z","action":"MutateGraph","fields":` + r.Fields + `}`
			item := f.Append(nil, &r)
			cut := bytes.Contains(item, []byte("fields_truncated"))
			if len(item) > most || !json.Valid(item) || cut != (size >= most || of == schema.ECS && size > most/2) {
				t.Errorf("%s: a text of %d bytes has an event of %d bytes, cut: %t", of, size, len(item), cut)
			}
		}
	}
}
