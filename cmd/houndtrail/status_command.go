package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// provable is the longest journal that status reads as a whole without being told to: a moment in a directory, some
// seconds in S3.
const provable = 2000

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

Lag is counted by BloodHound's clock. If BloodHound cannot be asked, or with --offline is not, or if its clock is more than
a minute ahead of this machine's, lag is counted by this machine's, and has a mark (*); that is no failure.

STATUS is what the next run would say, as far as that can be told without one: ok; not started; waiting (BloodHound has no
record yet); or holes (of late a record could not be had, and was left out). It is future (HOUNDTRAIL_START is still to come), clock,
changed, no journal, incomplete, damaged or foreign if a run would stop, and newer if a newer version wrote the journal.
Otherwise it tells how the last run ended, until one succeeds: failed, bad record, or one of the above. The reason is on
standard error then, and the exit code is that run's. It is killed if the last run did not end by itself, and stale if nothing was
committed for more than an hour beyond two runs of HOUNDTRAIL_SCHEDULE; the exit code is 7 then. Of a journal that is damaged or foreign the row shows the newest entry
that can be read.

Holes are the word for as long as the ids of that time are remembered (HOUNDTRAIL_RESCAN): a record that is repaired meanwhile
is delivered after all. Later nothing reads it again, and they are a warning beside ok, with their number, for good.

The newest entry is verified against the previous one, and each link of the hash chain by reading the whole journal. Of one
with more than %d commits only the newest ones are read, unless --full asks for all.`, provable),
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
	c, err := p.load(config.NeedSource | config.NeedStream | config.NeedCheckpoint)
	if err != nil {
		return err
	}
	p = p.asked()
	b, err := p.positions(ctx, c, p.logger(c.Log))
	if err != nil {
		return err
	}
	all, failed, err := standings(ctx, c, b, o.full)
	if err != nil {
		return err
	}
	s := p.askSource(ctx, c, o.offline)
	for i := range all {
		if err := p.checkStream(ctx, c, b, s, &all[i]); err != nil {
			failed = errors.Join(failed, &streamError{all[i].Stream, err})
		}
	}
	if ctx.Err() != nil { // that is why it failed
		return ctx.Err()
	}
	for i := range all {
		all[i].compare(s, exporter.Retention(c.Retention))
		all[i].warn(p.stderr)
		p.postponedUntil(ctx, b, &all[i])
	}
	if s.warning != "" && (s.err == nil || !errors.Is(failed, s.err)) { // else it is said below, as what a run would stop for
		fmt.Fprintln(p.stderr, "houndtrail: warning:", s.warning)
	}
	show := map[string]func(io.Writer, []standing, time.Time) error{
		"table": standingsTable, "wide": standingsWide, "json": standingsJSON,
	}[o.output.value]
	return errors.Join(show(p.stdout, all, time.Now()), failed)
}

// standings looks at every stream that is configured. An error about a journal is in failed, and hides none of
// the others.
func standings(ctx context.Context, c *config.Config, b bucket.Bucket, full bool) (all []standing, failed, err error) {
	for _, name := range configured(c) {
		destination, err := destinationOf(c, name)
		if err != nil {
			return nil, nil, err
		}
		s := standing{Stream: name, Source: string(c.BloodHound.URL), Destination: destination}
		if err := s.look(ctx, journal(c, b, name, destination), full); err != nil {
			s.Problem = strings.ReplaceAll(err.Error(), "\n", "; ")
			failed = errors.Join(failed, &streamError{name, err})
		}
		all = append(all, s)
	}
	return all, failed, nil
}
