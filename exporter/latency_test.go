package exporter_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/budget"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A slow sink needs some time for each window, and holds so many bytes of it meanwhile.
type slow struct {
	whole
	holds int64
}

func (s slow) Prepare(
	w window.Window, records []record.Record,
) (func(context.Context) (checkpoint.Receipt, error), int64, error) {
	write, _, err := s.whole.Prepare(w, records)
	return func(ctx context.Context) (checkpoint.Receipt, error) {
		time.Sleep(time.Second)
		return write(ctx)
	}, s.holds, err
}

// The backlog of a distant server takes few round trips: the exporter reads and counts several windows at the same time. In a
// bubble of time the work itself takes no time.
func TestRoundTrips(t *testing.T) {
	const (
		latency = 200 * time.Millisecond
		page    = 100
		rows    = 48 * page
		bytes   = 160 << 10 // the most bytes of a window: the exporter reserves so much memory for each window that it reads
	)
	for _, tc := range []struct {
		name   string
		memory int64 // windows that fit; 0 for any number
		holds  int64 // of an encoded window
		most   int   // round trips
	}{
		{"memory for any number of windows", 0, 0, 30},
		{"memory for three windows", 3, 1, 34},
		{"memory for three windows, and large objects", 3, bytes / 2, 41},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := startQuiet(t, bloodhoundtest.V84)
				first := time.Now().Add(-rows * 2 * time.Minute)
				for i := range int64(rows) {
					q.server.Add(bloodhoundtest.Row{ID: 1000 + i, CreatedAt: first.Add(time.Duration(i) * 2 * time.Minute), Action: "Old"})
				}
				q.latency, q.pageSize = latency, page
				q.client = q.newClient()
				got := newReceiver()
				s := q.stream("archive", slow{whole{got}, tc.holds})
				s.Start, s.VerifyCount = first, true
				s.Limits.Records, s.Limits.Bytes = 3*page, bytes
				if tc.memory > 0 {
					s.Memory = budget.Split(tc.memory*bytes*5/2, 1)[0]
				}
				began := time.Now()
				s.cycle(t)
				took := time.Since(began)
				if trips := int((took + latency - 1) / latency); trips > tc.most {
					t.Errorf("%d round trips, of %d requests, for %d pages", trips, len(q.requests()), rows/page)
				} else {
					t.Logf("%d round trips, of %d requests, for %d pages", trips, len(q.requests()), rows/page)
				}
				if len(got.actions) < rows {
					t.Errorf("%d records of %d", len(got.actions), rows)
				}
				for _, entry := range s.entries(t) {
					if entry.ServerCount.Status != "exact" {
						t.Errorf("the window from %s is %s", entry.Window.Start, entry.ServerCount.Status)
					}
				}
			})
		})
	}
}
