package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
)

// askPatience is how long status keeps trying if a server does not answer: a user waits. All questions together may take
// askTime times askPatience.
const (
	askPatience = 2 * time.Second
	askTime     = 10
)

// The results of asking the source.
const (
	sourceOK      = "ok"
	sourceEmpty   = "empty"   // the source has no record at all
	sourceFailed  = "failed"  // the source could not be asked, or did not tell
	sourceOffline = "offline" // status did not ask the source, because the user said so
)

// sourceState has the answers of the source.
type sourceState struct {
	status  string
	now     time.Time // by the server's clock or, if that is unknown, by ours
	own     time.Time // by our clock
	clock   string    // the clock for now: server or local
	oldest  time.Time // zero if it is not known, or there is no record
	warning string
	err     error              // why the source did not tell
	client  *bloodhound.Client // for further questions; nil if status did not ask the source, or got no answer
}

// askSource asks for the time and the oldest record. If that fails, status goes on: the journal says more than the source
// could.
func askSource(ctx context.Context, c *config.Config, p stream.Process, offline bool) sourceState {
	own := stream.NewSet(c, p).Now()
	s := sourceState{status: sourceOffline, now: own, own: own, clock: "local"}
	switch {
	case offline:
	case c.BloodHound.Auth() == config.AuthNone:
		s.warning = "BloodHound is not asked, since no way to log in is configured; lag is by this machine's clock"
	default:
		s.status = sourceFailed
		if s.err = s.ask(ctx, c, p); s.err != nil {
			what := "BloodHound's oldest record is not known"
			if s.clock == "local" {
				what += ", and lag is by this machine's clock"
			}
			s.warning = fmt.Sprintf("%s: %v", what, s.err)
		}
	}
	return s
}

// lagsBehind returns the time that a cycle uses, and its clock. This is ours if the server's is ahead of it by more than clocks
// may differ, and else the server's.
func (s *sourceState) lagsBehind() (now time.Time, clock string) {
	if s.now.Sub(s.own) > exporter.Apart {
		return s.own, "local"
	}
	return s.now, s.clock
}

func (s *sourceState) ask(ctx context.Context, c *config.Config, p stream.Process) error {
	p.Patience = cmp.Or(p.Patience, askPatience)
	limit := askTime * p.Patience
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	set := stream.NewSet(c, p)
	client, err := set.Source(nil)
	if err != nil {
		return err
	}
	clock, err := client.Clock(ctx)
	if err != nil {
		return err
	}
	s.now, s.own, s.clock = clock.Server, set.Now(), "server"
	extent, err := client.Extent(ctx, s.now)
	if err == nil || errors.Is(err, bloodhound.ErrHidden) {
		s.client = client
	}
	if err != nil {
		return err
	}
	s.status = sourceEmpty
	if !extent.Empty {
		s.status, s.oldest = sourceOK, extent.Oldest
	}
	return nil
}
