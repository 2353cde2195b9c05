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

// compacts sets the state of the archive's compactions. The error is about a compaction that needs a person. If no daemon
// compacts, and a compaction failed without any change, this is only a warning: a person has tried it once, and may not want to
// try again.
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
	Findings    map[verify.Severity]int `json:"findings,omitempty"` // the note of the last one that had a result
}

// verifies sets the state of the stream's verifications. The error is about a verification that needs a person. If no daemon
// verifies any more, a verification that failed without a finding is only a warning.
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
