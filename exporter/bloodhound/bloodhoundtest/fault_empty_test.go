package bloodhoundtest_test

import (
	"encoding/json"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
)

func TestAnswersWithoutRows(t *testing.T) {
	for _, tt := range []struct {
		fault bt.Fault
		query string
		want  string
	}{
		{faults.NoRows(), "", `{"count":0,"limit":1000,"skip":0,"data":{"logs":[]}}`},
		{faults.NoRows(), "?limit=7&skip=3&offset=3", `{"count":0,"limit":7,"skip":3,"data":{"logs":[]}}`},
		{faults.NoRows(), "?limit=0", `{"count":0,"limit":0,"skip":0,"data":{"logs":[]}}`},
		{faults.NullRows(), "?limit=7", `{"data":{"logs":null}}`},
		{faults.CountWithoutRows(500), "?limit=7", `{"count":500,"limit":7,"skip":0,"data":{"logs":[]}}`},
	} {
		d := newDouble(bt.V84, ago(time.Second))
		d.Fault(faults.Next(2, tt.fault))
		w := d.get(auditPath + tt.query)
		if got := w.Body.String(); w.Code != 200 || got != tt.want || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s, want %s", w.Code, got, tt.want)
		}
		w = d.get(auditPath+tt.query, header{"Accept-Encoding", "gzip"})
		if got := string(gunzip(t, w.Body.Bytes())); got != tt.want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("compressed: %v %s, want %s", w.Header(), got, tt.want)
		}
		wantIDs(t, d.page(t, ""), 1)
	}
}
