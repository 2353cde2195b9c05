package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/status"
	"github.com/houndtrail/houndtrail/config"
)

// statusOptions are the flags of status.
type statusOptions struct {
	offline, full bool
	output        choice
}

func (p *program) status() *cobra.Command {
	o := statusOptions{output: choice{"table", []string{"table", "wide", "json"}}}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far each stream is",
		Long: fmt.Sprintf(`Show how far each stream is: its position (everything before it is delivered) and how far that is behind
(LAG), the records so far, the share of them that BloodHound's own count confirms exactly (COUNTED), and the time left until BloodHound
may drop records that are not exported yet (LEFT; HOUNDTRAIL_RETENTION). -o wide adds the last commit, the oldest record that
BloodHound still has, the destination, and who holds the lease. Nothing is written and no lease is taken, so it can be asked at
any time.

With --offline it takes no login and no file of a secret, and HOUNDTRAIL_BLOODHOUND_URL need not be set.

Lag is counted by BloodHound's clock. If BloodHound cannot be asked, or with --offline is not, or if its clock is more than
a minute ahead of this machine's, lag is counted by this machine's, and has a mark (*); that is no failure.

STATUS is what the next run would say, as far as that can be told without one: ok; not started; waiting (BloodHound has no
record yet); or holes (of late a record could not be had, and was left out). It is future (HOUNDTRAIL_START is still to come), clock,
changed, no journal, incomplete, damaged, rolled back, forked, foreign or signature if a run would stop, and newer if a newer
version wrote the journal.
Otherwise it tells how the last run ended, until one succeeds: failed, bad record, or one of the above. The reason is on
standard error then, and the exit code is that run's. It is compaction if the stream is well and its archive's compaction is not: that
failed, was cut off, or is overdue by HOUNDTRAIL_COMPACT_SCHEDULE. It is verification if the daemon's last verification found an error
(run houndtrail verify), could not read everything, or is overdue by HOUNDTRAIL_VERIFY_SCHEDULE. It is killed if the last run
did not end by itself, and stale if nothing was committed for more than an hour beyond two runs of HOUNDTRAIL_SCHEDULE; the exit code
is 7 then. Of a journal that is damaged or foreign the row shows the newest entry that can be read.

Holes are the word for as long as the ids of that time are remembered (HOUNDTRAIL_RESCAN): a record that is repaired meanwhile
is delivered after all. Later nothing reads it again, and they are a warning beside ok, with their number, for good.

The newest entry is verified against the previous one, and each link of the hash chain by reading the whole journal. Of one
with more than %d commits only the newest ones are read, unless --full asks for all.`, status.LongJournal),
		Example: `  houndtrail status
  houndtrail status --offline -o json | jq '{stream, status, lag_seconds}'`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.showStatus(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.offline, "offline", false, "do not ask BloodHound")
	f.BoolVar(&o.full, "full", false, "verify the whole journal, however long it is")
	f.VarP(&o.output, "output", "o", "form of the answer; wide has all columns, json is one object a line for each stream")
	return cmd
}

func (p *program) showStatus(ctx context.Context, o *statusOptions) error {
	need := config.NeedStream | config.NeedCheckpoint
	if !o.offline {
		need |= config.NeedSource
	}
	c, err := p.load(need)
	if err != nil {
		return err
	}
	report, err := status.Of(ctx, c, p.asked().process(p.logger(c.Log)), status.Options{Offline: o.offline, Full: o.full})
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		fmt.Fprintln(p.stderr, "houndtrail: warning:", w)
	}
	return errors.Join(status.Print(p.stdout, report.Rows, o.output.value, time.Now()), report.Failed)
}
