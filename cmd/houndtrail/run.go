package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config"
)

func (p *program) run() *cobra.Command {
	var justOnce bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Export what is new, on a schedule or once",
		Long: `Export what is new: to the archive (HOUNDTRAIL_ARCHIVE_URL), to the webhook (HOUNDTRAIL_WEBHOOK_URL), or to both.

Without --once it is a daemon: one cycle at the start, then by HOUNDTRAIL_SCHEDULE, until it is told to stop by SIGTERM,
SIGINT or SIGHUP. With --once it is a job: one cycle, and the exit code tells how it went. If the previous job died, its lease
ends by itself within a minute or so, and this one waits for that.

When it is told to stop, it commits what it is at, for HOUNDTRAIL_STOP_GRACE at most. The exit code is 0 if nothing is left
to do, and 7 if the next run has to go on. A second signal ends it at once, which loses nothing.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.load(config.NeedExport)
			if err != nil {
				return err
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // standard error cannot be synced everywhere
			m := newMetrics(c.Tenant)
			all, err := p.streams(cmd.Context(), c, log, m)
			if err != nil {
				return &usageError{err}
			}
			if justOnce {
				return once(cmd.Context(), all, c.StopGrace, wait)
			}
			return p.daemon(cmd.Context(), c, all, log, m)
		},
	}
	cmd.Flags().BoolVar(&justOnce, "once", false, "run one cycle and exit")
	cmd.Flags().DurationVar(&wait, "wait-lease", 90*time.Second, "how long --once waits while another runner holds the lease")
	return cmd
}

// daemon runs cycles by the schedule until ctx ends, and serves the status meanwhile.
func (p *program) daemon(ctx context.Context, c *config.Config, all []stream, log *zap.Logger, m *metrics) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	health := newHealth(c.Schedule, all)
	m.progress, m.trying, m.heard = health.committed, health.tries, health.hears
	served := make(chan error, 1)
	if c.Listen == "" {
		served <- nil
	} else {
		listener, err := listen(ctx, string(c.Listen))
		if err != nil {
			return err
		}
		recall(ctx, all, log)
		log.Info("serving status", zap.Stringer("address", listener.Addr()))
		go func() {
			err := serve(ctx, listener, statusPages(m, health))
			if err != nil {
				stop(err) // a daemon that cannot be watched is not one
			}
			served <- err
		}()
	}
	scheduled := schedule(ctx, c.Schedule, c.StopGrace, all, health, log)
	stop(nil)
	return errors.Join(scheduled, wrapServe(<-served, string(c.Listen)))
}

func wrapServe(err error, address string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("serving metrics and health on %s: %w", address, err)
}
