package exporter_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
	"github.com/houndtrail/houndtrail/sink/webhook/taken"
)

// errKilled is the failure of everything that a killed process still does.
var errKilled = errors.New("killed")

// A life is the time from the start of a process until it is killed.
type life struct {
	context.Context

	kill   context.CancelFunc
	left   int // posts until the kill
	flying int // posts under way
	open   int // posts that were under way at the kill
}

// begins lets a receiver see the posts of one process. Half of a post's time is before the receiver has it, and half behind that. The
// process is killed between the two. An answer that comes later finds no process.
func (l *life) begins(s *siem, random *rand.Rand) {
	pause := func() {
		s.mu.Lock()
		d := time.Duration(1+random.IntN(50_000)) * time.Microsecond
		s.mu.Unlock()
		time.Sleep(d)
	}
	s.before = func(*http.Request) error {
		if l.Err() != nil {
			return errKilled
		}
		s.mu.Lock()
		l.flying++
		s.mu.Unlock()
		if pause(); l.Err() != nil {
			return errKilled
		}
		return nil
	}
	s.after = func() error {
		s.mu.Lock()
		if l.left--; l.left == 0 {
			l.open = l.flying
			l.kill()
		}
		s.mu.Unlock()
		if pause(); l.Err() != nil {
			return errKilled
		}
		s.mu.Lock()
		l.flying--
		s.mu.Unlock()
		return nil
	}
}

// Thirty processes are killed during a delivery, each after a random post that the receiver has. In every format no record is lost, and
// the receiver gets again at most the batches that were under way at a kill.
func TestKillsDuringDelivery(t *testing.T) {
	t.Parallel()
	const kills, windowRecords, batchRecords = 30, 300, 20
	for _, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := startQuiet(t, bloodhoundtest.Profiles[0])
				began := time.Now()
				for i := range 5000 {
					at := began.Add(time.Duration(i) * time.Second)
					q.server.Add(bloodhoundtest.Row{CreatedAt: at, VisibleAt: at, Action: "CreateUser"})
				}
				time.Sleep(2 * time.Hour)
				q.pageSize = windowRecords / 2
				q.client = q.newClient()
				s, random, places := newSIEM(name), rand.New(rand.NewPCG(3, 4)), &checkpointtest.Memory{Now: time.Now}
				s.flight = 3
				stream := q.stream("webhook", nil)
				stream.Limits = bloodhound.Limits{Records: windowRecords}
				process := func() {
					s.taken = taken.New(taken.Options{
						State: checkpoint.OpenState[taken.Record](places, "webhook", "taken"), For: func() string { return "it" }, Log: zap.NewNop(),
					})
					stream.Sink = s.sink(t)
				}
				underWay, uncommitted, killed := 0, 0, 0
				for range kills {
					ctx, kill := context.WithCancel(t.Context())
					l := &life{Context: ctx, kill: kill, left: 1 + random.IntN(15)}
					l.begins(s, random)
					process()
					err := stream.RunOnce(ctx)
					kill()
					if err == nil {
						break
					}
					killed++
					underWay += l.open * batchRecords
					uncommitted += len(s.times)
					if entries := stream.entries(t); len(entries) > 0 {
						uncommitted -= int(entries[len(entries)-1].Totals.Delivered)
					}
				}
				s.before, s.after = nil, nil
				process()
				stream.cycle(t)
				entries := stream.entries(t)
				repeats := s.has(t, q, entries[len(entries)-1].Cursor)
				if repeats > underWay {
					t.Errorf("%d events came again, and %d were under way at a kill", repeats, underWay)
				}
				if killed < kills || uncommitted < underWay*3/2 {
					t.Errorf("%d processes were killed, with %d events under way and %d uncommitted: this shows nothing", killed, underWay, uncommitted)
				}
				t.Logf("%d kills: %d of %d events came again, %d were under way and %d not committed", killed, repeats, len(s.times), underWay,
					uncommitted)
			})
		})
	}
}
