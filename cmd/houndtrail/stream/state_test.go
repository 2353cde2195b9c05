package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// TestStateOf: each error that can end a cycle has its word, and the metric knows every word.
func TestStateOf(t *testing.T) {
	t.Parallel()
	at := func(stage exporter.Stage, err error) error {
		return &Error{Archive, errors.Join(&exporter.Error{Stage: stage, Err: fmt.Errorf("x: %w", err)}, errors.New("lease not released"))}
	}
	source := func(err error) error { return at(exporter.StageSource, err) }
	journal := func(err error) error { return at(exporter.StageCheckpoint, err) }
	some := Position{Serial: 7}
	for _, c := range []struct {
		err    error
		newest Position
		want   string
	}{
		{nil, Position{}, StateWaiting},
		{nil, some, StateOK},
		{nil, Position{7, true, 0}, StateHoles},
		{source(exporter.ErrClock), some, StateClock},
		{source(exporter.ErrClock), Position{7, true, 0}, StateClock},
		{source(exporter.ErrSourceChanged), some, StateChanged},
		{source(exporter.ErrIncomplete), some, StateIncomplete},
		{source(bloodhound.ErrHidden), Position{}, StateIncomplete},
		{source(&bloodhound.BadRecordError{Cause: &rest.Error{Kind: rest.Server}}), some, StateBadRecord},
		{source(&rest.Error{Kind: rest.Transport}), some, StateFailed},
		{source(exporter.ErrStart), Position{}, StateFuture},
		{at(exporter.StageSink, errors.New("disk full")), some, StateFailed},
		{journal(exporter.ErrJournalGone), Position{}, StateNoJournal},
		{journal(checkpoint.ErrCorrupt), some, StateDamaged},
		{journal(checkpoint.ErrForeign), some, StateForeign},
		{journal(checkpoint.ErrNewer), some, StateNewer},
		{journal(checkpoint.ErrConflict), some, StateFailed},
		{journal(checkpoint.ErrLeaseHeld), some, StateFailed},
		{journal(errors.New("503 slow down")), some, StateUnreadable},
	} {
		if got := StateOf(c.err, c.newest); got != c.want {
			t.Errorf("%v at %+v: %s, want %s", c.err, c.newest, got, c.want)
		}
		if !slices.Contains(States(), c.want) {
			t.Errorf("the metric does not know %s", c.want)
		}
		if well := c.want == StateOK || c.want == StateWaiting || c.want == StateHoles; well != (c.err == nil) {
			t.Errorf("%v: %s", c.err, c.want)
		}
	}
}

// TestEveryState: each state that a cycle can end in has its line in the log, once. After a restart, status finds the same state and
// exit code as the run. docs/operating.md has each state with its exit codes.
func TestEveryState(t *testing.T) {
	t.Parallel()
	documented := exitCodes(t)
	for _, state := range AllStates() {
		codes := documented[state]
		if len(codes) == 0 {
			t.Errorf("docs/operating.md has no exit code of the state %s", state)
		}
		if state == StateVerified || state == StateCompaction { // the notes of these jobs tell their outcome
			continue
		}
		for _, code := range codes {
			if code == OK {
				continue
			}
			stage := map[Outcome]exporter.Stage{SourceFailed: exporter.StageSource, SinkFailed: exporter.StageSink}[code]
			if state == StateUnreadable {
				stage = exporter.StageCheckpoint
			}
			err := LastRun(checkpoint.Failure{State: state, Code: int(code), Stage: string(stage)})
			if got := StateOf(err, Position{Serial: 7, Letters: 1, Holed: true}); got != state || OutcomeOf(err) != code {
				t.Errorf("a run that ended as %s with exit code %d is %s with exit code %d", state, code, got, OutcomeOf(err))
			}
		}
	}
	for _, e := range stateErrors {
		fits := func(s exporter.Stage) bool { return slices.Contains(documented[e.word], OutcomeOf(At(s, e.err))) }
		conflict := OutcomeOf(e.err) == Conflicted // this process's log has it, and the other run tells how it ended
		if !conflict && !slices.ContainsFunc([]exporter.Stage{exporter.StageSource, exporter.StageSink}, fits) {
			t.Errorf("docs/operating.md does not say that the state %s has the exit code of: %v", e.word, e.err)
		}
	}
	for _, state := range States() {
		core, logs := observer.New(zap.DebugLevel)
		w := &watch{log: zap.New(core)}
		for _, s := range []string{StateOK, state, state, StateOK} {
			w.says(s)
		}
		want := []string{"warn " + state, "info " + StateOK}
		if state == StateWaiting {
			want[0] = "info " + state
		}
		if state == StateOK {
			want = nil
		}
		var got []string
		for _, l := range logs.All() {
			got = append(got, fmt.Sprint(l.Level, " ", l.ContextMap()["state"]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the log has %q, want %q", got, want)
		}
	}
}

// exitCodes are the exit codes of each state in docs/operating.md.
func exitCodes(t *testing.T) map[string][]Outcome {
	t.Helper()
	body, err := os.ReadFile("../../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]Outcome{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z ]+)` \\| ([0-7, or]+) \\|").FindAllStringSubmatch(string(body), -1) {
		for _, code := range regexp.MustCompile("[0-9]").FindAllString(row[2], -1) {
			all[row[1]] = append(all[row[1]], Outcome(code[0]-'0'))
		}
	}
	return all
}

// TestWatch: the newest entry decides the state, also if an earlier cycle committed it. An abandoned cycle leaves the state as
// it is.
func TestWatch(t *testing.T) {
	t.Parallel()
	j, _ := journalOf(t, 0)
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
	if want := []string{StateWaiting, StateOK, StateHoles, StateClock, StateHoles}; !slices.Equal(told, want) {
		t.Errorf("it told %v, want %v", told, want)
	}
	if want := []uint64{0, 2}; !slices.Equal(found, want) {
		t.Errorf("it found the entries %v, want each newest one once: %v", found, want)
	}
}

// States that only status can see have words too, and the exit code that says that a run has to go on.
func TestStateOfARunThatTellsNothing(t *testing.T) {
	for err, want := range map[error]string{ErrKilled: StateKilled, ErrStale: StateStale} {
		if got := StateOf(err, Position{Serial: 3}); got != want || OutcomeOf(err) != Stopped {
			t.Errorf("%v: %q and exit code %d, want %q and %d", err, got, OutcomeOf(err), want, Stopped)
		}
	}
}
