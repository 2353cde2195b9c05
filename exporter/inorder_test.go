package exporter_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// An ordered sink notes how many windows are written at a time, and in which order.
type ordered struct {
	slow
	inOrder bool
	seen    *writes
}

type writes struct {
	mu          sync.Mutex
	under, most int
	latest      time.Time
	backwards   bool
}

func (s *writes) begin(w window.Window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under++
	s.most = max(s.most, s.under)
	s.backwards = s.backwards || w.Start.Before(s.latest)
	s.latest = w.Start
}

func (s *writes) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under--
}

func (o ordered) InOrder() bool { return o.inOrder }

func (o ordered) Prepare(
	w window.Window, records []record.Record,
) (func(context.Context) (checkpoint.Receipt, error), int64, error) {
	write, held, err := o.slow.Prepare(w, records)
	return func(ctx context.Context) (checkpoint.Receipt, error) {
		o.seen.begin(w)
		defer o.seen.end()
		return write(ctx)
	}, held, err
}

// If the receiver needs records in order, the exporter writes one window at a time, and otherwise several.
func TestWindowsInOrder(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			q := startQuiet(t, bloodhoundtest.V84)
			first := time.Now().Add(-4000 * time.Minute)
			for i := range int64(2000) {
				q.server.Add(bloodhoundtest.Row{ID: 1000 + i, CreatedAt: first.Add(time.Duration(i) * 2 * time.Minute), Action: "Old"})
			}
			seen := &writes{}
			s := q.stream("webhook", ordered{slow{whole{newReceiver()}, 0}, inOrder, seen})
			s.Start = first
			s.Limits.Records = 200
			s.cycle(t)
			if inOrder && (seen.most != 1 || seen.backwards) || !inOrder && seen.most < 2 {
				t.Errorf("in order %v: %d windows at a time, backwards %v", inOrder, seen.most, seen.backwards)
			}
		})
	}
}
