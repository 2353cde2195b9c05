package exporter_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A receiver that takes 50 ms for each post gets a backlog at nearly the speed that its own concurrency allows, in every format:
// neither the ends of windows nor the commits leave it idle. The time is that of a fake clock, so no busy machine changes it.
func TestBacklogKeepsReceiverBusy(t *testing.T) {
	t.Parallel()
	const rows, perPost, windowRecords = 12_000, 50 * time.Millisecond, 1000
	for _, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := startQuiet(t, bloodhoundtest.Profiles[0])
				began := time.Now()
				for i := range rows {
					at := began.Add(time.Duration(i) * time.Second)
					q.server.Add(bloodhoundtest.Row{CreatedAt: at, VisibleAt: at, Action: "CreateUser"})
				}
				time.Sleep(rows*time.Second + time.Hour)
				q.pageSize = windowRecords / 2
				q.client = q.newClient()
				s := newSIEM(name)
				var posts atomic.Int64
				s.before = func(*http.Request) error {
					posts.Add(1)
					time.Sleep(perPost)
					return nil
				}
				sink := s.sink(t)
				stream := q.stream("webhook", sink)
				stream.Limits = bloodhound.Limits{Records: windowRecords}
				started := time.Now()
				stream.cycle(t)
				took, side := time.Since(started), time.Duration(webhook.DefaultInFlight)
				if sink.InOrder() {
					side = 1
				}
				least := time.Duration(posts.Load()) * perPost / side
				t.Logf("%d posts took %s, and their receiver needs %s: %.2f", posts.Load(), took, least, took.Seconds()/least.Seconds())
				if took > least*6/5 {
					t.Errorf("%d posts took %s, want at most 1.2 times the %s that the receiver needs", posts.Load(), took, least)
				}
			})
		})
	}
}
