package bloodhoundtest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

func TestJournalSaysWhatARequestCosts(t *testing.T) {
	d := newDouble(bt.V84, ago(1*time.Second), ago(2*time.Second))
	for _, query := range []string{"?sort_by=-created_at&sort_by=-id&limit=2", "?skip=1", "?id=gt:1"} {
		d.page(t, query)
	}
	d.get("/health")
	var got []string
	for _, r := range d.Requests() {
		q := r.Query()
		got = append(got, fmt.Sprintf("%q skip=%s id=%s", q["sort_by"], q.Get("skip"), q.Get("id")))
	}
	want := []string{`["-created_at" "-id"] skip= id=`, `[] skip=1 id=`, `[] skip= id=gt:1`, `[] skip= id=`}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if stats := d.Stats(); stats.RowsSkipped != 1 {
		t.Errorf("stats %+v", stats)
	}
}
