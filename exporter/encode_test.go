package exporter_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A press is a sink whose encoding a test can watch, hold up, and let fail.
type press struct {
	exporter.Sink
	before func(number int) error // number is 1 for the first window, or 2: two begin at the same time

	mu           sync.Mutex
	failed       window.Window // the one that before refused
	begun        int
	running, top int
}

func (p *press) Prepare(
	w window.Window, records []record.Record,
) (func(context.Context) (checkpoint.Receipt, error), int64, error) {
	p.mu.Lock()
	p.begun++
	p.running++
	number := p.begun
	p.top = max(p.top, p.running)
	p.mu.Unlock()
	err := p.before(number)
	p.mu.Lock()
	p.running--
	if err != nil {
		p.failed = w
	}
	p.mu.Unlock()
	if err != nil {
		return nil, 0, err
	}
	return p.Sink.Prepare(w, records)
}

// pressed is a backlog of some windows, and the exporter that has to deliver it.
func pressed(t *testing.T, before func(number int) error) (*world, *exporter.Exporter, *press) {
	t.Helper()
	w := month(t, bloodhoundtest.V84, 3000)
	w.pageSize, w.records = 100, 300
	e := w.process(w.positions, w.objects)
	p := &press{Sink: e.Sink, before: before}
	e.Sink = p
	return w, e, p
}

// The exporter encodes two windows at a time, and no more: memory is planned for two.
func TestTwoWindowsAreEncodedAtATime(t *testing.T) {
	second := make(chan struct{})
	w, e, p := pressed(t, func(number int) error {
		switch number {
		case 1:
			select {
			case <-second:
			case <-time.After(time.Minute):
				return errors.New("the second window is not encoded while the first one is")
			}
		case 2:
			close(second)
		}
		return nil
	})
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.top != 2 || p.begun < 5 {
		t.Errorf("%d windows, up to %d at a time, want 2", p.begun, p.top)
	}
	w.checkArchive(w.objects, w.positions)
}

// If the sink cannot encode a window, the cycle ends before it declares that window. The windows before it stay committed.
func TestEncodingFails(t *testing.T) {
	for _, failing := range []int{1, 3} {
		fault := errors.New("out of paper")
		w, e, p := pressed(t, func(number int) error {
			switch number {
			case failing:
				return fault
			case failing + 1:
				time.Sleep(20 * time.Millisecond) // a cycle that does not wait would have ended by now; a cycle that waits passes in every case
			}
			return nil
		})
		err := e.RunOnce(t.Context())
		if stage := (*exporter.Error)(nil); !errors.As(err, &stage) || stage.Stage != exporter.StageSink || !errors.Is(err, fault) {
			t.Fatalf("the cycle says %v, want that the sink is %v", err, fault)
		}
		if p.running > 0 {
			t.Errorf("%d windows are encoded when the cycle has ended", p.running)
		}
		all := w.entries()
		if n := len(all); n == 0 && failing > 2 || n > 0 && !all[n-1].Window.End.Equal(p.failed.Start) {
			t.Errorf("%d entries, want those before the window from %v", n, p.failed.Start)
		}
		lease, err := w.journal(w.positions).Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if open := lease.Intents(); len(open) > 0 {
			t.Errorf("the windows %v are declared", open)
		}
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.run()
		w.checkArchive(w.objects, w.positions)
	}
}
