package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// TestJudge: no compaction that a person has to look at is ok.
func TestJudge(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	day, err := cron.ParseStandard("@daily")
	if err != nil {
		t.Fatal(err)
	}
	daily := config.Schedule{Spec: "@daily", Schedule: day}
	intent := compact.Intent{At: noon, Day: "2026-02-01", Made: checkpoint.Object{Key: "k"}}
	forget := compact.Intent{At: noon, Forget: &checkpoint.Forgetting{Before: noon}}
	failed := func(err error) Note {
		return Note{Since: noon.AddDate(0, -1, 0), SucceededAt: noon.Add(-time.Hour)}.AfterCompaction(err, noon)
	}
	for name, c := range map[string]struct {
		look    CompactionLook
		now     time.Time // noon if zero
		held    time.Time
		state   string
		outcome Outcome
	}{
		"nothing is known":            {state: JobOK},
		"well":                        {look: CompactionLook{Note: failed(nil), Schedule: daily}, state: JobOK},
		"failed":                      {look: CompactionLook{Note: failed(errors.New("503"))}, state: JobFailed, outcome: SinkFailed},
		"denied":                      {look: CompactionLook{Note: failed(fmt.Errorf("x: %w", compact.ErrDenied))}, state: JobDenied, outcome: SinkFailed},
		"a changed file":              {look: CompactionLook{Note: failed(fmt.Errorf("x: %w", compact.ErrFinding))}, state: JobFinding, outcome: Unsound},
		"cut off, no lease":           {look: CompactionLook{Intent: intent}, state: JobUnfinished, outcome: Stopped},
		"cut off, another's lease":    {look: CompactionLook{Intent: intent}, held: noon.Add(time.Second), state: JobUnfinished, outcome: Stopped},
		"a removal, cut off":          {look: CompactionLook{Intent: forget}, state: JobUnfinished, outcome: Stopped},
		"a removal, under way":        {look: CompactionLook{Intent: forget}, held: noon.Add(-time.Second), state: JobOK},
		"under way":                   {look: CompactionLook{Intent: intent}, held: noon.Add(-time.Second), state: JobOK},
		"under way after a failure":   {look: CompactionLook{Intent: intent, Note: failed(errors.New("503"))}, held: noon, state: JobFailed, outcome: SinkFailed},
		"cut off is worse than stale": {look: CompactionLook{Intent: intent, Note: failed(nil), Schedule: daily}, now: noon.AddDate(1, 0, 0), state: JobUnfinished, outcome: Stopped},
		"just in time":                {look: CompactionLook{Note: failed(nil), Schedule: daily}, now: noon.Add(37 * time.Hour), state: JobOK},
		"overdue":                     {look: CompactionLook{Note: failed(nil), Schedule: daily}, now: noon.Add(37*time.Hour + time.Second), state: JobOverdue, outcome: Stopped},
		"never, overdue":              {look: CompactionLook{Note: Note{Since: noon}, Schedule: daily}, now: noon.AddDate(0, 0, 3), state: JobOverdue, outcome: Stopped},
		"no schedule":                 {look: CompactionLook{Note: failed(nil)}, now: noon.AddDate(1, 0, 0), state: JobOK},
	} {
		if c.now.IsZero() {
			c.now = noon
		}
		state, err := c.look.Judge(c.now, c.held)
		if state != c.state || OutcomeOf(err) != c.outcome {
			t.Errorf("%s: %s, %v with the outcome %s; want %s, %s", name, state, err, OutcomeOf(err), c.state, c.outcome)
		}
		if err != nil && StateOf(err, Position{Serial: 1}) != StateCompaction {
			t.Errorf("%s: status would say %s", name, StateOf(err, Position{Serial: 1}))
		}
	}
}

// A readySource tells that a cycle has begun.
type readySource struct {
	exporter.Source
	begun chan struct{}
}

func (s *readySource) Clock(context.Context) (bloodhound.Reading, error) {
	s.begun <- struct{}{}
	return bloodhound.Reading{}, errors.New("no clock")
}

func (*readySource) Guess() bloodhound.Reading { return bloodhound.Reading{} }

// TestTurns: a cycle and a swap of a compaction never run at the same time, and a compaction that is told to stop does not wait for
// its turn.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, _ := journalOf(t, 1)
		source := &readySource{begun: make(chan struct{}, 1)}
		s := New(Archive, &exporter.Exporter{Source: source, Log: zap.NewNop()}, j, Unobserved{})
		s.turn = semaphore.NewWeighted(1)
		swapping := make(chan struct{})
		swap := func(ctx context.Context) error {
			return inTurn(s.turn)(ctx, func() error { <-swapping; return nil })
		}
		done := make(chan error, 1)
		go func() { done <- swap(t.Context()) }()
		synctest.Wait()
		go func() { _ = s.Cycle(t.Context()) }()
		synctest.Wait()
		if len(source.begun) > 0 {
			t.Error("a cycle began during a swap")
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- swap(ctx) }()
		cancel()
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("a compaction that was told to stop: %v", err)
		}
		close(swapping)
		if err := <-done; err != nil {
			t.Error(err)
		}
		<-source.begun
		synctest.Wait()
	})
}
