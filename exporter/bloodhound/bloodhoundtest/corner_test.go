package bloodhoundtest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

func TestCornerCoversTheContract(t *testing.T) {
	rows := history.Corner()
	d := newDouble(bt.V84)
	d.clock.Advance(10 * time.Minute)
	d.Add(rows...)
	w := d.get(auditPath + "?sort_by=id&limit=0")
	if !json.Valid(w.Body.Bytes()) {
		t.Fatal("the page is not JSON")
	}
	text := w.Body.String()
	got := d.page(t, "?sort_by=id&limit=0")
	if len(got.Data.Logs) != len(rows) {
		t.Fatalf("%d rows of %d: ids repeat or times are in the future", len(got.Data.Logs), len(rows))
	}
	for _, r := range rows {
		if r.Fields != nil && !strings.Contains(text, `"fields":`+string(r.Fields)+`,"request_id"`) {
			t.Errorf("fields of %d are not served byte for byte: %s", r.ID, r.Fields)
		}
	}
	for _, want := range []string{
		`"fields":null,`, `"fields":{},`, `"actor_id":"",`, `"commit_id":"00000000-0000-0000-0000-000000000000"`,
		`:56.123456Z"`, `"request_id":"ERROR"`, `"source_ip_address":"203.0.113.9, 10.0.0.5,10.0.0.7"`, `+02:00"`, `\u003c`,
		`"status":"",`, `"id":9007199254740993,`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nowhere: %s", want)
		}
	}
	digits := make(map[int]bool)
	for _, l := range got.Data.Logs {
		fraction := 0
		if dot := strings.IndexByte(l.CreatedAt, '.'); dot >= 0 {
			fraction = len(strings.TrimRight(l.CreatedAt[dot+1:], "Z")) // zoned ones have six
		}
		digits[fraction] = true
	}
	for n := range 7 {
		if !digits[n] {
			t.Errorf("no time with %d digits", n)
		}
	}
	if !slices.EqualFunc(rows, history.Corner(), func(a, b bt.Row) bool { return a.ID == b.ID }) {
		t.Error("another call gave other rows")
	}
}
