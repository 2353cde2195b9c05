package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

func TestOutcomeOf(t *testing.T) {
	t.Parallel()
	at := func(stage exporter.Stage, err error) error {
		return &Error{"archive", &exporter.Error{Stage: stage, Err: err}}
	}
	broken := errors.New("broken")
	source := at(exporter.StageSource, broken)
	for name, c := range map[string]struct {
		err  error
		want Outcome
	}{
		"done":                        {nil, 0},
		"unexpected":                  {broken, 1},
		"interrupted":                 {fmt.Errorf("query: %w", context.Canceled), 130},
		"told to stop":                {&Error{"archive", exporter.ErrStopped}, 7},
		"two streams, one stopped":    {errors.Join(&Error{"archive", exporter.ErrStopped}, source), 7},
		"configuration":               {fmt.Errorf("wrapped: %w", &config.Error{}), 2},
		"command line":                {Usage(broken), 2},
		"another stream's journal":    {at(exporter.StageCheckpoint, fmt.Errorf("%w: x", checkpoint.ErrForeign)), 6},
		"not to be backfilled":        {&Error{"archive", &exporter.RangeError{Problem: "too late"}}, 2},
		"source":                      {source, 3},
		"sink":                        {at(exporter.StageSink, broken), 4},
		"store of the journal":        {at(exporter.StageCheckpoint, broken), 4},
		"lease held":                  {at(exporter.StageCheckpoint, checkpoint.ErrLeaseHeld), 5},
		"conflict":                    {at(exporter.StageCheckpoint, checkpoint.ErrConflict), 5},
		"lease lost while reading":    {at(exporter.StageSource, checkpoint.ErrConflict), 5},
		"integrity":                   {at(exporter.StageCheckpoint, checkpoint.ErrCorrupt), 6},
		"fewer records than counted":  {at(exporter.StageSource, exporter.ErrIncomplete), 6},
		"another source":              {at(exporter.StageSource, exporter.ErrSourceChanged), 6},
		"two streams, one corrupt":    {errors.Join(source, at(exporter.StageCheckpoint, checkpoint.ErrCorrupt)), 6},
		"two streams, one lease held": {errors.Join(source, at(exporter.StageCheckpoint, checkpoint.ErrLeaseHeld)), 5},
	} {
		if got := OutcomeOf(c.err); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Only an error that a person has to mend ends a daemon's stream.
func TestIncurable(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		checkpoint.ErrCorrupt: true, checkpoint.ErrForeign: true, checkpoint.ErrNewer: true, checkpoint.ErrUnconditional: true,
		exporter.ErrJournalGone: true, exporter.ErrSourceChanged: true, exporter.ErrClock: false, exporter.ErrIncomplete: false,
		checkpoint.ErrConflict: false, checkpoint.ErrLeaseHeld: false, context.Canceled: false, errors.New("broken"): false,
	} {
		if got := Incurable(fmt.Errorf("wrapped: %w", err)); got != want {
			t.Errorf("%v is incurable: %v, want %v", err, got, want)
		}
	}
}
