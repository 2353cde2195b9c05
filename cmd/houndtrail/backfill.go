package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/replay"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// backfillOptions are the flags of backfill.
type backfillOptions struct {
	from, to string
	stream   choice
	output   choice

	first, end time.Time // from and to; zero if the user did not give them
}

func (p *program) backfill() *cobra.Command {
	o := backfillOptions{
		stream: choice{"", []string{stream.Archive, stream.Webhook}},
		output: choice{"text", []string{"text", "json"}},
	}
	cmd := &cobra.Command{
		Use:   "backfill",
		Short: "Export the time before a stream's own start",
		Long: `Export the time before a stream's own start. You need this if a stream began later than the oldest record
(HOUNDTRAIL_START), or if you added a webhook to an older archive. If a stream began at the oldest record, it needs no
backfill: when older records appear, it exports them by itself.

A backfill has its own journal and its own lease. It may run while the daemon runs, and does not move the daemon's
position. It leaves out the time for which the stream's journal or its own journal accounts, so it writes no record
twice. If a backfill was interrupted, run the same command again: it goes on from there.

Times are RFC 3339. A day such as 2026-01-31 means its midnight in UTC. The stream itself must have made its first
commit: before that, Houndtrail does not know where the stream begins.`,
		Example: `  houndtrail backfill
  houndtrail backfill --stream webhook --from 2026-01-01 --to 2026-02-01
  houndtrail history --stream archive-backfill`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runBackfills(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "created at or after this time (default: the oldest record that BloodHound has)")
	f.StringVar(&o.to, "to", "", "created before this time (default: where the stream itself starts)")
	f.Var(&o.stream, "stream", "only this one (default: each that is configured, one after the other)")
	f.VarP(&o.output, "output", "o", "form of the sum at the end; json is one object a line for each stream")
	return cmd
}

func (p *program) runBackfills(ctx context.Context, o *backfillOptions) error {
	if err := o.parse(); err != nil {
		return stream.Usage(err)
	}
	c, err := p.load(config.NeedExport)
	if err != nil {
		return err
	}
	log := p.logger(c.Log)
	defer log.Sync() //nolint:errcheck // not every standard error can be synced
	all, err := p.backfills(ctx, c, o, log)
	if err != nil {
		return err
	}
	work, abandon := stream.Finishing(ctx, c.StopGrace)
	defer abandon()
	var errs []error
	for _, b := range all {
		progress := show.NewBackfill(p.stderr, log, b.name)
		b.Stream.Observer, b.Planned = progress, progress.Planned
		err := stream.Abandoned(work, b.Run(work))
		if err == nil {
			err = b.lacks(work)
		}
		err = errors.Join(err, b.anchor(work)) // also after a failure: the heads of earlier commits have to be remembered elsewhere
		if err != nil {
			errs = append(errs, &stream.Error{Stream: b.name, Err: err})
		}
		if err := progress.End(p.stdout, o.output.value, err == nil); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (p *program) replay() *cobra.Command {
	var from, to, url, format, filter string
	o := replay.Options{Stdout: p.stdout, Stderr: p.stderr}
	output := choice{"text", []string{"text", "json"}}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Send archived records again",
		Long: `Send a time again from the archive to the webhook, with the same event ids. BloodHound is not asked, and no setting of it is
needed. Use it when a SIEM has lost events, or for a new SIEM.

A replay has its own journal and its own lease. It may run while the daemon runs, and moves no stream's position. If it was
interrupted, run the same command again: it goes on from there, and sends at most the batches again that were under way. A replay
that has sent everything sends nothing more. To send the same time to the same receiver once more, give it another --name.

--url, --format and --filter stand for the variables WEBHOOK_URL, WEBHOOK_FORMAT and WEBHOOK_FILTER. All other WEBHOOK_ settings
hold, the credentials too: for another receiver, set those of that receiver.

If the archive does not hold all of the time (a hole, a removal, a time that nothing accounts for), the replay sends the rest,
names the missing parts, and ends with exit code 6.`,
		Example: `  houndtrail replay --from 2026-03-01 --to 2026-04-01
  houndtrail replay --to 2026-04-01 --url https://new-siem.example/ingest \
    --format elastic-bulk`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			order := backfillOptions{from: from, to: to}
			if err := order.parse(); err != nil {
				return stream.Usage(err)
			}
			if to == "" {
				return stream.Usagef("replay needs --to: the end of the time to send")
			}
			sent := *p
			sent.environ = replay.Environ(p.environ, url, format, filter)
			if o.Config, err = sent.load(replay.Need); err != nil {
				return err
			}
			log := p.logger(o.Config.Log)
			defer log.Sync() //nolint:errcheck // not every standard error can be synced
			o.From, o.To, o.Output, o.Process = order.first, order.end, output.value, p.process(quiet(log))
			return replay.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "created at or after this time (default: the archive's oldest record)")
	f.StringVar(&to, "to", "", "created before this time")
	f.StringVar(&url, "url", "", "the receiver (default: HOUNDTRAIL_WEBHOOK_URL)")
	f.StringVar(&format, "format", "", "its format (default: HOUNDTRAIL_WEBHOOK_FORMAT)")
	f.StringVar(&filter, "filter", "", "which records to send (default: HOUNDTRAIL_WEBHOOK_FILTER)")
	f.StringVar(&o.Name, "name", "", "tells two replays of the same time apart")
	f.VarP(&output, "output", "o", "form of the sum at the end; json is one object")
	return cmd
}

// parse reads the times. It finds a mistake in them before Houndtrail sends a request.
func (o *backfillOptions) parse() (err error) {
	if o.first, err = timeOrDay("--from", o.from); err != nil {
		return err
	}
	if o.end, err = timeOrDay("--to", o.to); err != nil {
		return err
	}
	if o.from != "" && o.to != "" && !o.first.Before(o.end) {
		return fmt.Errorf("--from %s is not before --to %s", o.from, o.to)
	}
	return nil
}

func timeOrDay(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && !t.IsZero() {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: want a time such as 2026-01-31T00:00:00Z, or a day such as 2026-01-31", flag, text)
}

// A backfill is the backfill of one stream.
type backfill struct {
	name string // the journal of the stream
	*exporter.Backfill
	anchor func(context.Context) error // remembers the newest head elsewhere
	lacks  func(context.Context) error // tells of open letters
}

// backfills makes the backfills of the streams that the user names. If the user names none, it makes those of all streams that
// the configuration turns on.
func (p *program) backfills(ctx context.Context, c *config.Config, o *backfillOptions, log *zap.Logger) ([]backfill, error) {
	set := stream.NewSet(c, p.process(quiet(log)))
	names, err := set.Chosen(o.stream.value)
	if err != nil {
		return nil, err
	}
	streams, err := set.DeliverPast(ctx, names...)
	if err != nil {
		return nil, err
	}
	var all []backfill
	for _, s := range streams {
		past, err := set.LookJournal(ctx, s.Name, func(anchor.Report) {}) // the stream's own runs report about its anchors
		if err != nil {
			return nil, err
		}
		journal, err := set.CommitJournal(ctx, stream.BackfillOf(s.Name))
		if err != nil {
			return nil, err
		}
		all = append(all, backfill{s.Name, &exporter.Backfill{
			Stream: *s.Exporter, Past: past, Journal: journal, From: o.first, To: o.end,
		}, func(ctx context.Context) error {
			return set.AnchorJournal(ctx, stream.BackfillOf(s.Name), journal)
		}, func(ctx context.Context) error {
			letters, err := set.Lettered(ctx, stream.BackfillOf(s.Name))
			return errors.Join(err, stream.Lacks(letters))
		}})
	}
	return all, nil
}

// quiet drops the log's line for each window at level info, since the progress already shows the windows. At every other level,
// it changes nothing.
func quiet(log *zap.Logger) *zap.Logger {
	if log.Level() == zap.InfoLevel {
		return log.WithOptions(zap.IncreaseLevel(zap.WarnLevel))
	}
	return log
}
