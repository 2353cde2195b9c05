package ndjson

import (
	"testing"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// TestColumnsOfDamage: if a text is no record, the function returns an error, and does not panic.
func TestColumnsOfDamage(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "x", "{", `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":}`, `{"a":"`, `{"a":"\`, `{"a":[`, `{"a":["`, `{"a":1`, `{"a":1;`, `{"a":1 "b":2}`, `{"a" 1}`, `[]`,
		`{"status":1}`, `{"status":["x"]}`, `{"status":"\x"}`, `{"source":true}`, `,"a":1}`,
	} {
		r := record.Record{Raw: raw}
		if err := Columns(&r); err == nil {
			t.Errorf("%s is read as %+v", raw, r)
		}
	}
	r := record.Record{Raw: `{}`}
	if err := Columns(&r); err != nil || r.Absent != record.All {
		t.Errorf("%+v, %v", r, err)
	}
}
