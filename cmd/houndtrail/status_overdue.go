package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// A run that is killed tells nobody why, and one that never starts cannot. Both show in what they leave undone.
var (
	errKilled = errors.New("the last run was killed, or its machine was lost")
	errStale  = errors.New("no run has committed anything for too long")
)

// overdue is an error if the last run did not end by itself, or if a run was due that would have committed something. That is
// an hour after the last commit at the latest, whether or not there is anything new.
func (s *standing) overdue(c *config.Config, source sourceState) error {
	if s.Lease.State == leaseAbandoned {
		return fmt.Errorf("%w: houndtrail %s on %s (pid %d), which began at %s, did not give its lease back and so told no reason; look "+
			"there for it (too little memory, most often); nothing is lost, and the next run goes on from the last commit",
			errKilled, s.Lease.Holder.Version, s.Lease.Holder.Host, s.Lease.Holder.PID, s.Lease.Since.Format(time.RFC3339))
	}
	if s.Serial == 0 || s.alive {
		return nil
	}
	// The next run may have failed for a passing reason; the one after it should not.
	due := c.Schedule.Next(c.Schedule.Next(s.CommittedAt.Add(exporter.IdleCommit + c.Settle))).Add(lateness)
	if now := earlier(source.now, source.own); now.After(due) {
		return fmt.Errorf("%w: the last commit was at %s, and with HOUNDTRAIL_SCHEDULE=%s the next one was due by %s; find out whether "+
			"Houndtrail still runs (the CronJob, the daemon), and what its log says; nothing is lost as long as BloodHound keeps its records",
			errStale, s.CommittedAt.Format(time.RFC3339), c.Schedule.Spec, due.UTC().Format(time.RFC3339))
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
