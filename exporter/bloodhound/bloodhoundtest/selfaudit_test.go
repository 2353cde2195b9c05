package bloodhoundtest_test

import (
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

func TestEachPollSeesItself(t *testing.T) {
	d := newDouble(bt.PR3049, ago(time.Second))
	got := d.page(t, "?sort_by=id")
	wantIDs(t, got, 1, 2)
	own := got.Data.Logs[1]
	if own.Action != "GET/api/v2/audit" || own.Status != "intent" || own.ActorName != reader || string(own.Fields) != "null" {
		t.Errorf("own intent %+v", own)
	}
	got = d.page(t, "?sort_by=-id") // reading until there is nothing new never ends
	wantIDs(t, got, 4, 3, 2, 1)
	outcome := got.Data.Logs[1]
	if outcome.Status != "success" || outcome.CommitID != own.CommitID || outcome.RequestID != own.RequestID {
		t.Errorf("outcome %+v of %+v", outcome, own)
	}
	d.get(auditPath + "?limit=x")
	if rows := d.Rows(); rows[len(rows)-1].Status != "failure" {
		t.Errorf("the outcome of a 400 is %+v", rows[len(rows)-1])
	}
}

func TestEveryRouteIsAudited(t *testing.T) {
	d := newDouble(bt.PR3049)
	d.get("/health", header{"Authorization", ""})
	rows := d.Rows()
	if len(rows) != 2 || rows[0].Action != "GET/health" || rows[0].ActorName != "anonymous" {
		t.Errorf("rows %+v", rows)
	}
	d.login(loginBody(reader, "secret")) // two pairs of one request
	rows = d.Rows()[2:]
	if len(rows) != 4 || rows[0].RequestID != rows[1].RequestID || rows[0].CommitID == rows[1].CommitID {
		t.Errorf("rows %+v", rows)
	}
	other := newDouble(bt.V84)
	other.get(auditPath)
	if n := len(other.Rows()); n != 0 {
		t.Errorf("a server before the change wrote %d rows", n)
	}
}

func TestOldMonthsAreDropped(t *testing.T) {
	at := func(year int, month time.Month, day int) bt.Row {
		return bt.Row{CreatedAt: time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
	}
	rows := []bt.Row{
		at(2023, 12, 31), // 1: before the first partition
		at(2024, 1, 1),   // 2: dropped
		at(2025, 9, 30),  // 3: dropped
		at(2025, 10, 1),  // 4: three months before January
		{},               // 5: becomes 2020-01-01
	}
	d := newDouble(bt.PR3049, rows...)
	ids := func() (ids []int64) {
		for _, r := range d.Rows() {
			if r.Action == "" {
				ids = append(ids, r.ID)
			}
		}
		return ids
	}
	if got := ids(); len(got) != 3 || got[0] != 5 || got[1] != 1 || got[2] != 4 {
		t.Errorf("after the start: %v", got)
	}
	d.clock.Advance(17 * 24 * time.Hour) // 1 February
	d.get("/health")
	if got := ids(); len(got) != 2 {
		t.Errorf("a month later: %v", got)
	}
	if n := d.DropMonths(); n != 0 {
		t.Errorf("dropped %d more", n)
	}
	if got := newDouble(bt.V84, rows...).Rows(); len(got) != len(rows) {
		t.Errorf("a released server dropped rows: %v", got)
	}
}
