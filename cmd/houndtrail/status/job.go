package status

import (
	"context"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
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
	harmless := s.Compaction.State == stream.JobFailed || s.Compaction.State == stream.JobDenied
	if harmless && look.Schedule.Spec == "" {
		return nil
	}
	return err
}

// A verificationState tells how the verifications of a stream go.
type verificationState struct {
	State       string                  `json:"state"`
	Problem     string                  `json:"problem,omitempty"`
	SucceededAt time.Time               `json:"succeeded_at,omitzero"`
	Findings    map[verify.Severity]int `json:"findings,omitempty"` // of the last one that could say something
}

// verifies fills in how the stream's verifications go. The error is about one that a person has to look at. If no daemon verifies any
// more, a verification that only failed is a warning.
func (s *Row) verifies(ctx context.Context, set *stream.Set, now time.Time) error {
	look, err := set.LookAtVerification(ctx, s.Stream)
	if err != nil || look.Since.IsZero() && look.SucceededAt.IsZero() && look.FailedAt.IsZero() {
		return err
	}
	s.Verification = &verificationState{SucceededAt: look.SucceededAt, Findings: look.Findings}
	s.Verification.State, err = look.Judge(now)
	if err != nil {
		s.Verification.Problem = oneLine(err)
	}
	if s.Verification.State == stream.JobFailed && look.Schedule.Spec == "" {
		return nil
	}
	return err
}
