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

// askPatience is how long status tries again with a server that does not answer: the user sits in front of it.
// askTime, so many times that, is the end of it all.
const (
	askPatience = 2 * time.Second
	askTime     = 10
)

// What became of the questions to the source.
const (
	sourceOK      = "ok"
	sourceEmpty   = "empty"   // it has no record at all
	sourceFailed  = "failed"  // it could not be asked, or did not tell
	sourceOffline = "offline" // it was not asked
)

// sourceState is what the source says of itself.
type sourceState struct {
	status  string
	now     time.Time // by the server's clock, or where that is not known by ours
	own     time.Time // by ours
	clock   string    // whose now it is: server or local
	oldest  time.Time // zero where it is not known or there is none
	warning string
	err     error              // why it did not tell
	client  *bloodhound.Client // that may be asked more; nil if the source was not asked, or did not answer
}

// askSource asks for the time and the oldest record. To fail is no error: the journal says more than the source could.
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

// lagsBehind is the time that a cycle goes by, and whose clock tells it: ours, if the server's is ahead of it by more than
// clocks may differ.
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
