package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/daemon"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/demo"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/doctor"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/page"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/watch"
	"github.com/houndtrail/houndtrail/config"
)

func (p *program) run() *cobra.Command {
	var justOnce bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Export new records, on a schedule or once",
		Long: `Export the new records: to the archive (HOUNDTRAIL_ARCHIVE_URL), to the webhook (HOUNDTRAIL_WEBHOOK_URL), or to both.

Without --once it is a daemon: one cycle at the start, then by HOUNDTRAIL_SCHEDULE, until it is told to stop by SIGTERM,
SIGINT or SIGHUP. With --once it is a job: one cycle, and the exit code tells how it went. If the previous job died, its lease
ends by itself within a minute or so, and this one waits for that.

With HOUNDTRAIL_COMPACT_SCHEDULE the daemon also compacts the archive, in turn with the export. By HOUNDTRAIL_VERIFY_SCHEDULE it
verifies the journals and the archive, beside the export. A job does neither.

When it is told to stop, it commits what it is at, for HOUNDTRAIL_STOP_GRACE at most. The exit code is 0 if nothing is left
to do, and 7 if the next run has to go on. A second signal ends it at once, which loses nothing.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.load(config.NeedExport)
			if err != nil {
				return err
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // not every standard error can be synced
			set := stream.NewSet(c, p.process(log))
			if justOnce {
				all, err := set.Deliver(cmd.Context(), stream.Unobserved{})
				if err != nil {
					return err
				}
				err = stream.Once(cmd.Context(), all, c.StopGrace, wait)
				leaveMetrics(cmd.Context(), set, c, log)
				return pointed(err)
			}
			m := daemon.NewMetrics(c.Tenant, version)
			all, jobs, err := set.Daemon(cmd.Context(), m)
			if err != nil {
				return err
			}
			positions, err := set.Journals(cmd.Context())
			if err != nil {
				return err
			}
			return daemon.Run(cmd.Context(), all, m, daemon.Options{
				Jobs: jobs, Grace: c.StopGrace, Listen: string(c.Listen), Names: c.ListenNames, Version: version, Log: log,
				Page: func(live func(string) daemon.Live) http.Handler {
					options := page.Options{Names: c.ListenNames, Server: "houndtrail run", Version: version, Log: log}
					return watch.Page(positions, options, func(name string) (success, until time.Time) {
						l := live(name)
						return l.Success, l.Until
					})
				},
			})
		},
	}
	cmd.Flags().BoolVar(&justOnce, "once", false, "run one cycle and exit")
	cmd.Flags().DurationVar(&wait, "wait-lease", 90*time.Second, "how long --once waits while another runner holds the lease")
	return cmd
}

// leaveMetrics leaves the metrics of a job at the configured places. It does not change how the job ends: the records are safe, and
// an alert fires when the metrics are too old.
func leaveMetrics(ctx context.Context, set *stream.Set, c *config.Config, log *zap.Logger) {
	positions, err := set.Journals(ctx)
	if err == nil {
		err = watch.Deliver(ctx, positions, c.Tenant, version, watch.Places{
			Textfile: string(c.MetricsTextfile), Pushgateway: string(c.Pushgateway),
		})
	}
	if err != nil {
		log.Warn("the metrics of this job could not be left everywhere; its records are not concerned", zap.Error(err))
	}
}

// watch makes the command that shows the journals of any number of tenants.
func (p *program) watch() *cobra.Command {
	var tenants []string
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show all journals: metrics, page",
		Long: `Show the journals of any number of tenants on HOUNDTRAIL_LISTEN: metrics for Prometheus, health for probes, and a status page
for people. It watches CronJobs as well as daemons, reads only what their runs have left beside the journals, and survives
what it watches. It needs no BloodHound and no login, and of the store only the rights to read and to list.

It finds the journals below HOUNDTRAIL_CHECKPOINT_URL: in that folder itself, and up to three folders deeper. It looks for new
ones every five minutes. With --tenants, it shows only these, and also those of them that have no journal yet.

The metrics have the names of the daemon's, and the labels tenant and stream. A stream that has nothing new leaves a sign of life
once an hour, so a run that ended without a trace is noticed an hour and two runs later; a failure is noticed at once.

/livez is red if this process hangs, /readyz until it has read the store, and /healthz while a stream is not well.
docs/watching.md says more.`,
		Example: `  HOUNDTRAIL_CHECKPOINT_URL=s3://bucket/houndtrail houndtrail watch
  houndtrail watch --tenants acme,emea`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.load(config.NeedCheckpoint)
			if err != nil {
				return err
			}
			if c.Listen == "" {
				return stream.Usagef("%sLISTEN=off: watch only shows pages; give an address, such as :9090", config.Prefix)
			}
			if every < time.Second {
				return stream.Usagef("--every %s: want at least 1s", every)
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // not every standard error can be synced
			positions, err := stream.NewSet(c, p.asked().process(log)).Journals(cmd.Context())
			if err != nil {
				return err
			}
			return watch.Run(cmd.Context(), positions, watch.Options{
				Tenants: tenants, Every: every, Listen: string(c.Listen), Names: c.ListenNames, Version: version, Log: log,
			})
		},
	}
	cmd.Flags().StringSliceVar(&tenants, "tenants", nil, "show only these tenants (default: all that have a journal)")
	cmd.Flags().DurationVar(&every, "every", watch.DefaultEvery, "pause between two looks at all journals")
	return cmd
}

// A pointedError says where to look next after an error that gives no advice of its own.
type pointedError struct{ error }

func pointed(err error) error {
	if !stream.Unexplained(err) {
		return err
	}
	return &pointedError{err}
}

func (e *pointedError) Error() string { return e.error.Error() + "\n" + stream.LookCloser }
func (e *pointedError) Unwrap() error { return e.error }

func (p *program) doctor() *cobra.Command {
	var sendTest bool
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the whole set-up, and say what to do",
		Long: `Examine the whole set-up, as a run would use it: settings, BloodHound, stores, journals, webhook, schedules and this
machine. Each check is a row: ok, warn (a run works, and you should know of it), fail (a run fails) or skipped (it could not look,
and says why). A row says what was seen and what to do. docs/operating.md lists the checks.

It asks each server a few requests. It writes one small probe into each store, and removes it again; a row names the probe if the
store keeps it. With --send-test it also posts one event to the webhook, which is marked as a test.

The exit code is 0 if no check fails, and else the one with which a run ends: 2 for settings, 3 for BloodHound, 4 for stores and
the webhook, 5 or 6 for journals. No secret is printed.`,
		Example: `  houndtrail doctor --send-test
  houndtrail doctor -o json | jq 'select(.state == "fail")'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			process := p.asked().process(zap.NewNop())
			rows, err := doctor.Examine(cmd.Context(), doctor.Options{Environ: p.environ, Process: process, SendTest: sendTest})
			if err != nil {
				return err
			}
			return errors.Join(doctor.Print(p.stdout, rows, output.value, p.environ), doctor.Failed(rows))
		},
	}
	cmd.Flags().BoolVar(&sendTest, "send-test", false, "post one event to the webhook that is marked as a test")
	cmd.Flags().VarP(&output, "output", "o", "form of the rows; json is one object a line")
	return cmd
}

func (p *program) demo() *cobra.Command {
	o := demo.Options{Version: version, Memory: memory(), Out: p.stdout}
	var address string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the whole thing work, with nothing installed",
		Long: `Start a BloodHound test double with weeks of believable history, export it as
Parquet into a directory, forward it as NDJSON to a receiver, let some late
records appear, run again, and show what can be proven. Nothing leaves this
machine: both servers listen on the loopback interface and end with the command.

With --listen, only serve: a BloodHound whose log goes on for a week, and a
receiver, for a Houndtrail of another process. All of their records are made up.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address != "" {
				return demo.Serve(cmd.Context(), address, o)
			}
			return demo.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&address, "listen", "", "only serve the demo's BloodHound and receiver on this address, such as 127.0.0.1:8080")
	cmd.Flags().StringVar(&o.Dir, "dir", "houndtrail-demo", "where to put the archive; what an earlier demo left there is replaced")
	cmd.Flags().IntVar(&o.Records, "records", 40_000, "how much history to make up")
	return cmd
}
