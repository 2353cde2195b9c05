package status

import (
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
)

// overdue returns an error in two cases: the last run did not end by itself, or a run should have committed and is late. A run
// commits an hour after the last commit at the latest, even if there is no new record.
func (s *Row) overdue(schedule config.Schedule, variable string, settle time.Duration, source sourceState) error {
	if s.Lease.State == leaseAbandoned {
		return fmt.Errorf("%w: %s, which began at %s, did not give its lease back and so told no reason; look there for it (too little "+
			"memory, most often); nothing is lost, and the next run goes on from the last commit",
			stream.ErrKilled, holderCell(s.Lease.Holder), show.Second(s.Lease.Since))
	}
	if s.Serial == 0 || s.alive {
		return nil
	}
	now, last := earlier(source.now, source.own), s.CommittedAt
	if last.After(now.Add(stream.Lateness)) { // a clock was ahead then: without this, no run would be overdue until that time
		last = s.Cursor
	}
	due := stream.Due(schedule, settle, last)
	if now.After(due) {
		return fmt.Errorf("%w: the last commit was at %s, and with %s=%s the next one was due by %s; find out whether "+
			"Houndtrail still runs (the CronJob, the daemon), and what its log says; nothing is lost as long as BloodHound keeps its records",
			stream.ErrStale, show.Second(s.CommittedAt), variable, schedule.Spec, show.Second(due))
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
