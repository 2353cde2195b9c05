package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// TestStateOf: each error that can end a cycle has its word, and the metric knows all of them.
func TestStateOf(t *testing.T) {
	t.Parallel()
	at := func(stage exporter.Stage, err error) error {
		return &streamError{archiveStream, errors.Join(&exporter.Error{Stage: stage, Err: fmt.Errorf("x: %w", err)}, errors.New("lease not released"))}
	}
	source := func(err error) error { return at(exporter.StageSource, err) }
	journal := func(err error) error { return at(exporter.StageCheckpoint, err) }
	some := position{serial: 7}
	for _, c := range []struct {
		err    error
		newest position
		want   string
	}{
		{nil, position{}, stateWaiting},
		{nil, some, stateOK},
		{nil, position{7, true}, stateHoles},
		{source(exporter.ErrClock), some, stateClock},
		{source(exporter.ErrClock), position{7, true}, stateClock},
		{source(exporter.ErrSourceChanged), some, stateChanged},
		{source(exporter.ErrIncomplete), some, stateIncomplete},
		{source(bloodhound.ErrHidden), position{}, stateIncomplete},
		{source(&bloodhound.BadRecordError{Cause: &rest.Error{Kind: rest.Server}}), some, stateBadRecord},
		{source(&rest.Error{Kind: rest.Transport}), some, stateFailed},
		{source(exporter.ErrStart), position{}, stateFuture},
		{at(exporter.StageSink, errors.New("disk full")), some, stateFailed},
		{journal(exporter.ErrJournalGone), position{}, stateNoJournal},
		{journal(checkpoint.ErrCorrupt), some, stateDamaged},
		{journal(checkpoint.ErrForeign), some, stateForeign},
		{journal(checkpoint.ErrNewer), some, stateNewer},
		{journal(checkpoint.ErrConflict), some, stateFailed},
		{journal(checkpoint.ErrLeaseHeld), some, stateFailed},
		{journal(errors.New("503 slow down")), some, stateUnreadable},
	} {
		if got := stateOf(c.err, c.newest); got != c.want {
			t.Errorf("%v at %+v: %s, want %s", c.err, c.newest, got, c.want)
		}
		if !slices.Contains(runStates, c.want) {
			t.Errorf("the metric does not know %s", c.want)
		}
		if well := c.want == stateOK || c.want == stateWaiting || c.want == stateHoles; well != (c.err == nil) {
			t.Errorf("%v: %s", c.err, c.want)
		}
	}
}

// TestWatch: what went through the journal decides, also of an earlier cycle, and a cycle that was abandoned says nothing.
func TestWatch(t *testing.T) {
	t.Parallel()
	j, _, _ := journalOf(t, 0)
	var told []string
	var found []uint64
	w := &watch{
		Journal: j, log: zap.NewNop(),
		found: func(newest checkpoint.Stored) { found = append(found, newest.Serial) },
		tell: func(state string, _ error) {
			if state != "" {
				told = append(told, state)
			}
		},
	}
	if _, err := w.Load(t.Context()); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Fatal(err)
	}
	w.ended(t.Context(), nil)
	entry := checkpoint.Checkpoint{Kind: checkpoint.KindExport, Cursor: march}
	last, err := w.Commit(t.Context(), checkpoint.Stored{}, entry)
	if err != nil {
		t.Fatal(err)
	}
	w.ended(t.Context(), nil)
	entry.Holes = make([]checkpoint.Hole, 1)
	if _, err = w.Commit(t.Context(), last, entry); err != nil {
		t.Fatal(err)
	}
	w.ended(t.Context(), nil)
	w.ended(t.Context(), fmt.Errorf("stopped: %w", context.Canceled))
	w.ended(t.Context(), &exporter.Error{Stage: exporter.StageSource, Err: exporter.ErrClock})
	again := &watch{Journal: j, found: w.found, tell: w.tell, log: zap.NewNop()}
	for range 2 {
		if _, err := again.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	again.ended(t.Context(), nil)
	if want := []string{stateWaiting, stateOK, stateHoles, stateClock, stateHoles}; !slices.Equal(told, want) {
		t.Errorf("it told %v, want %v", told, want)
	}
	if want := []uint64{0, 2}; !slices.Equal(found, want) {
		t.Errorf("it found the entries %v, want each newest one once: %v", found, want)
	}
}
