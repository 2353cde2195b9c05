package status

import (
	"context"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// A compactionState tells how the compactions of the archive go.
type compactionState struct {
	State       string    `json:"state"`
	Problem     string    `json:"problem,omitempty"`
	SucceededAt time.Time `json:"succeeded_at,omitzero"`
}

// compacts fills in how the archive's compactions go. The error is about a compaction that a person has to look at. If no daemon
// compacts, a compaction that failed and changed nothing is only a warning: a person has tried it once, and may have left it at
// that.
func (s *Row) compacts(ctx context.Context, set *stream.Set, now time.Time) error {
	if s.Stream != stream.Archive {
		return nil
	}
	look, err := set.LookAtCompaction(ctx)
	if err != nil || !look.Known() {
		return err
	}
	var held time.Time
	if s.Lease.State == leaseHeld {
		held = s.Lease.Since
	}
	s.Compaction = compactionState{SucceededAt: look.SucceededAt}
	s.Compaction.State, err = look.Judge(now, held)
	if err != nil {
		s.Compaction.Problem = oneLine(err)
	}
	s.uncompacted = look.Schedule.Spec != "" && look.Since.IsZero() && look.SucceededAt.IsZero() && s.Serial > 0
	harmless := s.Compaction.State == stream.CompactionFailed || s.Compaction.State == stream.CompactionDenied
	if harmless && look.Schedule.Spec == "" {
		return nil
	}
	return err
}
